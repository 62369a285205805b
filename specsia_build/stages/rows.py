"""Rows of a dataset: the summary of a character or clip that pack uses, and the shards of rows."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from specsia_build.dataset import schema
from specsia_build.dataset.layers import frame_file, view_file
from specsia_build.dataset.parquet import write_shard
from specsia_build.files.writing import link_or_copy
from specsia_build.frame import view_yaws
from specsia_build.rendering.ink import luma
from specsia_build.stages import project, render
from specsia_build.stages.clips import draw, move
from specsia_build.stages.stage import (
    CharacterStage,
    Earlier,
    EarlierMeta,
    Meta,
    canonical_json,
    file_digest,
    sha256,
)


def _origins(
    result: CharacterStage, truth: CharacterStage, mask: str
) -> dict[str, tuple[CharacterStage, str]]:
    """Stage and layer of each image column; `mask` is the layer of the ground truth's silhouette."""
    origins = {name: (result, name) for name in (schema.COLOR, schema.MASK, schema.POS, schema.EDGE)}
    return {**origins, schema.GT: (truth, schema.GT), schema.GT_MASK: (truth, mask)}


_ORIGIN = _origins(project.STAGE, render.STAGE, schema.GT_MASK)

_CLIP_ORIGIN = _origins(move.STAGE, draw.STAGE, schema.MASK)

RowFacts = Iterator[tuple[dict[str, Any], dict[str, tuple[str, str, str]]]]
"""Values of each row, and by image column the stage's name, the file and SHA-256 of the image."""


class Member(msgspec.Struct, frozen=True, gc=False):
    """Summary of a character or clip of one backend, kept in memory while packing; its meta data stay on
    disk.

    Attributes:
        rows: number of its rows.
        digest: SHA-256 over the values and image digests of its rows.
        frontal_before: frontal IoU before registration; None for a clip.
        action: name of a clip's motion; None for a character.
        license, credit: of the character, None if its source states none.
    """

    id: str
    character: str
    rows: int
    digest: str
    image_bytes: int
    mean_iou: float
    frontal_before: float | None
    action: str | None
    license: str | None
    credit: str | None

    @property
    def values(self) -> list[Any]:
        return list(msgspec.structs.astuple(self))


def _truth_and_result(metas: EarlierMeta) -> tuple[bool, Meta, Meta]:
    """Whether meta data are of a clip, the meta data of the ground truth, and those of the reconstruction."""
    if move.STAGE in metas:
        return True, metas[draw.STAGE], metas[move.STAGE]
    return False, metas[render.STAGE], metas[project.STAGE]


def row_facts(key: str, backend: str, metas: EarlierMeta) -> RowFacts:
    """Values and images of a clip's frames or of a character's views."""
    is_clip, truth, result = _truth_and_result(metas)
    for k, yaw in enumerate(truth["yaws"] if is_clip else view_yaws(truth["views"])):
        box = result["box"] if is_clip else result["boxes"][k]
        scalars = {
            "uid": schema.frame_uid(key, k) if is_clip else schema.row_uid(key, k),
            "character_id": truth["character"] if is_clip else key,
            "view": truth["clip"]["view"] if is_clip else k,
            "yaw_deg": yaw,
            "iou": result["iou"][k],
            "backend": backend,
            "outline_px": truth["outline_px"],
            "outline_grey": luma(truth["outline_rgb"][k]),
            "outline_rgb": truth["outline_rgb"][k],
            "bbox_min": box[0],
            "bbox_max": box[1],
            "license": truth["license"],
        }
        if is_clip:
            scalars |= {"clip": key, "frame": k, "time": truth["times"][k], "action": truth["clip"]["action"]}
        images = {}
        for column, (stage, layer) in (_CLIP_ORIGIN if is_clip else _ORIGIN).items():
            file = frame_file(layer, k) if is_clip else view_file(layer, k)
            images[column] = (stage.name, file, metas[stage]["files"][file]["sha256"])
        yield scalars, images


def member(key: str, backend: str, metas: EarlierMeta) -> Member:
    """Summarise a character or clip from the meta data of its artefacts that pack reads."""
    is_clip, truth, result = _truth_and_result(metas)
    facts = list(row_facts(key, backend, metas))
    listed = {stage.name: meta["files"] for stage, meta in metas.items()}
    images = (listed[stage][file] for _, origin in facts for stage, file, _ in origin.values())
    return Member(
        id=key,
        character=truth["character"] if is_clip else key,
        rows=len(facts),
        digest=sha256(canonical_json(facts).encode()),
        image_bytes=sum(image["bytes"] for image in images),
        mean_iou=result["mean_iou"],
        frontal_before=None if is_clip else result["frontal_iou_before"],
        action=truth["clip"]["action"] if is_clip else None,
        license=truth["license"],
        credit=truth["source"],
    )


Load = Callable[
    [str, str], Earlier
]  # Returns the artefacts that pack reads, by id of a member and backend name


@dataclass(frozen=True)
class ShardTask:
    """A shard to write, by any process that sees its folder and the artefacts.

    Attributes:
        path: file in an existing folder.
        members: ids, in order.
        bytes: total size of its images.
        old: path and SHA-256 of a shard with the same content, or None.
    """

    path: Path
    backend: str
    members: tuple[str, ...]
    bytes: int
    schema: pa.Schema
    old: tuple[Path, str] | None


class Shard(NamedTuple):
    """A shard on disk: SHA-256 of the file, and whether it existed before."""

    digest: str
    kept: bool


MakeShards = Callable[[Sequence[ShardTask]], Generator[tuple[int, Shard], None, None]]
"""Makes shards and yields the number and result of each, in any order; writes nothing after it is closed."""


def _rows(task: ShardTask, load: Load) -> Iterator[schema.Row]:
    for key in task.members:
        parts = load(key, task.backend)
        files = {stage.name: part.files for stage, part in parts.items()}
        for scalars, origin in row_facts(
            key, task.backend, {stage: part.meta for stage, part in parts.items()}
        ):
            yield schema.Row(
                scalars, {column: files[stage][file] for column, (stage, file, _) in origin.items()}
            )


def make_shard(task: ShardTask, load: Load) -> Shard:
    """Write a shard, or keep an old one with the same content if it is undamaged."""
    if task.old is not None and file_digest(task.old[0]) == task.old[1]:
        link_or_copy(task.old[0], task.path)
        return Shard(task.old[1], True)
    write_shard(task.path, _rows(task, load), task.schema)
    return Shard(file_digest(task.path) or "", False)
