"""Frames of other pipelines: `color/`, `mask/` and `pos/` with one picture a frame each."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from specsia_build.arrays import Pixels
from specsia_build.characters.images import load_texture
from specsia_build.errors import UsageError
from specsia_build.rendering.layers import HALF_COVERED

COLOR_FOLDER = "color"
_MASK = "mask"
_POS = "pos"
_SUFFIXES = (".png", ".webp", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")

_ALIKE = 4.0
"""Mean difference in levels below which channels or pictures are equal but for compression: coordinates of a
place are tens of levels apart."""

FrameFiles = Mapping[str, Path]  # Pictures of a frame by layer: `color`, `pos` and, if there is one, `mask`


def list_frames(folder: Path) -> dict[str, FrameFiles]:
    """List the frames of a folder by name, in the order of their numbers.

    The folder holds `color/`, `pos/` and, if the colours have no alpha, `mask/`; the pictures of a frame
    share a name, whatever their suffixes. Raises `UsageError` if pictures are missing or left over.
    """
    if missing := [layer for layer in (COLOR_FOLDER, _POS) if not (folder / layer).is_dir()]:
        raise UsageError(f"{folder} has no {missing[0]}/, which holds a picture for every frame")
    present = [layer for layer in (COLOR_FOLDER, _MASK, _POS) if (folder / layer).is_dir()]
    layers = {layer: _pictures(folder / layer) for layer in present}
    for layer, pictures in layers.items():
        if only := pictures.keys() ^ layers[COLOR_FOLDER].keys():
            unpaired = min(only, key=_number_order)
            both = f"{COLOR_FOLDER}/ and {layer}/"
            raise UsageError(f"{folder}: {both} must hold the same frames, and '{unpaired}' is only in one")
    names = sorted(layers[COLOR_FOLDER], key=_number_order)
    frames: dict[str, FrameFiles] = {}
    for name in names:
        frames[name] = {layer: pictures[name] for layer, pictures in layers.items()}
    return frames


def _pictures(folder: Path) -> dict[str, Path]:
    paths = [p for p in sorted(folder.iterdir()) if p.suffix.lower() in _SUFFIXES and p.name[0] != "."]
    pictures = {path.stem: path for path in reversed(paths)}
    if not pictures:
        raise UsageError(f"{folder} holds no picture: write the frames there, as {', '.join(_SUFFIXES)}")
    if len(pictures) < len(paths):
        twice = next(path for path in paths if path not in pictures.values())
        raise UsageError(f"{pictures[twice.stem]} and {twice.name} are the same frame twice: keep one")
    return pictures


def _number_order(stem: str) -> list[tuple[bool, int, str]]:
    parts = re.split(r"(\d+)", stem)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


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

    A mask may be grey, colour or alpha. A colour without alpha that was rendered on one background loses it
    where the mask is partly covered. Raises `SpecsiaError` if a picture is unreadable or sizes differ.
    """
    # Links to pictures may lead anywhere.
    pictures = {layer: load_texture(path, str(path), Path("/")) for layer, path in frame.items()}
    color, pos = pictures[COLOR_FOLDER], pictures[_POS]
    for layer, picture in pictures.items():
        if picture.shape != color.shape:
            raise UsageError(f"{frame[layer]} differs in size from {frame[COLOR_FOLDER]}")
    rgb, alpha = color[..., :3], color[..., 3]
    is_opaque = bool((alpha == 255).all())
    if _MASK in pictures:
        mask = pictures[_MASK]
        own = mask[..., 3]
        alpha = own if (own < 255).any() else np.asarray(np.max(mask[..., :3], axis=2), np.uint8)
        rgb = _without_background(rgb, alpha) if is_opaque else rgb
    elif is_opaque:
        raise UsageError(
            f"{frame[COLOR_FOLDER]} has no alpha, and there is no {_MASK}/: the silhouette must come from one"
        )
    visible = alpha[..., None] > 0
    shown, places = (np.where(visible, picture, 0) for picture in (rgb, pos[..., :3]))
    return np.dstack([shown, alpha]), np.dstack([places, alpha])


def frame_warning(z: Pixels, pos: Pixels) -> str | None:
    """Return what seems wrong with Z and Zpos of a frame, or None."""
    covered = z[..., 3] >= HALF_COVERED
    if not covered.any() or (covered[[0, -1]].all() and covered[:, [0, -1]].all()):
        return "the mask covers nothing, or all of the border: the character is 255, and the rest 0"
    places, colours = (picture[covered, :3].astype(np.int16) for picture in (pos, z))
    grey, copied = np.ptp(places, axis=1).mean() < _ALIKE, np.abs(places - colours).mean() < _ALIKE
    if (places == places[0]).all() or grey or copied:
        axes = "pos/ has R = x, G = z, B = -y, see docs/frame.md"
        return f"the positions are one value, grey or the colours: {axes}"
    return None
