"""What the network sees: exact ends, white background, and the way back."""

from __future__ import annotations

import numpy as np
import pytest

from specsia_build.dravie.config import ModelConfig
from specsia_build.dravie.data.encoding import decode_output, encode_input


def _picture(
    rng: np.random.Generator, height: int = 20, width: int = 30
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    picture = rng.integers(0, 256, (height, width, 4), dtype=np.uint8)
    picture[:5, :, 3], picture[5:15, :, 3] = 0, 255
    picture[picture[..., 3] == 0] = 0
    return picture


def test_the_input_is_z_on_white_then_its_mask_then_the_position() -> None:
    z, pos = np.zeros((2, 1, 4), np.uint8), np.zeros((2, 1, 4), np.uint8)
    z[0, 0], pos[0, 0] = (255, 0, 51, 255), (0, 255, 102, 255)
    seen = encode_input(z, pos, ModelConfig())
    assert seen.dtype == np.float32
    assert seen[0, 0].tolist() == pytest.approx([1, -1, -0.6, 1, -1, 1, -0.2])
    assert seen[1, 0].tolist() == [1, 1, 1, -1, -1, -1, -1]
    assert encode_input(z[1:], pos[:1], ModelConfig())[0, 0, 4:].tolist() == [-1, -1, -1]
    assert np.array_equal(encode_input(z, pos, ModelConfig(with_pos=False)), seen[..., :4])


def test_a_target_decodes_to_its_picture() -> None:
    gt = _picture(np.random.default_rng(0))
    back = decode_output(encode_input(gt, gt, ModelConfig(with_pos=False)))
    assert back.dtype == np.uint8
    assert np.array_equal(back, gt)


def test_what_a_network_overdoes_is_clipped_and_nothing_has_no_colour() -> None:
    painted = np.array([[[5, -5, 0, 5], [0, 0, 0, -5]]], np.float32)
    assert decode_output(painted).tolist() == [[[255, 0, 128, 255], [0, 0, 0, 0]]]
