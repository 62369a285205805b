"""LPIPS, CLIP and FID through the packages that people compare with: `lpips`, `open_clip_torch` and `torch-fidelity`.

Their weights are files in a folder, or downloaded once into the packages' own caches. What cannot be had is absent, and
a sentence says how to get it. Files are only ever read as plain tensors.

- LPIPS: AlexNet, version 0.1, between a result and Y*.
- CLIP: cosine of the embeddings of a result and Y* by OpenAI's ViT-B/32.
- FID: between all results and all Y*s of one kind of view, Inception of 2015, 2048 features.

Pictures are composited on white and seen as whole frames.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from specsia_build.dravie.metrics import on_white
from specsia_build.errors import UsageError

CLIP_MODEL, CLIP_WEIGHTS = "ViT-B-32-quickgelu", "openai"


@dataclass(frozen=True)
class Wanted:
    """A score, the package that computes it, and the weights that it needs: their usual file name, and their origin."""

    score: str
    package: str
    file: str
    url: str


LPIPS = Wanted(
    "LPIPS", "lpips", "alexnet-owt-7be5be79.pth", "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
)
CLIP = Wanted("CLIP", "open_clip_torch", "open_clip_model.safetensors", "hf.co/timm/vit_base_patch32_clip_224.openai")
FID = Wanted(
    "FID",
    "torch-fidelity",
    "weights-inception-2015-12-05-6726825d.pth",
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
)


@dataclass(frozen=True)
class Look:
    """What the networks see in a picture; None where there is no such network."""

    picture: Tensor
    clip: Tensor | None
    fid: Tensor | None


@dataclass(frozen=True)
class Perceptual:
    """The networks that could be had; None for those that could not."""

    device: torch.device
    lpips: Callable[[Tensor, Tensor], Tensor] | None = None
    clip: Callable[[Tensor], Tensor] | None = None
    fid: Callable[[Tensor], Tensor] | None = None

    def __bool__(self) -> bool:
        return any((self.lpips, self.clip, self.fid))

    @torch.inference_mode()
    def look(self, picture: NDArray[np.uint8]) -> Look:
        """See a picture (H, W, 4) uint8 with straight alpha."""
        pixels = torch.from_numpy((on_white(picture) * 255 + 0.5).astype(np.uint8)).permute(2, 0, 1)[None]
        pixels = pixels.to(self.device)
        return Look(
            pixels,
            None if self.clip is None else self.clip(pixels),
            None if self.fid is None else self.fid(pixels).cpu(),
        )

    @torch.inference_mode()
    def compare(self, result: Look, truth: Look) -> dict[str, float]:
        """`lpips` and `clip` of a result and Y*, as far as they can be had."""
        found = {}
        if self.lpips is not None:
            one, two = (look.picture.float() / 127.5 - 1 for look in (result, truth))
            found["lpips"] = float(self.lpips(one, two))
        if result.clip is not None and truth.clip is not None:
            found["clip"] = float(torch.nn.functional.cosine_similarity(result.clip, truth.clip))
        return found


def fid_between(results: Sequence[Tensor], truths: Sequence[Tensor]) -> float | None:
    """FID of two sets of features; None of fewer than two pictures, which have no covariance."""
    if len(results) < 2:
        return None
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    one, two = (fid_features_to_statistics(torch.cat(list(features))) for features in (results, truths))
    return float(fid_statistics_to_metric(one, two, False)["frechet_inception_distance"])


def _tensors(wanted: Wanted, folder: Path | None) -> dict[str, Tensor]:
    if folder is not None and (folder / wanted.file).is_file():
        loaded: dict[str, Tensor] = torch.load(folder / wanted.file, map_location="cpu", weights_only=True)
        return loaded
    return torch.hub.load_state_dict_from_url(
        wanted.url, map_location="cpu", progress=False, check_hash=True, weights_only=True
    )


def _make_lpips(folder: Path | None, device: torch.device) -> Callable[[Tensor, Tensor], Tensor]:
    import lpips

    made: Any = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    weights = _tensors(LPIPS, folder)
    # The package names AlexNet's layers by slice: slice2.3.weight is features.3.weight.
    own = made.net.state_dict()
    made.net.load_state_dict({name: weights["features." + name.split(".", 1)[1]] for name in own})
    ready: Callable[[Tensor, Tensor], Tensor] = made.eval().to(device)
    return ready


def _make_clip(folder: Path | None, device: torch.device) -> Callable[[Tensor], Tensor]:
    import open_clip

    given = None if folder is None else folder / CLIP.file
    source = str(given) if given is not None and given.is_file() else CLIP_WEIGHTS
    model, _, prepare = open_clip.create_model_and_transforms(CLIP_MODEL, pretrained=source)
    model = model.eval().to(device)

    def embed(pixels: Tensor) -> Tensor:
        image = Image.fromarray(pixels[0].permute(1, 2, 0).cpu().numpy())
        embedded: Tensor = model.encode_image(prepare(image)[None].to(device))
        return embedded

    return embed


def _make_fid(folder: Path | None, device: torch.device) -> Callable[[Tensor], Tensor]:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    # The package would unpickle whatever is in a file: it gets a copy of the tensors alone.
    safe = io.BytesIO()
    torch.save(_tensors(FID, folder), safe)
    safe.seek(0)
    made = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=safe)
    made = made.eval().to(device)

    def features(pixels: Tensor) -> Tensor:
        found: Tensor = made(pixels)[0]
        return found

    return features


def find_perceptual(folder: Path | None, device: torch.device) -> tuple[Perceptual, tuple[str, ...]]:
    """The networks whose packages and weights can be had.

    Args:
        folder: where weights lie under their usual names, or None.
        device: that computes.

    Returns:
        The networks, and for each one that is missing a sentence that says how to get it.

    Raises:
        UsageError: if the folder is not there, or a file in it does not hold the weights that its name says.
    """
    if folder is not None and not folder.is_dir():
        raise UsageError(f"--weights: there is no folder {folder}")
    makers: tuple[tuple[Wanted, Callable[[Path | None, torch.device], Any]], ...] = (
        (LPIPS, _make_lpips),
        (CLIP, _make_clip),
        (FID, _make_fid),
    )
    found: dict[str, Any] = {}
    notes = []
    for wanted, make in makers:
        try:
            found[wanted.score.lower()] = make(folder, device)
        except ImportError:
            notes.append(f"{wanted.score} is absent: pip install {wanted.package}.")
        # Of a damaged file torch raises whatever its reader stumbles over.
        except Exception as error:
            if folder is not None and (folder / wanted.file).is_file():
                raise UsageError(
                    f"{folder / wanted.file} does not hold the weights of {wanted.score} ({_short(error)}): "
                    f"get them from {wanted.url}"
                ) from error
            notes.append(
                f"{wanted.score} is absent: its weights cannot be had ({_short(error)}); put {wanted.file} from "
                f"{wanted.url} into a folder and name it with --weights."
            )
    return Perceptual(device, **found), tuple(notes)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__
