"""The losses, and what stands in for VGG where its weights cannot be had."""

from __future__ import annotations

from urllib.error import URLError

import numpy as np
import pytest
import torch

from specsia_build.dravie.config import ModelConfig
from specsia_build.dravie.data.encoding import encode_input
from specsia_build.dravie.metrics import on_black, on_white
from specsia_build.dravie.model.losses import (
    Features,
    discriminator_loss,
    find_features,
    generator_loss,
    gradient_loss,
    on_both_grounds,
)
from specsia_build.errors import UsageError


def _weights() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    weights = {n: torch.randn(t.shape, generator=generator) for n, t in Features().state_dict().items()}
    return weights | {"features.7.weight": torch.zeros(128, 128, 3, 3), "classifier.0.bias": torch.zeros(4)}


def test_both_grounds_are_what_a_picture_shows_on_white_and_on_black() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (8, 8, 4), np.uint8)
    target = encode_input(picture, picture, ModelConfig(with_pos=False))
    shown = on_both_grounds(torch.from_numpy(target).permute(2, 0, 1)[None])
    wanted = np.concatenate((on_white(picture), on_black(picture)), axis=2) * 2 - 1
    np.testing.assert_allclose(shown[0].permute(1, 2, 0).numpy(), wanted, atol=1e-5)


def test_gradients_do_not_see_a_constant() -> None:
    picture = torch.rand(2, 4, 8, 8)
    assert gradient_loss(picture + 0.5, picture) < 1e-6
    assert gradient_loss(-picture, picture) > 0.1


def test_lsgan_wants_one_of_real_patches_and_zero_of_painted_ones() -> None:
    assert generator_loss(torch.ones(2, 1, 6, 6)) == 0
    assert discriminator_loss(torch.cat((torch.ones(2, 1), torch.zeros(2, 1)))) == 0
    assert discriminator_loss(torch.cat((torch.zeros(2, 1), torch.ones(2, 1)))) == 2


def test_vgg_is_read_under_torchvisions_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda *_, **__: _weights())
    features = find_features("vgg19")
    assert features is not None
    assert torch.equal(features.state_dict()["features.2.weight"], _weights()["features.2.weight"])
    assert not any(p.requires_grad for p in features.parameters())
    picture = torch.rand(2, 3, 32, 32)
    assert features.loss(picture, picture) == 0
    assert features.loss(picture, picture.flip(3)) > 0


def test_features_without_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = find_features("random"), find_features("random")
    assert one is not None and two is not None and find_features("none") is None
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))

    def fail(*args: object, **kwargs: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fail)
    with pytest.raises(UsageError, match="vgg19"):
        find_features("vgg19")
