"""LPIPS and CLIP: absent where they cannot be had, and what they are where they can."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from specsia_build.dravie.evaluate import perceptual
from specsia_build.dravie.evaluate.perceptual import Perceptual, find_perceptual, perceptual_scores
from tests.dravie.drawn import drawn_pair

CPU = torch.device("cpu")

RGBS = [(200, 0, 0), (90, 90, 0)]


@pytest.mark.parametrize("error", [ImportError("no such package"), OSError("no route to host")])
def test_what_cannot_be_had_is_absent_and_said(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(_: torch.device) -> None:
        raise error

    for name in ("_lpips", "_clip"):
        monkeypatch.setattr(perceptual, name, fail)
    networks, notes = find_perceptual(CPU)
    picture = drawn_pair().gt
    assert networks == {} and len(notes) == 2 and all(str(error) in note for note in notes)
    assert perceptual_scores(networks, picture, picture) == {}


def test_scores_of_networks() -> None:
    networks: Perceptual = {"lpips": lambda one, two: float(np.abs(one - two).mean())}
    pair = drawn_pair()
    assert perceptual_scores(networks, pair.gt, pair.gt) == {"lpips": 0}
    assert perceptual_scores(networks, pair.z, pair.gt)["lpips"] > 0


def test_clip_is_the_cosine_of_embeddings(monkeypatch: pytest.MonkeyPatch) -> None:
    class Model(torch.nn.Module):
        def encode_image(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean((2, 3))

    parts = (Model(), None, lambda image: torch.from_numpy(np.array(image, np.float32)).permute(2, 0, 1))
    monkeypatch.setitem(sys.modules, "open_clip", SimpleNamespace(create_model_and_transforms=lambda *_, **__: parts))
    monkeypatch.setattr(perceptual, "_lpips", lambda _: lambda one, two: 0.0)
    networks, notes = find_perceptual(CPU)
    red, yellow = (np.full((4, 4, 3), rgb, np.float32) / 255 for rgb in RGBS)
    assert notes == ()
    assert networks["clip"](red, red) == pytest.approx(1)
    assert networks["clip"](red, yellow) == pytest.approx(0.5**0.5)
