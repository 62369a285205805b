"""LPIPS and CLIP: compare whole frames on white by networks, whose packages download their weights once.

LPIPS is AlexNet's, version 0.1; CLIP is the cosine of the embeddings of a result and Y* by OpenAI's ViT-B/32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from specsia_build.dravie.metrics import on_white
from specsia_build.errors import brief
from specsia_build.films import Pixels

Metric = Callable[[NDArray[Any], NDArray[Any]], float]

Perceptual = Mapping[str, Metric]
"""Scores of a result and Y*, (H, W, 3) float32 in [0, 1] each, by `lpips` and `clip`; absent where not available."""


@torch.inference_mode()
def perceptual_scores(networks: Perceptual, result: Pixels, truth: Pixels) -> dict[str, float]:
    """Compute the available scores of a result and Y*, (H, W, 4) uint8 each."""
    return {name: score(on_white(result), on_white(truth)) for name, score in networks.items()}


def _lpips(device: torch.device) -> Metric:
    import lpips

    network: Any = lpips.LPIPS(net="alex", verbose=False).eval().to(device)

    def score(*pictures: NDArray[Any]) -> float:
        return float(network(*(torch.from_numpy(2 * p - 1).permute(2, 0, 1)[None].to(device) for p in pictures)))

    return score


def _clip(device: torch.device) -> Metric:
    import open_clip

    model, _, prepare = open_clip.create_model_and_transforms("ViT-B-32-quickgelu", pretrained="openai")
    model = model.eval().to(device)

    def embedded(picture: NDArray[Any]) -> Tensor:
        image = Image.fromarray((picture * 255 + 0.5).astype("uint8"))
        embedding: Tensor = model.encode_image(prepare(image)[None].to(device))
        return embedding

    return lambda one, two: float(torch.nn.functional.cosine_similarity(embedded(one), embedded(two)))


def find_perceptual(device: torch.device) -> tuple[Perceptual, tuple[str, ...]]:
    """Load the networks, and return a sentence for each that is not available."""
    networks, notes = {}, []
    for score, load in {"lpips": _lpips, "clip": _clip}.items():
        try:
            networks[score] = load(device)
        # Packages raise many kinds of errors where they cannot download.
        except Exception as error:
            notes.append(f"{score.upper()} is absent ({brief(str(error), 100)}): pip install 'specsia[metrics]'.")
    return networks, tuple(notes)
