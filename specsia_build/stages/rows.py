"""Rows of a dataset: the summary of a character or clip that pack keeps, and the shards of rows."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from specsia_build.dataset import schema
from specsia_build.dataset.layers import frame_file, view_file
from specsia_build.dataset.parquet import write_shard
from specsia_build.files.writing import link_or_copy
from specsia_build.frame import view_yaws
from specsia_build.stages import project, render
from specsia_build.stages.clips import draw, move
from specsia_build.stages.stage import CharacterStage, Earlier, EarlierMeta, Meta, canonical_json, file_digest, sha256


def _origins(made: CharacterStage, clean: CharacterStage, mask: str) -> dict[str, tuple[CharacterStage, str]]:
    """Stage and layer that each image column comes from; `mask` is the layer of the clean silhouette."""
    of_made = {name: (made, name) for name in (schema.COLOR, schema.MASK, schema.POS, schema.EDGE)}
    return {**of_made, schema.GT: (clean, schema.GT), schema.GT_MASK: (clean, mask)}


_ORIGIN = _origins(project.STAGE, render.STAGE, schema.GT_MASK)

_CLIP_ORIGIN = _origins(move.STAGE, draw.STAGE, schema.MASK)

RowFacts = Iterator[tuple[dict[str, Any], dict[str, tuple[str, str, str]]]]
"""Values of each row, and by image column the stage's name, the file and SHA-256 of the image."""


class Member(msgspec.Struct, frozen=True, gc=False):
    """Summary of a character or clip made by a backend, kept in memory while packing; its meta data stay on disk.

    Attributes:
        rows: how many it becomes.
        digest: SHA-256 over every value and every image's SHA-256 of its rows.
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


def _clean_and_made(metas: EarlierMeta) -> tuple[bool, Meta, Meta]:
    """Whether meta data are of a clip; those of the ground truth, and those of the reconstruction's pictures."""
    if move.STAGE in metas:
        return True, metas[draw.STAGE], metas[move.STAGE]
    return False, metas[render.STAGE], metas[project.STAGE]


def row_facts(key: str, backend: str, metas: EarlierMeta) -> RowFacts:
    """Values and images of a clip's frames or of a character's views."""
    moving, clean, made = _clean_and_made(metas)
    for k, yaw in enumerate(clean["yaws"] if moving else view_yaws(clean["views"])):
        box = made["box"] if moving else made["boxes"][k]
        scalars = {
            "uid": schema.frame_uid(key, k) if moving else schema.row_uid(key, k),
            "character_id": clean["character"] if moving else key,
            "view": clean["clip"]["view"] if moving else k,
            "yaw_deg": yaw,
            "iou": made["iou"][k],
            "backend": backend,
            "outline_px": clean["outline_px"],
            "outline_grey": clean["outline_grey"],
            "bbox_min": box[0],
            "bbox_max": box[1],
            "license": clean["license"],
        }
        if moving:
            scalars |= {"clip": key, "frame": k, "time": clean["times"][k], "action": clean["clip"]["action"]}
        images = {}
        for column, (stage, layer) in (_CLIP_ORIGIN if moving else _ORIGIN).items():
            file = frame_file(layer, k) if moving else view_file(layer, k)
            images[column] = (stage.name, file, metas[stage]["files"][file]["sha256"])
        yield scalars, images


def member(key: str, backend: str, metas: EarlierMeta) -> Member:
    """Summarise a character or clip from the meta data of its artefacts that pack reads."""
    moving, clean, made = _clean_and_made(metas)
    facts = list(row_facts(key, backend, metas))
    listed = {stage.name: meta["files"] for stage, meta in metas.items()}
    images = (listed[stage][file] for _, origin in facts for stage, file, _ in origin.values())
    return Member(
        id=key,
        character=clean["character"] if moving else key,
        rows=len(facts),
        digest=sha256(canonical_json(facts).encode()),
        image_bytes=sum(image["bytes"] for image in images),
        mean_iou=made["mean_iou"],
        frontal_before=None if moving else made["frontal_iou_before"],
        action=clean["clip"]["action"] if moving else None,
        license=clean["license"],
        credit=clean["source"],
    )


Load = Callable[[str, str], Earlier]
"""Gives the artefacts that pack reads, by id of a member and backend name."""


@dataclass(frozen=True)
class ShardTask:
    """A shard to be made by any process that sees its folder and the artefacts.

    Attributes:
        path: in an existing folder.
        members: ids, in order.
        bytes: of its images.
        old: path and SHA-256 of a shard that holds the same, or None.
    """

    path: Path
    backend: str
    members: tuple[str, ...]
    bytes: int
    schema: pa.Schema
    old: tuple[Path, str] | None


@dataclass(frozen=True)
class Shard:
    """A shard on disk.

    Attributes:
        digest: SHA-256 of the file.
        kept: whether it existed before.
    """

    digest: str
    kept: bool


MakeShards = Callable[[Sequence[ShardTask]], Generator[tuple[int, Shard], None, None]]
"""Makes shards and yields number and result of each as it ends, in whatever order; closed, it writes no more."""


def _rows(task: ShardTask, load: Load) -> Iterator[schema.Row]:
    for one in task.members:
        parts = load(one, task.backend)
        files = {stage.name: part.files for stage, part in parts.items()}
        for scalars, origin in row_facts(one, task.backend, {stage: part.meta for stage, part in parts.items()}):
            yield schema.Row(scalars, {column: files[stage][file] for column, (stage, file, _) in origin.items()})


def make_shard(task: ShardTask, load: Load) -> Shard:
    """Write a shard, or keep one that holds the same if that is whole."""
    if task.old is not None and file_digest(task.old[0]) == task.old[1]:
        link_or_copy(task.old[0], task.path)
        return Shard(task.old[1], True)
    write_shard(task.path, _rows(task, load), task.schema)
    return Shard(file_digest(task.path) or "", False)
