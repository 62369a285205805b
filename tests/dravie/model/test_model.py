"""The networks: shapes, ranges, and how far a pixel reaches."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import nn
from torch.nn import functional

from specsia_build.dravie.config import Architecture, ModelConfig
from specsia_build.dravie.data.encoding import input_channels
from specsia_build.dravie.model.networks import GEOMETRY, Paper, build_generator


def _generator(architecture: Architecture, with_pos: bool = True) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return build_generator(ModelConfig(architecture, with_pos)).eval()


def _picture(height: int, width: int, channels: int = 7) -> torch.Tensor:
    return torch.rand(1, channels, height, width, generator=torch.Generator().manual_seed(height)) * 2 - 1


@pytest.mark.parametrize("architecture", get_args(Architecture))
@pytest.mark.parametrize("with_pos", [True, False])
@pytest.mark.parametrize("shape", [(32, 32), (37, 50), (1, 9)])
def test_any_size_gives_four_channels(architecture: Architecture, with_pos: bool, shape: tuple[int, int]) -> None:
    with torch.inference_mode():
        painted = _generator(architecture, with_pos)(_picture(*shape, input_channels(ModelConfig(with_pos=with_pos))))
    assert painted.shape == (1, 4, *shape)
    assert painted.abs().max() <= 1


@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_no_pixel_reaches_farther_than_tiles_overlap(architecture: Architecture) -> None:
    model, reach = _generator(architecture), GEOMETRY[architecture].reach
    # A low frame reaches as far along it as a square one, at a fraction of the work.
    seen = _picture(8, 200)
    changed = seen.clone()
    changed[..., 101] += 0.5
    with torch.inference_mode():
        columns = (model(seen) != model(changed)).any(1)[0].any(0).nonzero()
    assert reach / 2 < (columns - 101).abs().max() <= reach


@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_a_window_on_the_grid_paints_the_same(architecture: Architecture) -> None:
    model, geometry = _generator(architecture), GEOMETRY[architecture]
    seen = _picture(8, 200)
    skip = geometry.multiple * 3
    with torch.inference_mode():
        whole, part = model(seen)[..., skip:], model(seen[..., skip:])
    assert torch.allclose(whole[..., geometry.reach :], part[..., geometry.reach :], atol=1e-5)
    assert not torch.allclose(whole[..., :8], part[..., :8], atol=1e-3)


def test_the_paper_model_is_the_published_one_in_size() -> None:
    model = _generator("paper")
    assert isinstance(model, Paper)
    assert 3.27e6 < sum(p.numel() for p in model.parameters()) < 3.3e6
    assert sum(isinstance(m, nn.BatchNorm2d) for m in model.modules()) == 13


def test_enlarging_is_a_convolution_of_the_repeated_picture() -> None:
    model = _generator("paper")
    assert isinstance(model, Paper)
    layer = model.up1[0]
    assert isinstance(layer, nn.Conv2d)
    seen = torch.randn(2, layer.in_channels, 5, 7)
    plain = functional.conv2d(functional.interpolate(seen, scale_factor=2.0), layer.weight, layer.bias, padding=1)
    assert torch.allclose(layer(seen), plain, atol=1e-4)
