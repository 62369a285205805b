"""Frames of other pipelines: `color/`, `mask/` and `pos/` with one picture a frame each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from specsia_build.dravie.config import HALF_COVERED
from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.films import Pixels

COLOR, MASK, POS = "color", "mask", "pos"

SUFFIXES = (".png", ".webp", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")

ALIKE = 4.0
"""Mean difference in levels below which channels or pictures are equal but for compression: coordinates of a place are
tens of levels apart."""


FrameFiles = Mapping[str, Path]  # Pictures of a frame by layer: `color` and, where there are such, `mask` and `pos`


def list_frames(folder: Path, with_pos: bool) -> dict[str, FrameFiles]:
    """List the frames of a folder by name, in the order of their numbers.

    The folder holds `color/`, `mask/` if the colours have no alpha, and `pos/` if positions are needed; the pictures of
    a frame share a name, whatever their suffixes. Raises `UsageError` if pictures are missing, left over, or differ in
    size.
    """
    if with_pos and not (folder / POS).is_dir():
        raise UsageError(f"{folder} has no {POS}/: this model sees positions; render them, or train with --without pos")
    required = {COLOR: True, MASK: (folder / MASK).is_dir(), POS: with_pos}
    layers = {layer: _pictures(folder / layer) for layer in required if required[layer]}
    for layer, pictures in layers.items():
        if only := pictures.keys() ^ layers[COLOR].keys():
            unpaired = min(only, key=_number_order)
            raise UsageError(
                f"{folder}: {COLOR}/ and {layer}/ must hold the same frames, and '{unpaired}' is only in one"
            )
    frames: dict[str, FrameFiles] = {}
    for name in sorted(layers[COLOR], key=_number_order):
        frames[name] = {layer: pictures[name] for layer, pictures in layers.items()}
        sizes = {path: _open(path).size for path in frames[name].values()}
        for path, size in sizes.items():
            if size != sizes[layers[COLOR][name]]:
                raise UsageError(f"{path} differs in size from {layers[COLOR][name]}")
    return frames


def _pictures(folder: Path) -> dict[str, Path]:
    paths = [p for p in sorted(folder.iterdir()) if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")]
    pictures = {path.stem: path for path in reversed(paths)}
    if not pictures:
        raise UsageError(f"{folder} holds no picture: write the frames there, as {', '.join(SUFFIXES)}")
    if len(pictures) < len(paths):
        twice = next(path for path in paths if path not in pictures.values())
        raise UsageError(f"{pictures[twice.stem]} and {twice.name} are the same frame twice: keep one")
    return pictures


def _number_order(stem: str) -> list[tuple[bool, int, str]]:
    parts = re.split(r"(\d+)", stem)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def _open(path: Path, decoded: bool = False) -> Image.Image:
    """Open a picture, or only its header."""
    try:
        with Image.open(path) as image:
            if decoded:
                image.load()
            return image
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise SpecsiaError(f"{path} cannot be read as a picture: {error}") from error


def _decode(path: Path) -> Pixels:
    """Decode a picture to (H, W, C) uint8, C = 1 grey, 3 RGB or 4 RGBA; deeper greys are reduced to 8 bits."""
    image = _open(path, decoded=True)
    if image.mode[0] in "IF":
        deep = np.asarray(image)
        deep = np.rint(np.clip(np.nan_to_num(deep), 0, 1) * 255) if deep.dtype.kind == "f" else deep >> 8
        return np.asarray(np.clip(deep, 0, 255)[..., None], np.uint8)
    if image.mode == "L" and not image.has_transparency_data:
        return np.asarray(image)[..., None]
    return np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB"))


def _without_background(color: Pixels, alpha: Pixels) -> Pixels:
    """Undo the compositing on one colour; a background of several colours is left as it is."""
    background = color[alpha == 0]
    if not len(background) or (background != background[0]).any():
        return color
    share = np.maximum(alpha, 1)[..., None].astype(np.float32) / 255
    straight = (color - background[0].astype(np.float32) * (1 - share)) / share
    return np.asarray(np.floor(np.clip(straight, 0, 255) + 0.5), np.uint8)


def read_frame(frame: FrameFiles) -> tuple[Pixels, Pixels]:
    """Read Z and Zpos of a frame, (H, W, 4) uint8 each with straight alpha, RGB 0 where alpha is 0.

    A mask may be grey, colour or alpha; Zpos is 0 without positions. A colour without alpha that was rendered on one
    background loses it where the mask is partly covered.
    """
    color = _decode(frame[COLOR])
    rgb = np.repeat(color, 3, axis=2) if color.shape[2] == 1 else color[..., :3]
    if MASK in frame:
        mask = _decode(frame[MASK])
        has_alpha = mask.shape[2] == 4 and (mask[..., 3] < 255).any()
        alpha = mask[..., 3] if has_alpha else np.asarray(np.max(mask[..., :3], axis=2), np.uint8)
        rgb = rgb if color.shape[2] == 4 else _without_background(rgb, alpha)
    elif color.shape[2] == 4:
        alpha = color[..., 3]
    else:
        raise UsageError(f"{frame[COLOR]} has no alpha, and there is no {MASK}/: the silhouette must come from one")
    z = np.dstack([np.where(alpha[..., None] > 0, rgb, 0), alpha]).astype(np.uint8)
    pos = np.zeros_like(z)
    if POS in frame:
        codes = _decode(frame[POS])
        if codes.shape[2] == 1:
            raise UsageError(f"{frame[POS]} is grey: positions are colours, R = x, G = z, B = -y; see docs/frame.md")
        pos[..., :3] = np.where(alpha[..., None] > 0, codes[..., :3], 0)
        pos[..., 3] = alpha
    return z, pos


def frame_warning(z: Pixels, pos: Pixels | None) -> str | None:
    """Return what seems wrong with Z and, unless the model does not see it, Zpos of a frame, or None."""
    covered = z[..., 3] >= HALF_COVERED
    if not covered.any() or (covered[[0, -1]].all() and covered[:, [0, -1]].all()):
        return "the mask covers nothing, or all of the border: the character is 255, and the rest 0"
    if pos is None:
        return None
    places, colours = (picture[covered, :3].astype(np.int16) for picture in (pos, z))
    grey, copied = np.ptp(places, axis=1).mean() < ALIKE, np.abs(places - colours).mean() < ALIKE
    if (places == places[0]).all() or grey or copied:
        return "the positions are one value, grey or the colours: pos/ has R = x, G = z, B = -y, see docs/frame.md"
    return None
