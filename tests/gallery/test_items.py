"""What layers are called where they lie."""

from __future__ import annotations

import pytest

from specsia_build.dataset.schema import COLOR, GT, GT_MASK, POS
from specsia_build.gallery.items import CLEAN, MADE, TARGET, Side, layers_of


@pytest.mark.parametrize(
    ("sides", "names"),
    [
        ([Side(TARGET, CLEAN), Side("inflate", MADE)], ["Y*", "Z", "Zmask", "Zpos", "edge", "silhouette"]),
        ([Side(TARGET, (COLOR, GT_MASK, POS))], ["colour", "position", "silhouette"]),
        ([Side(TARGET, (GT,)), Side("raw", (COLOR,)), Side("DraViE", (COLOR,))], ["Y*", "result"]),
    ],
    ids=["what is reconstructed", "frames of a character alone", "methods"],
)
def test_only_what_is_of_a_reconstruction_is_called_z(sides: list[Side], names: list[str]) -> None:
    assert [name for name, _ in layers_of(sides).values()] == names
