"""LPIPS and CLIP: absent where they cannot be had, and what they are where they can."""

from __future__ import annotations

import pytest
import torch

from specsia_build.dravie import metrics
from specsia_build.dravie.metrics import Perceptual, find_perceptual, perceptual_scores
from tests.dravie.drawn import drawn_pair

CPU = torch.device("cpu")


@pytest.mark.parametrize("error", [ImportError("no such package"), OSError("no route to host")])
def test_what_cannot_be_had_is_absent_and_said(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(_: torch.device) -> None:
        raise error

    for name in ("_lpips", "_clip"):
        monkeypatch.setattr(metrics, name, fail)
    networks, notes = find_perceptual(CPU)
    picture = drawn_pair().gt
    assert networks == {} and len(notes) == 2 and all(str(error) in note for note in notes)
    assert perceptual_scores(networks, picture, picture) == {}


def test_scores_of_networks() -> None:
    networks: Perceptual = {"lpips": lambda one, two: float((one.float() - two.float()).abs().mean())}
    pair = drawn_pair()
    assert perceptual_scores(networks, pair.gt, pair.gt) == {"lpips": 0}
    assert perceptual_scores(networks, pair.z, pair.gt)["lpips"] > 0
