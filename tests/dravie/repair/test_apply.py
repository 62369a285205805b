"""Repair whole frames: no seams, any size, nothing painted far from Z."""

from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
import scipy
import torch
from numpy.testing import assert_array_equal

from specsia_build.arrays import Floats
from specsia_build.dravie.config import Architecture, ModelConfig, Reference
from specsia_build.dravie.data.encoding import encode_input
from specsia_build.dravie.drawing import NOWHERE, Drawing
from specsia_build.dravie.model import devices
from specsia_build.dravie.model.devices import predictor_of
from specsia_build.dravie.model.networks import Generator, build_generator
from specsia_build.dravie.model.predictor import Predictor
from specsia_build.dravie.repair.apply import FARTHEST_PAINT, SOFT, paint, repair
from specsia_build.errors import SpecsiaError
from specsia_build.rendering.contour import draw_contour
from specsia_build.rendering.ink import Ink
from tests.dravie.pairs import drawn_pair


def lively(config: ModelConfig) -> Predictor:
    """A model of large weights, so that what a pixel sees matters."""
    torch.manual_seed(0)
    network = build_generator(config).eval()
    for name, weight in network.named_parameters():
        if weight.ndim == 4 and not name.startswith("head"):
            torch.nn.init.kaiming_normal_(weight)
    torch.nn.init.normal_(network.get_parameter("head.weight"), std=0.02)
    return predictor_of(Generator(network, config))


def painter(predict: Callable[[Floats], Floats], reference: Reference = "none") -> Predictor:
    return Predictor(ModelConfig(reference=reference), predict, {})


@pytest.mark.parametrize("architecture", ["tiny", "paper"])
def test_tiles_without_seams(architecture: Architecture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "computes_in_bf16", lambda device: False)
    config = ModelConfig(architecture)
    model = lively(config)
    pair = drawn_pair(size=200)
    seen = encode_input(pair.z, pair.pos, config)[70:118, 3:]
    whole = paint(model, seen, tile=400)
    tiled = paint(model, seen, tile=104)
    assert whole.std() > 0.02
    np.testing.assert_allclose(tiled, whole, atol=2e-5)


def test_any_size_with_and_without_drawing() -> None:
    for reference in get_args(Reference):
        model = lively(ModelConfig("tiny", reference))
        for shape in ((33, 47), (64, 9), (1, 1)):
            assert not repair(model, *np.zeros((2, *shape, 4), np.uint8)).any()
            z = np.full((*shape, 4), 200, np.uint8)
            result = repair(model, z, z)
            assert result.shape == z.shape and result.dtype == np.uint8
            assert not result[result[..., 3] == 0].any()


def test_distant_pixels_do_not_matter() -> None:
    config = ModelConfig("tiny")
    model, pair = lively(config), drawn_pair()
    large = np.zeros((400, 500, 4), np.uint8)
    pos = large.copy()
    large[160:256, 240:336], pos[160:256, 240:336] = pair.z, pair.pos
    near = repair(model, pair.z, pair.pos)
    result = repair(model, large, pos)
    assert np.abs(result[208, 280:296].astype(int) - near[48, 40:56]).max() <= 1
    rows, columns = np.flatnonzero(large.any(axis=(1, 2))), np.flatnonzero(large.any(axis=(0, 2)))
    assert not result[: rows[0] - FARTHEST_PAINT].any()
    assert not result[:, columns[-1] + FARTHEST_PAINT + 1 :].any()


def test_painting_stays_near_the_figure() -> None:
    z = np.zeros((120, 200, 4), np.uint8)
    z[50:60, 30:40] = z[55, 150] = 255
    near = np.zeros((120, 200), np.bool_)
    near[50 - FARTHEST_PAINT : 60 + FARTHEST_PAINT, 30 - FARTHEST_PAINT : 40 + FARTHEST_PAINT] = True
    near[55 - FARTHEST_PAINT : 56 + FARTHEST_PAINT, 150 - FARTHEST_PAINT : 151 + FARTHEST_PAINT] = True
    result = repair(painter(lambda x: np.ones_like(x[..., :4])), z, z)
    assert_array_equal(result, np.repeat(255 * near[..., None], 4, axis=2))


def test_no_haze_around_figure() -> None:
    def haze(x: Floats) -> Floats:
        out = np.full_like(x[..., :4], -0.4)
        out[20:23, 40:50] = out[44:48, 36:46] = 1.0
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
    def left_half(x: Floats) -> Floats:
        out = np.full_like(x[..., :4], -0.2)
        out[:, 40:] = -1
        return out

    grey = painter(left_half, "drawing")
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
    """At its full width, though the network is told of 4 pixels, in the colour that belongs beside it."""
    told: list[Floats] = []

    def nothing(x: Floats) -> Floats:
        told.append(x)
        return np.ones_like(x[..., :4]) * (1, 1, 1, -1)

    z = np.zeros((100, 100, 4), np.uint8)
    z[40:60, 40:50] = (200, 0, 0, 255)
    z[40:60, 50:60] = (0, 0, 200, 255)
    ink = Ink(12, z[[40, 40], [45, 55], :3], np.array([[90, 0, 0], [0, 0, 90]], np.uint8))
    result = repair(painter(nothing, "drawing"), z, z, Drawing(*NOWHERE, ink))
    assert_array_equal(result[50, [27, 28, 39, 40, 59, 60, 71, 72], 3], [0, 255, 255, 0, 0, 255, 255, 0])
    assert_array_equal(result[50, 28:40, :3], np.repeat([[90, 0, 0]], 12, 0))
    assert_array_equal(result[50, 60:72, :3], np.repeat([[0, 0, 90]], 12, 0))
    (x,) = told
    np.testing.assert_allclose(x[..., 19], 4 * 60 / 127.5 - 1, rtol=1e-6)
    np.testing.assert_allclose(x[:, 0, 20:] + 1, np.array([[90, 0, 0]] * len(x)) / 127.5, atol=1e-6)


def test_too_little_memory() -> None:
    class Short(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise torch.OutOfMemoryError

    pair = drawn_pair()
    model = predictor_of(Generator(Short(), ModelConfig("paper")))
    with pytest.raises(SpecsiaError, match="--device cpu"):
        repair(model, pair.z, pair.pos)
