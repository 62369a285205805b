"""What layouts are made of: the pictures of a character or clip, parts, and the records of written parts."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from specsia_build.dataset.layers import LAYERS, frame_file
from specsia_build.dataset.schema import PARTS_FILE, SPLITS
from specsia_build.errors import SpecsiaError, brief
from specsia_build.files.names import relative_name
from specsia_build.files.records import MOST_JSON_BYTES, parse_json

_DIGEST = re.compile(r"[0-9a-f]{64}")
Unit = Literal["view", "character", "clip"]


@dataclass(frozen=True)
class Pictures:
    """The pictures of a member: the T frames of a clip or the T views of a character, each S x S pixels."""

    # `id`, `character`, `yaws` (T,) of the camera, `size`, `license`, `source`. Of a clip also `clip` (its
    # `action`, `view`, `yaw` and so on), `fps`, `times` (T,) in seconds, `loops` (whether the first frame
    # follows the last one smoothly), `width` of the camera's frame and `box` of positions; with labels
    # `palette` (R, 3), the flat colours of regions. Of a pair also `backend`, and `rows`, the columns of
    # `dataset.schema` without images for each picture; of a still pair `pos_frame`, and from a run
    # `turned_boxes` (V, 2, 3), each view's box of all vertices in its camera's axes.
    meta: Mapping[str, Any]
    files: Mapping[str, bytes]  # Encoded layers of each picture, by `frame_file`
    # The same of the character, where `files` are of a moving reconstruction
    clean: Mapping[str, bytes] | None = None

    @property
    def frames(self) -> int:
        """Number of frames or views."""
        return len(self.meta["yaws"])

    def raw(self, layer: str, frame: int) -> bytes:
        """Return the encoded layer of a frame or view."""
        return self.files[frame_file(layer, frame)]

    def frame(self, layer: str, frame: int) -> Any:
        """Decode a layer of a frame or view, in the form that `dataset.layers.LAYERS` states."""
        return LAYERS[layer].decode(self.raw(layer, frame))


class Member(msgspec.Struct, frozen=True, gc=False):
    """Summary of a character or clip that can be packed, kept in memory; its meta data stay on disk."""

    id: str  # Of the clip or character
    character: str
    backend: str | None  # Name of the backend whose reconstruction it shows; None for the character itself
    rows: int  # Number of its frames or views
    digest: str  # SHA-256 of all that decides its pictures and values
    image_bytes: int = 0  # Size of its encoded pictures
    # mean_iou, frontal_before: mean IoU of a pair, and frontal IoU before registration, which a clip lacks
    mean_iou: float | None = None
    frontal_before: float | None = None
    action: str | None = None  # Name of a clip's motion; None for a character
    # license, credit: of the character, None if its source states none
    license: str | None = None
    credit: str | None = None

    @property
    def values(self) -> list[Any]:
        """All fields but the backend, in order."""
        return [value for name, value in msgspec.structs.asdict(self).items() if name != "backend"]


Load = Callable[[Member], Pictures]


@dataclass(frozen=True)
class Part:
    """What a layout writes at once. Iterating loads the pictures of one member at a time."""

    key: str  # Id of the clip or the character, or the name of a file with several; a valid relative name
    split: str  # `train`, `validation` or `test`; the same for all members
    members: tuple[Member, ...]  # In order; of one character unless the layout's unit is `view`
    options: Mapping[str, Any]  # Result of `Layout.options`
    load: Load  # Loads the pictures of a member

    def __iter__(self) -> Iterator[Pictures]:
        """Load the members one by one."""
        return map(self.load, self.members)

    @property
    def character(self) -> str:
        """Id of the first member's character."""
        return self.members[0].character


@dataclass(frozen=True)
class Written:
    """The record of a written part; a part of several characters has neither `character` nor licence."""

    key: str
    character: str
    split: str
    clips: Sequence[str]  # Ids of the members, in order
    # license, credit: of the character; None where its source states none
    license: str | None
    credit: str | None
    files: Mapping[str, tuple[int, str]]  # Size in bytes and SHA-256 by name in the folder, in order
    facts: Mapping[str, Any]  # Result of `Layout.write`
    fingerprint: str = ""  # Of everything that decides the files; empty for parts read from `parts.jsonl`


@dataclass(frozen=True)
class Facts:
    """What the files about all parts state besides them."""

    build: Mapping[str, Any]  # Versions and settings (`config`), without paths
    source: str  # Name of the source, without paths
    planned: int  # Number of characters asked for
    # Number of clips or characters left out, by backend, or `""` before any backend
    quarantined: Mapping[str, int]
    splits: Mapping[str, str]  # Split of each id of the source, in order
    members: Sequence[Member]  # All members, in order
    sees_ground_truth: Sequence[str] = ()  # Names of backends that see the ground truth
    backend: str | None = None  # The backend whose reconstructions the folder holds, if it holds those of one
    left_out: int = 0  # Number of parts that the layout cannot take


Parts = Callable[[], Iterator[Written]]
"""Iterates the records of all parts in order, from the start at each call."""


def part_of(record: Any, where: str) -> Written:
    """Convert and check the record of a part; `where` names it in messages."""
    try:
        part = msgspec.convert(record, Written)
        relative_name(part.key, "key")
        for name in part.files:
            relative_name(name, "file")
        counts = [part.facts.get(name, 0) for name in ("frames", "left_out")]
        if (
            part.split not in SPLITS
            or not all(_DIGEST.fullmatch(digest) for _, digest in part.files.values())
            or not all(type(count) is int and count >= 0 for count in counts)
        ):
            raise ValueError("its split, its checksums or its facts are invalid")
    except (SpecsiaError, ValueError) as error:
        raise SpecsiaError(f"{where} is not a record of a part: {brief(str(error), 160)}") from error
    return part


def read_parts(path: Path) -> Iterator[Written]:
    """Read records of parts from a file of JSON lines, one at a time; SpecsiaError if that cannot be read."""
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(iter(lambda: stream.readline(MOST_JSON_BYTES + 1), b""), 1):
                where = f"line {number} of {PARTS_FILE}"
                yield part_of(parse_json(line, where), where)
    except OSError as error:
        raise SpecsiaError(f"{path.name} cannot be read: {error.strerror or error}") from error
