"""Frames as animation pipelines leave them: `color/`, `mask/` and `pos/` with a picture each for every frame."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from specsia_build.errors import SpecsiaError, UsageError

COLOR, MASK, POS = "color", "mask", "pos"

SUFFIXES = (".png", ".webp", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")

_DEEP = ("I", "F")
"""First letters of the modes that hold more than 8 bits."""


@dataclass(frozen=True)
class FrameFiles:
    """The pictures of one frame; `mask` is None where the colour's alpha is to be taken."""

    name: str
    color: Path
    mask: Path | None
    pos: Path | None

    @property
    def paths(self) -> tuple[Path, ...]:
        """Those that are there."""
        return tuple(path for path in (self.color, self.mask, self.pos) if path is not None)


def is_frame_folder(folder: Path) -> bool:
    """Whether a folder holds frames."""
    return (folder / COLOR).is_dir()


def list_frames(folder: Path, with_pos: bool) -> tuple[FrameFiles, ...]:
    """The frames of a folder in the order of their numbers, their names and sizes compared.

    Args:
        folder: with `color/` and, each optional where it is not needed, `mask/` and `pos/`; a frame's pictures have one
            name, whatever their suffixes.
        with_pos: whether positions are needed.

    Raises:
        UsageError: if pictures are missing, left over, or differ in size.
        SpecsiaError: if one is no picture.
    """
    colors = _pictures(folder / COLOR)
    if not colors:
        raise UsageError(f"{folder / COLOR} holds no picture: write the frames there, as {', '.join(SUFFIXES)}")
    masks = _pictures(folder / MASK) if (folder / MASK).is_dir() else None
    poses = _pictures(folder / POS) if with_pos and (folder / POS).is_dir() else None
    if with_pos and poses is None:
        raise UsageError(f"{folder} has no {POS}/: this model sees positions; render them, or train with --without pos")
    for name, others in ((MASK, masks), (POS, poses)):
        if others is not None:
            _compare(folder, name, colors, others)
    frames = tuple(
        FrameFiles(stem, colors[stem], masks[stem] if masks else None, poses[stem] if poses else None)
        for stem in sorted(colors, key=_number_order)
    )
    for frame in frames:
        sizes = {path: _size(path) for path in frame.paths}
        for path, size in sizes.items():
            if size != sizes[frame.color]:
                raise UsageError(f"{path} is {_by(size)}, but {frame.color} is {_by(sizes[frame.color])}")
    return frames


def missing_frames(names: Sequence[str]) -> tuple[int, str]:
    """How many names are left out by frames numbered in even steps, and the first: 1 and `f_02` of `f_01` and `f_03`.

    Where nothing is left out, or the steps are not even, 0 and an empty name.
    """
    numbered: dict[tuple[str, int], list[int]] = {}
    for match in filter(None, map(re.compile(r"(.*?)([0-9]+)").fullmatch, names)):
        width = len(match[2]) if match[2].startswith("0") else 0
        numbered.setdefault((match[1], width), []).append(int(match[2]))
    count, first = 0, ""
    for (prefix, width), numbers in numbered.items():
        there = sorted(numbers)
        steps = [after - before for before, after in pairwise(there)]
        step = min(steps, default=0)
        wide = next((k for k, one in enumerate(steps) if one > step), None)
        if wide is not None and not any(one % step for one in steps):
            count += sum(one // step - 1 for one in steps)
            first = first or f"{prefix}{there[wide] + step:0{width}}"
    return count, first


def _pictures(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
            if path.stem in found:
                raise UsageError(f"{found[path.stem]} and {path.name} are the same frame twice: keep one")
            found[path.stem] = path
    return found


def _compare(folder: Path, name: str, colors: dict[str, Path], others: dict[str, Path]) -> None:
    missing = sorted(set(colors) - set(others), key=_number_order)
    if missing:
        raise UsageError(
            f"{folder / name} lacks {len(missing)} of the {len(colors)} frames in {COLOR}/, the first is '{missing[0]}'"
        )
    spare = sorted(set(others) - set(colors), key=_number_order)
    if spare:
        raise UsageError(
            f"{folder / COLOR} lacks {len(spare)} of the {len(others)} frames in {name}/, the first is '{spare[0]}'"
        )


def _number_order(stem: str) -> list[tuple[bool, int, str]]:
    parts: Sequence[str] = re.split(r"(\d+)", stem)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"


def _size(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise SpecsiaError(f"{path} is no picture that can be read: {error}") from error


def _decoded(path: Path) -> NDArray[np.uint8]:
    """A picture as (H, W, C) uint8, C = 1 grey, 3 RGB or 4 RGBA."""
    try:
        with Image.open(path) as image:
            image.load()
            if image.mode[0] in _DEEP:
                deep = np.asarray(image)
                # To the nearest level, as nearly 1 is wholly covered; what is no number is nothing.
                deep = np.rint(np.clip(np.nan_to_num(deep), 0, 1) * 255) if deep.dtype.kind == "f" else deep >> 8
                return np.asarray(np.clip(deep, 0, 255)[..., None], np.uint8)
            if image.has_transparency_data:
                return np.asarray(image.convert("RGBA"))
            return np.asarray(image.convert("RGB")) if image.mode != "L" else np.asarray(image)[..., None]
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise SpecsiaError(f"{path} is no picture that can be read: {error}") from error


def _coverage(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Coverage (H, W) of a mask that is drawn as grey, as colour, or as alpha."""
    if mask.shape[2] == 4 and (mask[..., 3] < 255).any():
        return mask[..., 3]
    return np.asarray(np.max(mask[..., :3], axis=2), np.uint8)


def _without_background(color: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Straight colours of a picture composited on one colour; as they are where the background has several."""
    bare = color[alpha == 0]
    if len(bare) == 0 or (bare != bare[0]).any():
        return color
    share = np.maximum(alpha, 1)[..., None].astype(np.float32) / 255
    straight = (color - bare[0].astype(np.float32) * (1 - share)) / share
    return np.asarray(np.floor(np.clip(straight, 0, 255) + 0.5), np.uint8)


def read_frame(frame: FrameFiles) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Z and Zpos of a frame, (H, W, 4) uint8 each with straight alpha, RGB 0 where alpha is 0.

    Zpos is 0 where there is none. A colour without alpha that was rendered on one background loses it where the mask
    is partly covered.

    Raises:
        SpecsiaError: if a picture cannot be read, or there is neither a mask nor an alpha.
    """
    color = _decoded(frame.color)
    rgb = np.repeat(color, 3, axis=2) if color.shape[2] == 1 else color[..., :3]
    if frame.mask is not None:
        alpha = _coverage(_decoded(frame.mask))
        rgb = rgb if color.shape[2] == 4 else _without_background(rgb, alpha)
    elif color.shape[2] == 4:
        alpha = color[..., 3]
    else:
        raise UsageError(f"{frame.color} has no alpha, and there is no {MASK}/: the silhouette must come from one")
    z = np.dstack([np.where(alpha[..., None] > 0, rgb, 0), alpha]).astype(np.uint8)
    pos = np.zeros_like(z)
    if frame.pos is not None:
        codes = _decoded(frame.pos)
        if codes.shape[2] == 1:
            raise UsageError(f"{frame.pos} is grey: positions are colours, R = x, G = z, B = -y; see docs/frame.md")
        pos[..., :3] = np.where(alpha[..., None] > 0, codes[..., :3], 0)
        pos[..., 3] = alpha
    return z, pos
