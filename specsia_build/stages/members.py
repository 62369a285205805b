"""What pack keeps in mind of a character or clip, and the rows that it becomes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from specsia_build.dataset import schema
from specsia_build.dataset.layers import frame_file, view_file
from specsia_build.frame import view_yaws
from specsia_build.stages import project, render
from specsia_build.stages.artefact import canonical_json, sha256
from specsia_build.stages.clips import draw, move
from specsia_build.stages.stage import CharacterStage, EarlierMeta, Meta


def _origins(made: CharacterStage, clean: CharacterStage, mask: str) -> dict[str, tuple[CharacterStage, str]]:
    """Of each image column the stage that it comes from, and what that calls it; `mask` is its clean silhouette."""
    of_made = {name: (made, name) for name in (schema.COLOR, schema.MASK, schema.POS, schema.EDGE)}
    return {**of_made, schema.GT: (clean, schema.GT), schema.GT_MASK: (clean, mask)}


_ORIGIN = _origins(project.STAGE, render.STAGE, schema.GT_MASK)

_CLIP_ORIGIN = _origins(move.STAGE, draw.STAGE, schema.MASK)

RowFacts = Iterator[tuple[dict[str, Any], dict[str, tuple[str, str, str]]]]
"""Of each row the values, and by image column the stage's name, the file and SHA-256 of the image."""


class Member(msgspec.Struct, frozen=True, gc=False):
    """What packing keeps in mind of a character or clip that a backend made, whose meta data stay on disk.

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
        """All of it, in this order."""
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
    found = {column: (stage, file_of(name)) for column, (stage, name) in origins.items()}
    return {
        column: (stage.name, file, metas[stage]["files"][file]["sha256"]) for column, (stage, file) in found.items()
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
