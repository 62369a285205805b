"""LPIPS and CLIP by the packages that people compare with: `lpips` and `open_clip_torch`.

- LPIPS: AlexNet, version 0.1, between a result and Y*.
- CLIP: cosine of the embeddings of a result and Y* by OpenAI's ViT-B/32.

Pictures are whole frames, composited on white. The packages download their weights once into their own caches; a score
that cannot be had is absent, and a sentence says why.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from specsia_build.dravie.metrics import on_white
from specsia_build.errors import brief

Pixels = Tensor
"""(1, 3, H, W) uint8."""


class Perceptual(NamedTuple):
    """The networks that could be had; None for those that could not."""

    lpips: Callable[[Pixels, Pixels], float] | None = None
    clip: Callable[[Pixels], Tensor] | None = None

    @torch.inference_mode()
    def compare(self, result: NDArray[np.uint8], truth: NDArray[np.uint8]) -> dict[str, float]:
        """`lpips` and `clip` of a result and Y*, (H, W, 4) uint8 each, as far as they can be had."""
        scores = {}
        if self.lpips is not None:
            scores["lpips"] = self.lpips(_pixels(result), _pixels(truth))
        if self.clip is not None:
            embedded = self.clip(_pixels(result)), self.clip(_pixels(truth))
            scores["clip"] = float(torch.nn.functional.cosine_similarity(*embedded))
        return scores


def _pixels(picture: NDArray[np.uint8]) -> Pixels:
    return torch.from_numpy((on_white(picture) * 255 + 0.5).astype(np.uint8)).permute(2, 0, 1)[None]


def _lpips(device: torch.device) -> Callable[[Pixels, Pixels], float]:
    import lpips

    network: Any = lpips.LPIPS(net="alex", verbose=False).eval().to(device)
    return lambda one, two: float(network(*(pixels.to(device).float() / 127.5 - 1 for pixels in (one, two))))


def _clip(device: torch.device) -> Callable[[Pixels], Tensor]:
    import open_clip

    model, _, prepare = open_clip.create_model_and_transforms("ViT-B-32-quickgelu", pretrained="openai")
    model = model.eval().to(device)

    def embed(pixels: Pixels) -> Tensor:
        image = Image.fromarray(pixels[0].permute(1, 2, 0).numpy())
        embedded: Tensor = model.encode_image(prepare(image)[None].to(device))
        return embedded

    return embed


def find_perceptual(device: torch.device) -> tuple[Perceptual, tuple[str, ...]]:
    """The networks whose packages and weights can be had, and for each other one a sentence that says why not."""
    makers: dict[str, Callable[[torch.device], Any]] = {"lpips": _lpips, "clip": _clip}
    networks: dict[str, Any] = {}
    notes = []
    for score, make in makers.items():
        try:
            networks[score] = make(device)
        # Without a network, packages raise whatever their downloads stumble over.
        except Exception as error:
            notes.append(f"{score.upper()} is absent ({brief(str(error), 100)}): pip install 'specsia[metrics]'.")
    return Perceptual(**networks), tuple(notes)
