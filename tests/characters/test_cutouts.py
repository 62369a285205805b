"""Opacity of an image beside that of a colour."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from specsia_build.characters.cutouts import Channel, opacity_in, with_opacity


def image(grey: int, alpha: int) -> NDArray[np.uint8]:
    return np.full((2, 2, 4), (grey, grey, grey, alpha), np.uint8)


@pytest.mark.parametrize(
    ("grey", "alpha", "channel", "expected"),
    [
        (90, 255, "either", 90),
        (90, 30, "either", 30),
        (90, 30, "color", 90),
        (90, 255, "alpha", 255),
    ],
)
def test_the_channel_of_an_image_that_is_its_opacity(grey: int, alpha: int, channel: Channel, expected: int) -> None:
    assert (opacity_in(image(grey, alpha), channel) == expected).all()
    assert (opacity_in(image(grey, alpha), channel, turned=True) == 255 - expected).all()


def test_the_larger_of_colour_and_opacity_keeps_its_details() -> None:
    strands = np.array([[0, 255, 0, 255]] * 4, np.uint8)
    found = with_opacity(image(90, 255)[:1, :1], strands)
    assert (found[..., 3] == strands).all()
    assert (found[..., :3] == 90).all()
    colours = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    cut = with_opacity(np.dstack([colours, np.full((4, 4), 255, np.uint8)]), np.full((2, 2), 128, np.uint8))
    assert (cut[..., :3] == colours).all()
    assert (cut[..., 3] == 128).all()
    assert (with_opacity(None, strands)[..., :3] == 255).all()
