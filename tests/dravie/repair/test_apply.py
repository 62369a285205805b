"""Repair whole frames: no seams, any size, nothing painted far from Z."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
import scipy
import torch
from numpy.testing import assert_array_equal

from specsia_build.dravie.config import Architecture, ModelConfig, Reference
from specsia_build.dravie.data.encoding import encode_input
from specsia_build.dravie.drawing import NOWHERE, Drawing
from specsia_build.dravie.model.networks import Generator, build_generator
from specsia_build.dravie.repair import apply
from specsia_build.dravie.repair.apply import FARTHEST_PAINT, SOFT, paint, repair
from specsia_build.errors import SpecsiaError
from specsia_build.rendering.contour import draw_contour
from specsia_build.rendering.ink import Ink
from tests.dravie.pairs import drawn_pair


def generator(config: ModelConfig) -> Generator:
    """Lively weights, so that what a pixel sees matters."""
    torch.manual_seed(0)
    network = build_generator(config).eval()
    for name, weight in network.named_parameters():
        if weight.ndim == 4 and not name.startswith("head"):
            torch.nn.init.kaiming_normal_(weight)
    torch.nn.init.normal_(network.get_parameter("head.weight"), std=0.02)
    return Generator(network, config)


class Painter(torch.nn.Module):
    """Gives what a function makes of its input (1, C, H, W)."""

    def __init__(self, paint: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.forward = paint


def painter(paint: Callable[[torch.Tensor], torch.Tensor], reference: Reference = "none") -> Generator:
    return Generator(Painter(paint), ModelConfig(reference=reference))


@pytest.mark.parametrize("architecture", ["tiny", "paper"])
def test_tiles_without_seams(architecture: Architecture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "computes_in_bf16", lambda device: False)
    config = ModelConfig(architecture)
    model = generator(config)
    pair = drawn_pair(size=200)
    seen = encode_input(pair.z, pair.pos, config)[70:118, 3:]
    whole = paint(model, seen, tile=400)
    tiled = paint(model, seen, tile=104)
    assert whole.std() > 0.02
    np.testing.assert_allclose(tiled, whole, atol=2e-5)


def test_any_size_with_and_without_drawing() -> None:
    for reference in get_args(Reference):
        model = generator(ModelConfig("tiny", reference))
        for shape in ((33, 47), (64, 9), (1, 1)):
            assert not repair(model, *np.zeros((2, *shape, 4), np.uint8)).any()
            z = np.full((*shape, 4), 200, np.uint8)
            result = repair(model, z, z)
            assert result.shape == z.shape and result.dtype == np.uint8
            assert not result[result[..., 3] == 0].any()


def test_distant_pixels_do_not_matter() -> None:
    config = ModelConfig("tiny")
    model, pair = generator(config), drawn_pair()
    large = np.zeros((400, 500, 4), np.uint8)
    pos = large.copy()
    large[160:256, 240:336], pos[160:256, 240:336] = pair.z, pair.pos
    near = repair(model, pair.z, pair.pos)
    result = repair(model, large, pos)
    assert np.abs(result[208, 280:296].astype(int) - near[48, 40:56]).max() <= 1
    rows, columns = np.flatnonzero(large.any(axis=(1, 2))), np.flatnonzero(large.any(axis=(0, 2)))
    assert (
        not result[: rows[0] - FARTHEST_PAINT].any()
        and not result[:, columns[-1] + FARTHEST_PAINT + 1 :].any()
    )


def test_painting_stays_near_the_figure() -> None:
    z = np.zeros((120, 200, 4), np.uint8)
    z[50:60, 30:40] = z[55, 150] = 255
    near = np.zeros((120, 200), np.bool_)
    near[50 - FARTHEST_PAINT : 60 + FARTHEST_PAINT, 30 - FARTHEST_PAINT : 40 + FARTHEST_PAINT] = True
    near[55 - FARTHEST_PAINT : 56 + FARTHEST_PAINT, 150 - FARTHEST_PAINT : 151 + FARTHEST_PAINT] = True
    result = repair(painter(lambda x: torch.ones_like(x[:, :4])), z, z)
    assert_array_equal(result, np.repeat(255 * near[..., None], 4, axis=2))


def test_no_haze_around_figure() -> None:
    def haze(x: torch.Tensor) -> torch.Tensor:
        out = torch.full_like(x[:, :4], -0.4)
        out[:, :, 20:23, 40:50] = out[:, :, 44:48, 36:46] = 1.0
        return out

    z = np.zeros((80, 80, 4), np.uint8)
    z[30:44, 30:50] = 255
    alpha = repair(painter(haze), z, z)[..., 3]
    figure = np.zeros((80, 80), np.bool_)
    figure[30:44, 30:50] = figure[44:48, 36:46] = True
    soft = scipy.ndimage.binary_dilation(figure, np.ones((2 * SOFT + 1, 2 * SOFT + 1), np.bool_))
    assert_array_equal(alpha > 0, soft)
    assert (alpha[44:48, 36:46] == 255).all()


def test_missing_line_in_drawings_style() -> None:
    grey = painter(
        lambda x: torch.where(torch.arange(x.shape[-1]) < 40, 0.0 * x[:, :4] - 0.2, -1.0), "drawing"
    )
    pair = drawn_pair()
    lined = draw_contour(pair.z, pair.z[..., 3], 2, 20)
    result = repair(grey, pair.z, pair.pos, Drawing(*NOWHERE, Ink.of_one(2, (20, 20, 20))))
    without = repair(grey, pair.z, pair.pos)
    assert not without[:, 40:].any()
    assert_array_equal(result[:, 40:, 3], (lined[..., 3] - pair.z[..., 3])[:, 40:])
    assert (result[:, 40:, :3][result[:, 40:, 3] > 0] == 20).all()
    opaque = without[..., 3] == 255
    assert_array_equal(result[opaque], without[opaque])


def test_wide_line_of_several_colours() -> None:
    """At its full width, though the network is told of 4 pixels, and in the colour of the figure beside
    it."""
    told: list[torch.Tensor] = []

    def nothing(x: torch.Tensor) -> torch.Tensor:
        told.append(x)
        return torch.cat((0 * x[:, :3] + 1, 0 * x[:, :1] - 1), 1)

    z = np.zeros((100, 100, 4), np.uint8)
    z[40:60, 40:50] = (200, 0, 0, 255)
    z[40:60, 50:60] = (0, 0, 200, 255)
    ink = Ink(12, z[[40, 40], [45, 55], :3], np.array([[90, 0, 0], [0, 0, 90]], np.uint8))
    result = repair(painter(nothing, "drawing"), z, z, Drawing(*NOWHERE, ink))
    assert_array_equal(result[50, [27, 28, 39, 40, 59, 60, 71, 72], 3], [0, 255, 255, 0, 0, 255, 255, 0])
    assert_array_equal(result[50, 28:40, :3], np.repeat([[90, 0, 0]], 12, 0))
    assert_array_equal(result[50, 60:72, :3], np.repeat([[0, 0, 90]], 12, 0))
    (x,) = told
    assert torch.allclose(x[0, 19], torch.tensor(4 * 60 / 127.5 - 1))
    assert torch.allclose(x[0, 20:, :, 0].mT, torch.tensor([90, 0, 0]) / 127.5 - 1)


def test_too_little_memory() -> None:
    def short(_: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError

    pair = drawn_pair()
    with pytest.raises(SpecsiaError, match="--device cpu"):
        repair(painter(short), pair.z, pair.pos)
