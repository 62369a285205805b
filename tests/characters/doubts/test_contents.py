"""Contents besides one character give a warning with the line that drops it; sound characters give none."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from specsia_build.characters.character import Character, Doubt, Entry
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from tests.characters.bodies import FIGURE, Boxes, box, boxes, write_glb, write_obj


def read(path: Path, kind: str = "obj", **more: object) -> Character:
    up = "+z" if kind == "obj" else None
    return read_character(Entry("hero", kind, path, up=up, front="-y", **more))  # type: ignore[arg-type]


def doubts(groups: Boxes, folder: Path) -> tuple[Doubt, ...]:
    return read(write_obj(folder / "hero.obj", groups)).doubts


def dropped(found: tuple[Doubt, ...]) -> list[str]:
    """Names that the only doubt drops."""
    (doubt,) = found
    assert doubt.fix is not None
    assert doubt.fix.key == "drop"
    return sorted(doubt.fix.value)


def aside(groups: Boxes, x: float, prefix: str = "Other") -> Boxes:
    return {prefix + name: [solid + np.array((x, 0, 0)) for solid in solids] for name, solids in groups.items()}


def around(size: float = 8.0) -> list[np.ndarray]:
    """Four walls and a ceiling."""
    walls = [box((x, 0, 2), (0.1, size, 4.1)) + box((0, x, 2), (size, 0.1, 4.1)) for x in (-size / 2, size / 2)]
    return [*walls[0], *walls[1], *box((0, 0, 4), (size, size, 0.1)), *box((0, 0, -0.05), (size, size, 0.1))]


@pytest.mark.parametrize(
    ("name", "scenery"),
    [
        ("Floor", box((0, 0, -0.02), (4, 4, 0.04))),
        ("Room", around()),
    ],
)
def test_scenery_is_named_and_stays_until_it_is_dropped(tmp_path: Path, name: str, scenery: list[np.ndarray]) -> None:
    path = write_obj(tmp_path / "hero.obj", FIGURE | {name: scenery})
    character = read(path)
    assert dropped(character.doubts) == [name]
    assert len(character.mesh.faces) > len(read(path, drop=(name,)).mesh.faces)
    assert read(path, drop=(name,)).warnings == ()


def test_a_second_figure_is_named_and_the_one_at_the_origin_kept(tmp_path: Path) -> None:
    assert dropped(doubts(FIGURE | aside(FIGURE, 3), tmp_path)) == ["OtherLimbs", "OtherTrunk"]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"Cape": box((0, 0.3, 1.0), (0.8, 0.04, 1.2))},
        {"Hoverboard": box((0, 0, -0.02), (0.7, 1.2, 0.04))},
        {"Wings": box((0, 0.25, 1.4), (2.4, 0.05, 0.8))},
        {"Halo": box((0, 0, 2.2), (0.4, 0.4, 0.02))},
        {"Arm_L": box((0.9, 0, 1.35), (0.3, 0.1, 0.1)), "Arm_R": box((-0.9, 0, 1.35), (0.3, 0.1, 0.1))},
    ],
    ids=lambda more: next(iter(more), "alone"),
)
def test_what_belongs_to_a_character_is_not_doubted(tmp_path: Path, more: Boxes) -> None:
    assert doubts(FIGURE | more, tmp_path) == ()


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("Hair_01", "Hair_02", "Hair_02"),
        ("Body", "Body_LOD1", "Body_LOD1"),
        ("Body", "UCX_Body", "UCX_Body"),
        ("Coat", "Shirt", None),
        ("Cube.001", "Cube.002", None),
    ],
)
def test_parts_of_one_name_in_one_place_are_shown_at_once(
    tmp_path: Path, first: str, second: str, said: str | None
) -> None:
    hair = box((0, -0.1, 1.95), (0.4, 0.4, 0.2))
    again = [solid * (1.01, 1.01, 1.001) for solid in hair]
    found = doubts(FIGURE | {first: hair, second: again}, tmp_path)
    assert (dropped(found) if found else []) == ([said] if said else [])
    apart = [solid + np.array((0, 0, 0.3)) for solid in hair]
    assert doubts(FIGURE | {first: hair, second: apart}, tmp_path) == ()


def test_props_that_hang_from_one_hand_are_spare_but_for_the_largest(tmp_path: Path) -> None:
    props = {"Sword": (0.1, 1.2, 0.1), "Axe": (0.1, 0.8, 0.1), "Ring": (0.05, 0.05, 0.05)}
    assert dropped(read(write_glb(tmp_path / "hero.glb", props, {}), "gltf").doubts) == ["Axe"]


def test_the_spare_weapons_of_the_shared_characters_are_named(characters_dir: Path, tmp_path: Path) -> None:
    entries = {entry.id: entry for entry in open_source(str(characters_dir / "characters.jsonl"), tmp_path).entries}
    knight = read_character(msgspec.structs.replace(entries["kaykit_knight"], drop=()))
    assert {"1H_Sword_Offhand", "Round_Shield"} <= {name for fix in knight.fixes for name in fix.value}


@pytest.mark.parametrize(("head", "hand", "said"), [(3.5, 4.0, 1), (1.7, 4.0, 0), (1.7, 1.2, 0)])
def test_joints_without_surface(tmp_path: Path, head: float, hand: float, said: int) -> None:
    path = write_glb(tmp_path / "a.glb", {}, {"Head": head, "Hand.L": hand, "Foot.L": 0.1})
    assert len(read(path, "gltf").doubts) == said


def test_what_is_flat_rounded_or_far_away_is_told(tmp_path: Path) -> None:
    flat = {"A": [solid * (1, 0.001, 1) for solid in boxes()]}
    stray = FIGURE | {"Stray": box((40, 0, 1), (0.01, 0.01, 0.01))}
    far = {"A": [solid + 20_000.0 for solid in boxes()]}
    assert [len(doubts(groups, tmp_path)) for groups in (flat, stray, far)] == [1, 1, 1]
