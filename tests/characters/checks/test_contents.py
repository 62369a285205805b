"""What a file holds besides a character: each warning just within and just beyond its limits."""

import re

import numpy as np
import pytest

from specsia_build.characters.checks import contents
from specsia_build.characters.checks.probe import probe_of
from specsia_build.warning import Warning
from tests.characters.bodies import box, mesh_of

Solid = tuple[tuple[float, float, float], tuple[float, float, float]]

BODY: Solid = ((0, 0, 1), (1, 1, 2))
"""Centre and size of a box that stands on the ground, two high."""

PROP: Solid = ((2, 0, 1), (0.3, 0.2, 0.2))


THIN: Solid = ((2, 0, 1), (0.6, 0.3, 0.02))
WIDE: Solid = ((2, 0, 1), (0.5, 0.4, 0.02))


def warnings_about(
    parts: dict[str, list[Solid]], joints: tuple[tuple[str, tuple[float, float, float]], ...] = ()
) -> tuple[Warning, ...]:
    """Warnings about parts of boxes; what comes before a slash is the node above a part."""
    solids = [box(*solid)[0] for part in parts.values() for solid in part]
    numbers = [number for number, part in enumerate(parts.values()) for _ in part]
    names = [tuple(name.split("/")[::-1]) for name in parts]
    return contents.check(
        probe_of(mesh_of(solids), names, np.repeat(numbers, 12).astype(np.int32), joints), "hero"
    )


def floor(width: float = 4.0, thickness: float = 0.1, top: float = 0.0) -> Solid:
    return (0, 0, top - thickness / 2), (width, width, thickness)


def room(width: float, height: float = 4.0, low: float = 0.0) -> list[Solid]:
    """Four walls."""
    middle, half = low + height / 2, width / 2
    aside = [((x, 0.0, middle), (0.01, width, height)) for x in (-half, half)]
    return [*aside, *(((0.0, y, middle), (width, 0.01, height)) for y in (-half, half))]


def plates(count: int) -> dict[str, list[Solid]]:
    return {f"plate {k}": [((0.0, 0.0, 2 + k / 1000), (0.5, 0.5, 0.5))] for k in range(count)}


LIMITS: dict[str, list[tuple[dict[str, list[Solid]], bool]]] = {
    "scenery": [
        ({"a": [BODY], "b": [floor(1.25)]}, False),
        ({"a": [BODY], "b": [floor(1.35)]}, True),
        ({"a": [BODY], "b": [((0, 0, -0.05), (4, 1.25, 0.1))]}, False),
        ({"a": [BODY], "b": [((1.9, 0, -0.05), (4, 4, 0.1))]}, False),
        ({"a": [BODY], "b": [floor(thickness=0.19)]}, True),
        ({"a": [BODY], "b": [floor(thickness=0.22)]}, False),
        ({"a": [BODY], "b": [((0, 0, -0.08), (1.4, 4, 0.16))]}, False),
        ({"a": [BODY], "b": [((0, 0, -0.08), (4, 1.4, 0.16))]}, False),
        ({"a": [BODY], "b": [floor(top=0.19)]}, True),
        ({"a": [BODY], "b": [floor(top=0.22)]}, False),
        ({"a": [BODY], "b": room(1.9)}, False),
        ({"a": [BODY], "b": room(2.15)}, True),
        ({"a": [((0, 0, 1), (2, 2, 2))], "b": room(3.8)}, False),
        ({"a": [BODY], "b": room(9.8)}, True),
        ({"a": [BODY], "b": room(10.4)}, False),
        ({"a": [BODY], "b": room(4, height=1.9)}, False),
        ({"a": [BODY], "b": room(4, low=0.03)}, True),
        ({"a": [BODY], "b": room(4, low=0.1)}, False),
        ({"a": [BODY], "b": [*room(4), ((0, 0, 1), (0.5, 0.5, 0.5))]}, False),
        ({"a": [BODY], "b": [*room(4, height=2.1), ((0, 0, 0.1), (0.9, 0.9, 0.1))]}, True),
        ({"a": [BODY], "b": [floor()], "c": [((0, 0, -0.3), (9, 9, 0.1))]}, True),
        ({"a": [BODY], **plates(398), "b": [floor()]}, True),
        ({"a": [BODY], **plates(399), "b": [floor()]}, False),
    ],
    "several-figures": [
        ({"a": [BODY], "b": [((1.05, 0, 1), (1, 1, 2))]}, False),
        ({"a": [BODY], "b": [((1.08, 0, 1), (1, 1, 2))]}, True),
        ({"a": [BODY], "b": [((0, 1.08, 1), (1, 1, 2))]}, True),
        ({"a": [BODY], "b": [((1.5, 0, 0.48), (1, 1, 0.96))]}, False),
        ({"a": [BODY], "b": [((1.5, 0, 0.53), (1, 1, 1.06))]}, True),
        ({"a": [BODY], "b": [((1.5, 0, 1), (0.21, 0.21, 2))]}, False),
        ({"a": [BODY], "b": [((1.5, 0, 1), (0.27, 0.27, 2))]}, True),
        ({"a": [BODY], "b": [((1.5, 0, 0.95), (1, 1, 1.2))]}, True),
        ({"a": [BODY], "b": [((1.5, 0, 1.05), (1, 1, 1.2))]}, False),
    ],
    "far-triangles": [
        ({"a": [BODY, ((5.45, 0, 1), (0.001, 0.001, 0.001))]}, False),
        ({"a": [BODY, ((5.6, 0, 1), (0.001, 0.001, 0.001))]}, True),
    ],
    "props-in-hand": [
        ({"a": [BODY], "Hand.L/b": [PROP], "Hand.L/c": [((2, 0, 1), (0.32, 0.2, 0.1))]}, True),
        ({"a": [BODY], "Hand.L/b": [PROP], "Hand.L/c": [((2, 0, 1), (0.28, 0.2, 0.1))]}, False),
        ({"a": [BODY], "Hand.L/b": [PROP], "Hand.R/c": [PROP]}, False),
    ],
    "alternatives": [
        ({"Hair": [((0, 0, 3), (1.2, 0.1, 0.1))], "Hair_Alt": [((0.44, 0, 3), (1.2, 0.1, 0.1))]}, True),
        ({"Hair": [((0, 0, 3), (1.2, 0.1, 0.1))], "Hair_Alt": [((0.6, 0, 3), (1.2, 0.1, 0.1))]}, False),
        ({"Hair": [((0, 0, 3), (1.2, 0.1, 0.1))], "Hair_Alt": [((0, 0, 3), (0.4, 0.1, 0.1))]}, True),
        ({"Hair": [((0, 0, 3), (1.2, 0.1, 0.1))], "Hair_Alt": [((0, 0, 3), (0.15, 0.1, 0.1))]}, False),
        # Of props in one hand the one with the largest side is compared.
        ({"a": [BODY], "Hand.L/b": [THIN], "Hand.L/c": [WIDE], "b_Alt": [WIDE]}, False),
        ({"a": [BODY], "Hand.L/b": [THIN], "Hand.L/c": [WIDE], "c_Alt": [WIDE]}, True),
    ],
    "flat": [({"a": [((0, 0, 1), (1, 0.019, 2))]}, True), ({"a": [((0, 0, 1), (1, 0.021, 2))]}, False)],
    "rounded": [({"a": [((3000, 0, 1), (1, 1, 2))]}, False), ({"a": [((5000, 0, 1), (1, 1, 2))]}, True)],
}

TRIALS = [(code, parts, warned) for code, trials in LIMITS.items() for parts, warned in trials]


@pytest.mark.parametrize(("code", "parts", "warned"), TRIALS)
def test_limits(code: str, parts: dict[str, list[Solid]], warned: bool) -> None:
    assert (code in [warning.code for warning in warnings_about(parts)]) == warned


@pytest.mark.parametrize(("aside", "warned"), [(0.19, False), (0.22, True)])
def test_joints_away_from_the_surface(aside: float, warned: bool) -> None:
    joints = (("Head", (0.5 + aside, 0.0, 1.0)), ("Hand.L", (0.5 + aside, 0.0, 1.5)))
    for head_and_hand in (joints, joints[:1]):
        warnings = warnings_about({"a": [BODY]}, head_and_hand)
        assert [w.code for w in warnings] == ["body-missing"] * (warned and len(head_and_hand) == 2)


def test_what_warnings_count_and_name() -> None:
    (figures,) = warnings_about({"near": [((1, 0, 1), (1, 1, 2))], "far": [((-3, 0, 1), (1, 1, 2))]})
    crowd: dict[str, list[Solid]] = {"a": [BODY], "b": [((3, 0, 1), (1, 1, 2))], "c": [floor(20)]}
    assert [warning.code for warning in warnings_about(crowd)] == ["scenery", "several-figures"]
    (props,) = warnings_about({"a": [BODY]} | {f"Hand.L/{name}": [PROP] for name in "bcd"})
    (far,) = warnings_about({"a": [BODY, ((9, 0, 1), (0.001, 0.001, 0.001))]})
    assert "2 figures" in figures.sentence and re.findall("'([^']+)'", figures.sentence) == ["near"]
    assert "3 at Hand.L" in props.sentence and far.sentence.startswith("12 triangles")


@pytest.mark.parametrize(
    ("first", "second", "alike"),
    [
        *(("Hat_A", "Hat_B", True), ("A_Hat", "B_Hat", True), ("Hat", "Hat_2", True), ("Hat_1", "Hat", True)),
        *(("Hat_A", "Hat_Red", False), ("Hat_1", "Coat_1", False), ("X", "Y", False), ("Hat", "Hat", False)),
        *(("Hat_Red", "Hat_Blue", False), ("Hat", "Coat_2", False), ("Hat", "Hat_Red", False)),
        *(("Coat_v1", "Coat_v2", True), ("Coat_Variation_2", "Coat", True), ("Door_open", "Door_shut", True)),
        *(("Coat_Option_Red", "Coat_Option_Blue", False), ("Coat_2_Option", "Coat", False)),
    ],
)
def test_names_of_alternatives(first: str, second: str, alike: bool) -> None:
    rod: Solid = ((0, 0, 1), (0.2, 0.2, 2))
    found = [warning.code for warning in warnings_about({first: [rod], second + "\0": [rod]})]
    assert found == ["alternatives"] * alike
