"""Flicker of clips, and LPIPS and CLIP by the packages that people compare with.

Flicker follows points of the surface by Zpos, in which a point has the same colour in every frame of a clip. LPIPS is
AlexNet's, version 0.1; CLIP is the cosine of the embeddings of a result and Y* by OpenAI's ViT-B/32. Both see whole
frames on white. Their packages download weights once; a score that is not available is absent, and a note says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import scipy
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from specsia_build.dataset.pairs import Pair
from specsia_build.dravie.metrics import on_white
from specsia_build.errors import brief
from specsia_build.films import Pixels

ROUNDING = 1.0  # Largest difference of a point's Zpos in two frames, in levels, besides half of what a pixel spans


class Step(NamedTuple):
    """Pixels of a frame and of the next that show the same points: (N,) int32 each, counted along the rows."""

    here: NDArray[np.int32]
    there: NDArray[np.int32]


def follow(here: Pixels, there: Pixels) -> Step:
    """Match the wholly covered pixels of a Zpos (H, W, 4) uint8 with the pixels of another that show the same points.

    Each is matched with the pixel that is nearest by position; pixels whose points the other does not show are left
    out.
    """
    pixels, others = (np.flatnonzero(pos[..., 3] == 255).astype(np.int32) for pos in (here, there))
    if not len(pixels) or not len(others):
        return Step(pixels[:0], others[:0])
    levels = there[..., :3].astype(np.float32)
    reach = _span(levels, np.asarray(there[..., 3] == 255)).ravel()[others] / 2 + ROUNDING
    apart, nearest = scipy.spatial.cKDTree(levels.reshape(-1, 3)[others]).query(here.reshape(-1, 4)[pixels, :3])
    nearest = np.asarray(nearest)
    seen = np.asarray(apart <= reach[nearest])
    return Step(pixels[seen], others[nearest[seen]])


def _span(positions: NDArray[np.float32], covered: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance (H, W) of positions (H, W, 3) from those of the nearer covered neighbour, summed over both axes.

    The nearer, because positions jump across a fold, which is on one side only.
    """
    total = np.zeros(covered.shape, np.float32)
    for axis in (0, 1):
        levels, inside = np.swapaxes(positions, 0, axis), np.swapaxes(covered, 0, axis)
        apart = np.linalg.norm(np.diff(levels, axis=0), axis=-1)
        apart[~(inside[1:] & inside[:-1])] = np.inf
        least = np.full(inside.shape, np.inf, np.float32)
        least[:-1] = apart
        least[1:] = np.minimum(least[1:], apart)
        total += np.swapaxes(np.where(np.isfinite(least), least, 0), 0, axis)
    return total


def steps_between(pairs: Sequence[Pair]) -> list[Step]:
    """Match each frame of a clip with the next; empty for views."""
    nothing = np.zeros(0, np.int32)
    return [
        follow(pair.pos, other.pos) if other.frame == pair.frame + 1 else Step(nothing, nothing)
        for pair, other in pairwise(pairs)
        if pair.frame is not None
    ]


def clip_flicker(results: Sequence[Pixels], truths: Sequence[Pixels], steps: Sequence[Step]) -> float | None:
    """Mean absolute difference between the change of a result from frame to frame at a point and that of Y*, 0…1.

    Args:
        results, truths: T frames (H, W, 4) uint8 of a clip, in order.
        steps: T - 1, from each to the next.

    Returns:
        None where no point is seen in two frames.
    """
    total, count = 0.0, 0
    for k, step in enumerate(steps):
        changes = [
            on_white(frames[k + 1]).reshape(-1, 3)[step.there] - on_white(frames[k]).reshape(-1, 3)[step.here]
            for frames in (results, truths)
        ]
        total += float(np.abs(changes[0] - changes[1]).sum(dtype=np.float64))
        count += 3 * len(step.here)
    return total / count if count else None


Perceptual = Mapping[str, Callable[[Tensor, Tensor], float]]
"""Scores of a result and Y*, (1, 3, H, W) uint8 each, by `lpips` and `clip`; absent where one is not available."""


@torch.inference_mode()
def perceptual_scores(networks: Perceptual, result: Pixels, truth: Pixels) -> dict[str, float]:
    """Compute the available scores of a result and Y*, (H, W, 4) uint8 each."""
    return {name: score(_on_white(result), _on_white(truth)) for name, score in networks.items()}


def _on_white(picture: Pixels) -> Tensor:
    return torch.from_numpy((on_white(picture) * 255 + 0.5).astype(np.uint8)).permute(2, 0, 1)[None]


def _lpips(device: torch.device) -> Callable[[Tensor, Tensor], float]:
    import lpips

    network: Any = lpips.LPIPS(net="alex", verbose=False).eval().to(device)
    return lambda one, two: float(network(*(pixels.to(device).float() / 127.5 - 1 for pixels in (one, two))))


def _clip(device: torch.device) -> Callable[[Tensor, Tensor], float]:
    import open_clip

    model, _, prepare = open_clip.create_model_and_transforms("ViT-B-32-quickgelu", pretrained="openai")
    model = model.eval().to(device)

    def embed(pixels: Tensor) -> Tensor:
        image = Image.fromarray(pixels[0].permute(1, 2, 0).numpy())
        embedded: Tensor = model.encode_image(prepare(image)[None].to(device))
        return embedded

    return lambda one, two: float(torch.nn.functional.cosine_similarity(embed(one), embed(two)))


def find_perceptual(device: torch.device) -> tuple[Perceptual, tuple[str, ...]]:
    """Load the networks, and return a sentence for each that is not available."""
    networks = {}
    notes = []
    for score, load in {"lpips": _lpips, "clip": _clip}.items():
        try:
            networks[score] = load(device)
        # Packages raise many kinds of errors where they cannot download.
        except Exception as error:
            notes.append(f"{score.upper()} is absent ({brief(str(error), 100)}): pip install 'specsia[metrics]'.")
    return networks, tuple(notes)
