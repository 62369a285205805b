"""Rows of a dataset: what pack keeps in mind of a character or clip, and the shards that its rows are written to."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from specsia_build.dataset import schema
from specsia_build.dataset.layers import frame_file, view_file
from specsia_build.dataset.parquet import batches, local_path, write_shard
from specsia_build.frame import view_yaws
from specsia_build.stages import project, render
from specsia_build.stages.artefact import canonical_json, file_digest, sha256
from specsia_build.stages.clips import draw, move
from specsia_build.stages.stage import CharacterStage, Earlier, EarlierMeta, Meta


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
        id: of the character or clip.
        character: id of the character.
        rows: that it becomes.
        digest: SHA-256 over every value and every image's SHA-256 of its rows.
        image_bytes: of its rows.
        mean_iou: after registration.
        frontal_before: frontal IoU before registration; None of a clip.
        action: name of a clip's motion; None of a character.
        license, credit: of the character, None where its source states none.
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
        """All fields, in their order."""
        return list(msgspec.structs.astuple(self))


def row_facts(key: str, backend: str, metas: EarlierMeta) -> RowFacts:
    """Values and images of a clip's frames where the meta data are of one, else of a character's views."""
    return _clip_facts(key, backend, metas) if move.STAGE in metas else _still_facts(key, backend, metas)


def _clip_facts(key: str, backend: str, metas: EarlierMeta) -> RowFacts:
    clean, moved = metas[draw.STAGE], metas[move.STAGE]
    for frame, time in enumerate(clean["times"]):
        scalars = {
            "uid": schema.frame_uid(key, frame),
            "character_id": clean["character"],
            "view": clean["clip"]["view"],
            "yaw_deg": clean["yaws"][frame],
            "iou": moved["iou"][frame],
            **_shared(backend, clean, moved["box"]),
            "clip": key,
            "frame": frame,
            "time": time,
            "action": clean["clip"]["action"],
        }
        yield scalars, _images(_CLIP_ORIGIN, metas, partial(frame_file, frame=frame))


def _still_facts(character_id: str, backend: str, metas: EarlierMeta) -> RowFacts:
    rendered, projected = metas[render.STAGE], metas[project.STAGE]
    for view, yaw in enumerate(view_yaws(rendered["views"])):
        scalars = {
            "uid": schema.row_uid(character_id, view),
            "character_id": character_id,
            "view": view,
            "yaw_deg": yaw,
            "iou": projected["iou"][view],
            **_shared(backend, rendered, projected["boxes"][view]),
        }
        yield scalars, _images(_ORIGIN, metas, partial(view_file, view=view))


def _shared(backend: str, clean: Meta, box: Sequence[Any]) -> dict[str, Any]:
    """Values that rows of views and of frames have alike."""
    return {
        "backend": backend,
        "outline_px": clean["outline_px"],
        "outline_grey": clean["outline_grey"],
        "bbox_min": box[0],
        "bbox_max": box[1],
        "license": clean["license"],
    }


def _images(
    origins: Mapping[str, tuple[CharacterStage, str]], metas: EarlierMeta, file_of: Callable[[str], str]
) -> dict[str, tuple[str, str, str]]:
    """By image column the stage's name, the file and SHA-256 of a row's images."""
    files = {column: (stage, file_of(name)) for column, (stage, name) in origins.items()}
    return {
        column: (stage.name, file, metas[stage]["files"][file]["sha256"]) for column, (stage, file) in files.items()
    }


def member(key: str, backend: str, metas: EarlierMeta) -> Member:
    """A character or clip by the meta data of its artefacts that pack reads."""
    moving = move.STAGE in metas
    clean, made = (metas[draw.STAGE], metas[move.STAGE]) if moving else (metas[render.STAGE], metas[project.STAGE])
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
"""Gives what the stages before pack made, as they made it, by id of a member and backend name."""


@dataclass(frozen=True)
class ShardTask:
    """A shard to be made, by any process that sees its folder and the artefacts.

    Attributes:
        path: where it goes; the folder is there.
        backend: name of that which made the pictures.
        members: ids, in order.
        bytes: of its images.
        schema: of the table.
        old: path and SHA-256 of a shard that holds the same, None where there is none.
    """

    path: Path
    backend: str
    members: tuple[str, ...]
    bytes: int
    schema: pa.Schema
    old: tuple[Path, str] | None


@dataclass(frozen=True)
class Shard:
    """A shard that is there.

    Attributes:
        digest: SHA-256 of the file.
        kept: whether it was there before.
        images: of each row its uid, and the SHA-256 of its images one after another in the order of their columns.
    """

    digest: str
    kept: bool
    images: Sequence[tuple[str, bytes]]


MakeShards = Callable[[Sequence[ShardTask]], Generator[tuple[int, Shard], None, None]]
"""Makes shards; gives the number of each and what was made as it ends, in whatever order. Closed, it writes no more."""


def _rows(task: ShardTask, load: Load, images: list[tuple[str, bytes]]) -> Iterator[schema.Row]:
    """Rows of a shard; `images` is told what `Shard` has of them."""
    for one in task.members:
        parts = load(one, task.backend)
        files = {stage.name: part.files for stage, part in parts.items()}
        for scalars, origin in row_facts(one, task.backend, {stage: part.meta for stage, part in parts.items()}):
            digests = "".join(origin[column][2] for column in schema.IMAGE_COLUMNS)
            images.append((scalars["uid"], bytes.fromhex(digests)))
            yield schema.Row(scalars, {column: files[stage][file] for column, (stage, file, _) in origin.items()})


def _images_in(shard: Path) -> Iterator[tuple[str, bytes]]:
    """Uids and digests of the images of an existing shard, as `Shard.images`."""
    with pq.ParquetFile(local_path(shard)) as opened:
        for batch in batches(opened, ["uid", *schema.IMAGE_COLUMNS]):
            for row in batch.to_pylist():
                digests = (hashlib.sha256(row[column]["bytes"]).digest() for column in schema.IMAGE_COLUMNS)
                yield row["uid"], b"".join(digests)


def make_shard(task: ShardTask, load: Load) -> Shard:
    """Write a shard, or keep one that holds the same where that is whole.

    Raises:
        WriteError: if it cannot be written.
        SpecsiaError: if it cannot be read back, or as `load` raises it.
    """
    if task.old is not None and file_digest(task.old[0]) == task.old[1]:
        try:
            os.link(task.old[0], task.path)
        except OSError:
            shutil.copyfile(task.old[0], task.path)
        return Shard(task.old[1], True, list(_images_in(task.path)))
    images: list[tuple[str, bytes]] = []
    write_shard(task.path, _rows(task, load, images), task.schema)
    return Shard(file_digest(task.path) or "", False, images)
