"""Hairdos and garments of which a character wears one are told where a file shows several at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.characters.test_alone import FIGURE, Boxes, box, told

CAP = box((0, -0.1, 1.85), (0.36, 0.36, 0.3))
FULLER = box((0, -0.08, 1.8), (0.42, 0.42, 0.42))
LONGER = box((0, -0.06, 1.7), (0.46, 0.46, 0.62))
FRONT, BACK = box((0, -0.2, 1.85), (0.4, 0.1, 0.3)), box((0, 0.1, 1.85), (0.4, 0.1, 0.3))


@pytest.mark.parametrize(
    ("variants", "spare"),
    [
        ({"Hair_A": CAP, "Hair_B": FULLER, "Hair_C": LONGER}, ("Hair_B", "Hair_C")),
        ({"hair01": FULLER, "hair02": CAP}, ("hair02",)),
        ({"Hair_v1": LONGER, "Hair_v2": FULLER}, ("Hair_v2",)),
        ({"Hair_Bob": CAP, "Hair_Curly": FULLER}, ("Hair_Curly",)),
        ({"Outfit_Casual": FIGURE["Trunk"], "Outfit_Formal": FIGURE["Trunk"]}, ("Outfit_Formal",)),
    ],
)
def test_variants_in_one_place_are_told_with_the_line_that_keeps_the_first(
    tmp_path: Path, variants: Boxes, spare: tuple[str, ...]
) -> None:
    (said,), (mending,) = told(FIGURE | variants, tmp_path)
    names = ", ".join(f"'{name}'" for name in variants)
    line = ", ".join(f'"{name}"' for name in spare)
    first = next(iter(variants))
    assert said == (
        f"hero.obj shows {len(variants)} variants in one place ({names}): "
        f"\"drop\": [{line}] in its manifest line keeps '{first}'"
    )
    assert (mending.key, mending.value) == ("drop", spare)


@pytest.mark.parametrize(
    "parts",
    [
        {"Hair_A": FRONT, "Hair_B": BACK},
        {"Hair_01": CAP, "Hair_02": box((0.1, -0.1, 2.0), (0.1, 0.1, 0.1))},
        {"Hair_L": CAP, "Hair_R": CAP},
        {"Hair_Front": CAP, "Hair_Back": FULLER},
        {"Hair": CAP, "Hair.001": FULLER},
        {"Shirt": CAP, "Coat": FULLER},
        {"Body_1": CAP, "Body_2": FULLER},
    ],
    ids=" ".join,
)
def test_pieces_layers_and_sides_are_no_variants(tmp_path: Path, parts: Boxes) -> None:
    assert told(FIGURE | parts, tmp_path) == ((), ())


def test_what_materials_part_is_no_variant(tmp_path: Path) -> None:
    strips = [box((x, -0.1, 1.85), (0.05, 0.36, 0.3))[0] for x in np.arange(-0.2, 0.2, 0.05)]
    assert told(FIGURE | {"Hair_1": strips[::2], "Hair_2": strips[1::2]}, tmp_path) == ((), ())
