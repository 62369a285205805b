"""A row decoded to a `Pair`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from specsia_build import png
from specsia_build.arrays import Pixels
from specsia_build.characters.character import id_order_key
from specsia_build.dataset import schema
from specsia_build.errors import ByShape, SpecsiaError
from specsia_build.frame import Camera

if TYPE_CHECKING:
    from specsia_build.dataset.reading import OpenedDataset

_OWN = ("uid", "character_id", "view", "iou", "backend", "outline_px", "outline_grey", "outline_rgb")
_CLIP = tuple(schema.CLIP_COLUMNS)


@dataclass(frozen=True, eq=False, repr=False)
class Pair(ByShape):
    """A view of a character, or frame of a clip, before and after repair; None for what the schema lacks."""

    uid: str
    character_id: str
    view: int  # Number of the view, 0 the frontal one; of a clip, that of its camera
    z: Pixels  # (H, W, 4) uint8, straight sRGB alpha, RGB 0 where alpha is 0; its alpha is Zmask
    pos: Pixels  # (H, W, 4) uint8, Zpos, with the alpha of `z`
    gt: Pixels  # (H, W, 4) uint8, Y*, straight alpha, which covers the contour
    gt_mask: Pixels | None = None  # (H, W) uint8, silhouette of Y* without the contour
    iou: float | None = None  # IoU of the silhouettes, 0 to 1
    backend: str | None = None
    # outline_px, outline_grey, outline_rgb: the contour's thickness in pixels, luma and (mean) colour
    outline_px: int | None = None
    outline_grey: int | None = None
    outline_rgb: tuple[int, int, int] | None = None
    # clip, frame, time, action: the clip's id, frame's number, seconds from the first, and motion's name
    clip: str | None = None
    frame: int | None = None
    time: float | None = None
    action: str | None = None

    @property
    def number(self) -> int:
        """The frame of a clip, or else the view."""
        return self.view if self.frame is None else self.frame

    def without_truth(self) -> Pair:
        """The same view without Y* or measurements against it; the contour's thickness and grey stay."""
        return replace(self, gt=np.zeros_like(self.gt), gt_mask=None, iou=None)

    @property
    def content(self) -> str:
        """Digest of Y* without its contour, if the silhouette is known: the same for a mesh under two ids."""
        return content_of(self.gt, self.gt[..., 3] if self.gt_mask is None else self.gt_mask)


def content_of(gt: Pixels, silhouette: Pixels) -> str:
    """Digest of a silhouette (H, W) and `gt`'s colours (H, W, 4) where wholly covered, without contour."""
    colours = np.where((silhouette == 255)[..., None], gt[..., :3], np.uint8(0))
    data = repr(silhouette.shape).encode() + silhouette.tobytes() + colours.tobytes()
    return hashlib.sha256(data).hexdigest()[:32]


def pair_columns(dataset: OpenedDataset) -> tuple[str, ...]:
    """Columns that `decode_pair` needs of a row of a dataset."""
    if dataset.kind == "published":
        return ("uid", "character_id", "view", schema.COLOR, schema.POS, schema.GT)
    columns = (*_OWN, schema.COLOR, schema.POS, schema.GT, schema.GT_MASK, *(_CLIP if dataset.moving else ()))
    return tuple(name for name in columns if name not in schema.LATER or name in dataset.columns)


def camera_of(row: Mapping[str, Any], size: int) -> Camera:
    """The camera of a row, whose pictures are `size` pixels wide; sets of earlier versions have rings."""
    stated = {name: row[name] for name in schema.CAMERA_COLUMNS if name in row}
    return Camera(row["yaw_deg"], size, **stated)


def is_frontal(view: int, frame: int | None = None) -> bool:
    """Whether a row shows a character as models are adapted to it: frontal, and in a clip's first frame."""
    return view == 0 and not frame


def decode_pair(row: Mapping[str, Any]) -> Pair:
    """The pair of a row with `pair_columns`, images as PNG bytes; SpecsiaError if one cannot be decoded."""
    names = [name for name in (schema.COLOR, schema.POS, schema.GT, schema.GT_MASK) if name in row]
    try:
        images = {name: decode_column(row[name], name) for name in names}
        if len(shapes := {image.shape[:2] for image in images.values()}) > 1:
            raise ValueError(f"its images differ in size: {sorted(shapes)}")
        values: dict[str, Any] = {name: row[name] for name in (*_OWN, *_CLIP) if name in row}
        values["outline_rgb"] = _colour(row.get("outline_rgb"), row.get("outline_grey"))
        planes: dict[str, Any] = {"z": images[schema.COLOR], "gt_mask": images.get(schema.GT_MASK)}
        return Pair(pos=images[schema.POS], gt=images[schema.GT], **planes, **values)
    except ValueError as error:
        raise SpecsiaError(f"the row {row['uid']} cannot be decoded: {error}") from error


def _colour(levels: Sequence[int] | None, grey: int | None) -> tuple[int, ...] | None:
    """Colour of a contour; the contours of earlier versions, without a colour, are grey."""
    if levels is not None:
        return tuple(levels)
    return None if grey is None else (grey,) * 3


def decode_column(data: object, column: str) -> Any:
    """Decode the PNG bytes of an image column; the text of a ValueError follows the name of the row."""
    if not isinstance(data, bytes):
        raise ValueError(f"{column} holds no image, or only the name of a file")
    try:
        mode, _, bits = (schema.IMAGE_COLUMNS | schema.LAYER_COLUMNS)[column].partition(";")
        return png.decode16(data, len(mode)) if bits else png.decode(data, len(mode))
    except ValueError as error:
        raise ValueError(f"{column} {error}") from error


def pair_at(dataset: OpenedDataset, config: str, split: str, number: int) -> Pair:
    """The pair of a split's row by number; raises SpecsiaError as `OpenedDataset.take` and `decode_pair`."""
    return decode_pair(dataset.take(config, split, [number], pair_columns(dataset))[0])


def splits_of(dataset: OpenedDataset) -> dict[str, str]:
    """Split of each character that has rows in any configuration; only ids are read."""
    columns = ["uid" if dataset.kind == "published" else "character_id"]
    splits: dict[str, str] = {}
    for config, split in ((name, split) for name in dataset.configs for split in dataset.splits(name)):
        for character in (row["character_id"] for row in dataset.stream(config, split, columns)):
            if splits.setdefault(character, split) != split:
                raise SpecsiaError(f"{dataset.where} has the character {character} in two splits")
    return {character: splits[character] for character in sorted(splits, key=id_order_key)}
