"""What pack keeps in mind of a character, and the rows that it becomes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from specsia_build.dataset import schema
from specsia_build.frame import view_yaws
from specsia_build.stages import looks, project, render
from specsia_build.stages.artefact import canonical_json, sha256, view_file
from specsia_build.stages.stage import EarlierMeta

_ORIGIN = {
    schema.COLOR: (project.STAGE, looks.COLOR),
    schema.MASK: (project.STAGE, looks.MASK),
    schema.POS: (project.STAGE, project.POS),
    schema.EDGE: (project.STAGE, project.EDGE),
    schema.GT: (render.STAGE, render.GT),
    schema.GT_MASK: (render.STAGE, render.GT_MASK),
}


@dataclass(frozen=True)
class Member:
    """What packing keeps in mind of a character that a backend made, whose meta data stay on disk.

    Attributes:
        id: of the character.
        digest: SHA-256 over every value and every image's SHA-256 of its rows.
        image_bytes: of its rows.
        mean_iou: after registration.
        frontal_before: frontal IoU before registration.
        license, credit: of the character, None where its source states none.
    """

    id: str
    digest: str
    image_bytes: int
    mean_iou: float
    frontal_before: float
    license: str | None
    credit: str | None


def row_facts(
    character_id: str, backend: str, metas: EarlierMeta
) -> Iterator[tuple[dict[str, Any], dict[str, tuple[str, str, str]]]]:
    """Of each row the values, and by image column the stage's name, the file and SHA-256 of the image."""
    rendered, projected = metas[render.STAGE], metas[project.STAGE]
    for view, yaw in enumerate(view_yaws(rendered["views"])):
        low, high = projected["boxes"][view]
        scalars = {
            "uid": schema.row_uid(character_id, view),
            "character_id": character_id,
            "view": view,
            "yaw_deg": yaw,
            "iou": projected["iou"][view],
            "backend": backend,
            "outline_px": rendered["outline_px"],
            "outline_grey": rendered["outline_grey"],
            "bbox_min": low,
            "bbox_max": high,
            "license": rendered["license"],
        }
        origin = {}
        for column, (stage, name) in _ORIGIN.items():
            file = view_file(name, view)
            origin[column] = stage.name, file, metas[stage]["files"][file]["sha256"]
        yield scalars, origin


def member(character_id: str, backend: str, metas: EarlierMeta) -> Member:
    """A character by the meta data of its render and its project artefact."""
    rendered, projected = metas[render.STAGE], metas[project.STAGE]
    facts = list(row_facts(character_id, backend, metas))
    listed = {stage.name: meta["files"] for stage, meta in metas.items()}
    images = (listed[stage][file] for _, origin in facts for stage, file, _ in origin.values())
    return Member(
        id=character_id,
        digest=sha256(canonical_json(facts).encode()),
        image_bytes=sum(image["bytes"] for image in images),
        mean_iou=projected["mean_iou"],
        frontal_before=projected["frontal_iou_before"],
        license=rendered["license"],
        credit=rendered["source"],
    )
