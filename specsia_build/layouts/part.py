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
    """The pictures of a member: the T frames of a clip or the T views of a character, each S x S pixels.

    Attributes:
        meta: `id`, `character`, `yaws` (T,) of the camera, `size`, `license`, `source`. Of a clip also `clip`
            (its `action`, `view`, `yaw` and so on), `fps`, `times` (T,) in seconds, `loops` (whether the
            first frame follows the last one smoothly), `width` of the camera's frame and `box` of positions;
            with labels `palette` (R, 3), the flat colours of regions. Of a pair also `backend`, and `rows`,
            the columns of `dataset.schema` without images for each picture; of a still pair `pos_frame`, and
            from a run `turned_boxes` (V, 2, 3), each view's box of all vertices in its camera's axes.
        files: encoded layers of each picture, by `frame_file`.
        clean: the same of the character, where `files` are of a moving reconstruction.
    """

    meta: Mapping[str, Any]
    files: Mapping[str, bytes]
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
    """Summary of a character or clip that can be packed, kept in memory; its meta data stay on disk.

    Attributes:
        id: of the clip or character.
        backend: name of the backend whose reconstruction it shows; None for the character itself.
        rows: number of its frames or views.
        digest: SHA-256 of all that decides its pictures and values.
        image_bytes: size of its encoded pictures.
        mean_iou, frontal_before: mean IoU of a pair, and frontal IoU before registration, which a clip lacks.
        action: name of a clip's motion; None for a character.
        license, credit: of the character, None if its source states none.
    """

    id: str
    character: str
    backend: str | None
    rows: int
    digest: str
    image_bytes: int
    mean_iou: float | None
    frontal_before: float | None
    action: str | None
    license: str | None
    credit: str | None

    @property
    def values(self) -> list[Any]:
        """All fields but the backend, in order."""
        return [value for name, value in msgspec.structs.asdict(self).items() if name != "backend"]


Load = Callable[[Member], Pictures]


@dataclass(frozen=True)
class Part:
    """What a layout writes at once. Iterating loads the pictures of one member at a time.

    Attributes:
        key: id of the clip or the character, or the name of a file with several; a valid relative name.
        split: `train`, `validation` or `test`; the same for all members.
        members: in order; of one character unless the layout's unit is `view`.
        options: result of `Layout.options`.
        load: loads the pictures of a member.
    """

    key: str
    split: str
    members: tuple[Member, ...]
    options: Mapping[str, Any]
    load: Load

    def __iter__(self) -> Iterator[Pictures]:
        """Load the members one by one."""
        return map(self.load, self.members)

    @property
    def character(self) -> str:
        """Id of the first member's character."""
        return self.members[0].character


@dataclass(frozen=True)
class Written:
    """The record of a written part; a part of several characters has neither `character` nor licence.

    Attributes:
        clips: ids of the members, in order.
        license, credit: of the character; None where its source states none.
        files: size in bytes and SHA-256 by name in the folder, in order.
        facts: result of `Layout.write`.
        fingerprint: of everything that decides the files; empty for parts read from `parts.jsonl`.
    """

    key: str
    character: str
    split: str
    clips: Sequence[str]
    license: str | None
    credit: str | None
    files: Mapping[str, tuple[int, str]]
    facts: Mapping[str, Any]
    fingerprint: str = ""


@dataclass(frozen=True)
class Facts:
    """What the files about all parts state besides them.

    Attributes:
        build: versions and settings (`config`), without paths.
        source: name of the source, without paths.
        planned: number of characters asked for.
        quarantined: number of clips or characters left out, by backend, or `""` before any backend.
        splits: split of each id of the source, in order.
        members: all members, in order.
        sees_ground_truth: names of backends that see the ground truth.
        backend: the backend whose reconstructions the folder holds, if it holds those of one.
        left_out: number of parts that the layout cannot take.
    """

    build: Mapping[str, Any]
    source: str
    planned: int
    quarantined: Mapping[str, int]
    splits: Mapping[str, str]
    members: Sequence[Member]
    sees_ground_truth: Sequence[str] = ()
    backend: str | None = None
    left_out: int = 0


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
