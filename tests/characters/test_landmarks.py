"""What names of joints without a side say of the front, and what they say against each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from specsia_build.frame import AXES
from tests.characters.test_facing import fronts

LEGS: dict[str, tuple[float, float, float]] = {
    f"leg-{end}-{side}": (x, y, 0.4)
    for end, y in (("front", -0.5), ("back", 0.5))
    for side, x in (("left", 0.2), ("right", -0.2))
}


@pytest.mark.parametrize("front", AXES[:4])
def test_front_and_back_legs_tell_the_front(tmp_path: Path, front: str) -> None:
    unsided: dict[str, tuple[float, float, float]] = {
        "FrontLeg": (0, -0.5, 0.4),
        "BackLeg": (0, 0.5, 0.4),
        "ForeArm": (0, 2.0, 1.0),
        "hindsight": (0, 9.0, 1.0),
    }
    for joints, why in ((LEGS, "2 pairs of left and right joints"), (unsided, "its front joints")):
        faces, said = fronts(tmp_path / "a.glb", joints, front)
        assert faces == "-y"
        assert [line.split(", not")[0] for line in said if "faces" in line] == (
            []
            if front == "-y"
            else [f"a.glb faces {front} by {why}" + (" and by its front joints" if joints is LEGS else "")]
        )


def test_sides_and_front_legs_outweigh_what_is_named_a_tail(tmp_path: Path) -> None:
    """An elephant whose trunk is called its tail."""
    trunk = LEGS | {"tail": (0, -0.9, 0.8), "body": (0, 0, 0.7)}
    assert fronts(tmp_path / "a.glb", trunk) == ("-y", ())
    _, (said,) = fronts(tmp_path / "b.glb", trunk, "+x")
    assert said.startswith("b.glb faces +x by 2 pairs of left and right joints and by its front joints, not -y")
    assert fronts(tmp_path / "c.glb", trunk, "+y") == ("-y?", ())
