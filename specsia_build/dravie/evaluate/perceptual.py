"""Scores by networks that others trained: FID and KID by Inception, LPIPS by AlexNet, CLIP by ViT-B/32.

Inception is the one that FID is defined with, LPIPS version 0.1, and CLIP OpenAI's. They see whole frames on
white. Weights are tensors alone: safetensors, or files that torch reads with `weights_only`.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from specsia_build.arrays import Doubles, Pixels
from specsia_build.dravie.metrics import levels_on_white
from specsia_build.errors import SpecsiaError, brief
from specsia_build.extras import how_to_add
from specsia_build.pictures.films import on_white

INCEPTION_URL = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth"
)
ALEXNET_URL = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
CLIP_FILE = "open_clip_model.safetensors"  # Name of OpenAI's weights at timm/vit_base_patch32_clip_224.openai
INCEPTION = "FID and KID"
LPIPS, CLIP = "LPIPS", "CLIP"
INCEPTION_WIDTH = 2048  # Features of a picture by Inception

Network = Callable[[Sequence[Pixels]], NDArray[Any]]
"""Maps pictures (H, W, 4) uint8 to features (N, D) float64; LPIPS maps N pairs of pictures to (N,)."""

Networks = Mapping[str, Callable[..., NDArray[Any]]]
"""Networks by `INCEPTION`, `LPIPS` and `CLIP`; those without weights are absent."""


def stored_weights(folder: Path | None, url: str) -> dict[str, Tensor]:
    """Read the weights that a URL's file holds, from a folder, or downloaded once into torch's cache.

    Raises `SpecsiaError` if the folder lacks them.
    """
    name = url.rsplit("/", 1)[1]
    path = (folder or Path(torch.hub.get_dir()) / "checkpoints") / name
    if not path.is_file():
        if folder is not None:
            raise SpecsiaError(f"{folder} holds no {name}, which {url} has")
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = path.stem.rsplit("-", 1)[1]
        torch.hub.download_url_to_file(url, str(path), prefix, progress=False)
    weights: dict[str, Tensor] = torch.load(path, "cpu", weights_only=True)
    return weights


@torch.inference_mode()
def _batches(network: Callable[[Tensor], Tensor], device: torch.device, pictures: Sequence[Any]) -> Doubles:
    rows = [network(picture[None].to(device)).double().cpu() for picture in pictures]
    return torch.cat(rows).numpy()


def _inception(device: torch.device, folder: Path | None) -> Network:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    # It unpickles whatever file it is given, so it gets one that holds tensors alone.
    torch.save(stored_weights(folder, INCEPTION_URL), stream := io.BytesIO())
    stream.seek(0)
    network: Any = FeatureExtractorInceptionV3("inception", [str(INCEPTION_WIDTH)], stream).to(device)

    def features(pictures: Sequence[Pixels]) -> Doubles:
        tensors = [torch.from_numpy(on_white(p)).permute(2, 0, 1) for p in pictures]
        return _batches(lambda batch: network(batch)[0], device, tensors)

    return features


def _lpips(device: torch.device, folder: Path | None) -> Callable[..., Doubles]:
    import lpips

    weights = stored_weights(folder, ALEXNET_URL)
    network: Any = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False).eval().to(device)
    for name, tensor in network.net.named_parameters():
        tensor.data.copy_(weights[f"features.{name.partition('.')[2]}"])

    def distances(ours: Sequence[Pixels], truths: Sequence[Pixels]) -> Doubles:
        both = [np.stack(list(map(levels_on_white, pair))) for pair in zip(ours, truths, strict=True)]
        tensors = [torch.from_numpy(2 * pair - 1).permute(0, 3, 1, 2) for pair in both]
        return _batches(lambda pair: network(pair[:, 0], pair[:, 1]).reshape(1), device, tensors)

    return distances


def _clip(device: torch.device, folder: Path | None) -> Network:
    import open_clip

    path = None if folder is None else folder / CLIP_FILE
    if path is not None and not path.is_file():
        raise SpecsiaError(f"{folder} holds no {CLIP_FILE}, which timm/vit_base_patch32_clip_224.openai has")
    pretrained = "openai" if path is None else str(path)
    model, _, prepare = open_clip.create_model_and_transforms("ViT-B-32-quickgelu", pretrained=pretrained)
    model = model.eval().to(device)

    def embeddings(pictures: Sequence[Pixels]) -> Doubles:
        tensors = [prepare(Image.fromarray(on_white(picture))) for picture in pictures]
        rows = _batches(model.encode_image, device, tensors)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))

    return embeddings


def find_networks(device: torch.device, folder: Path | None = None) -> tuple[Networks, tuple[str, ...]]:
    """Load the networks, and return a sentence for each that is not available.

    Weights are those of `folder`; without one, they are downloaded once.
    """
    networks, notes = {}, []
    for name, load in {INCEPTION: _inception, LPIPS: _lpips, CLIP: _clip}.items():
        try:
            networks[name] = load(device, folder)
        # Packages raise many kinds of errors for what they lack, cannot download or cannot read.
        except Exception as error:
            why = brief(str(error), 160)
            cure = "" if isinstance(error, SpecsiaError) else f": {how_to_add('metrics')}"
            notes.append(f"{name}: not run ({why}){cure}.")
    return networks, tuple(notes)


@dataclass(frozen=True)
class Targets:
    """What the results of a character's views, or of a clip's frames, are compared with by the networks.

    Attributes:
        truths: Y* of each, in their order, (H, W, 4) uint8.
        drawing: Y* of the frontal view.
    """

    networks: Networks
    truths: Sequence[Pixels]
    drawing: Pixels

    @cached_property
    def _embeddings(self) -> Doubles:
        return self.networks[CLIP]([*self.truths, self.drawing])

    @cached_property
    def features(self) -> Doubles:
        """Features (N, D) of Y* by Inception."""
        return self.networks[INCEPTION](self.truths)

    def scores(self, results: Sequence[Pixels]) -> list[dict[str, float]]:
        """Score results by LPIPS and CLIP, where these networks are at hand.

        CLIP is the cosine with Y*, with the drawing, and of each frame with the next, which the last has not.
        """
        scores: list[dict[str, float]] = [{} for _ in results]
        if LPIPS in self.networks:
            for values, distance in zip(scores, self.networks[LPIPS](results, self.truths), strict=True):
                values["lpips"] = float(distance)
        if CLIP in self.networks:
            ours, drawing = self.networks[CLIP](results), self._embeddings[-1]
            for values, own, true in zip(scores, ours, self._embeddings, strict=False):
                values |= {"clip": float(own @ true), "clip_drawing": float(own @ drawing)}
            for values, (own, following) in zip(scores, pairwise(ours), strict=False):
                values["clip_next"] = float(own @ following)
        return scores
