"""What pack takes of a run: the summary of a character or clip, and its pictures."""

from collections.abc import Iterator
from typing import Any

from specsia_build.dataset import schema
from specsia_build.dataset.layers import frame_file, view_file
from specsia_build.files.digests import canonical_json, sha256
from specsia_build.frame import Camera, view_yaws
from specsia_build.layouts.part import Member, Pictures
from specsia_build.rendering.ink import luma
from specsia_build.stages import project, render
from specsia_build.stages.clips import draw, move
from specsia_build.stages.stage import CharacterStage, Earlier, EarlierMeta, Meta


def _origins(
    result: CharacterStage, truth: CharacterStage, mask: str
) -> dict[str, tuple[CharacterStage, str]]:
    """Stage and layer of each image column; `mask` is the layer of the ground truth's silhouette."""
    origins = {name: (result, name) for name in (schema.COLOR, schema.MASK, schema.POS, schema.EDGE)}
    return {**origins, schema.GT: (truth, schema.GT), schema.GT_MASK: (truth, mask)}


_ORIGIN = _origins(project.PROJECT, render.RENDER, schema.GT_MASK)
_CLIP_ORIGIN = _origins(move.MOVE, draw.DRAW, schema.MASK)

_LEVEL = {name: getattr(Camera(0.0, 1), name) for name in schema.CAMERA_COLUMNS}
"""Columns of a camera of a ring."""


_RowFacts = Iterator[tuple[dict[str, Any], dict[str, tuple[str, str, str]]]]
"""Values of each row, and by image column the stage's name, the file and SHA-256 of the image."""


def _truth_and_result(metas: EarlierMeta) -> tuple[bool, Meta, Meta]:
    """Whether meta data are of a clip, the meta data of the ground truth, and those of the reconstruction."""
    if draw.DRAW in metas:
        return True, metas[draw.DRAW], metas.get(move.MOVE, metas[draw.DRAW])
    return False, metas[render.RENDER], metas[project.PROJECT]


def row_facts(key: str, backend: str, metas: EarlierMeta) -> _RowFacts:
    """Values and images of a clip's frames or of a character's views."""
    is_clip, truth, result = _truth_and_result(metas)
    origins = dict(_CLIP_ORIGIN if is_clip else _ORIGIN)
    if not is_clip:
        origins |= {f"gt_{name}": (render.RENDER, f"gt_{name}") for name in truth.get("layers", ())}
    for k, yaw in enumerate(truth["yaws"] if is_clip else view_yaws(truth["views"])):
        box = result["box"] if is_clip else result["boxes"][k]
        camera = truth["cameras"][k] if "cameras" in truth else _LEVEL
        scalars = {
            "uid": schema.frame_uid(key, k) if is_clip else schema.row_uid(key, k),
            "character_id": truth["character"] if is_clip else key,
            "view": truth["clip"]["view"] if is_clip else k,
            "yaw_deg": camera.get("yaw_deg", yaw),
            "iou": result["iou"][k],
            "backend": backend,
            "outline_px": truth["outline_px"],
            "outline_grey": luma(truth["outline_rgb"][k]),
            "outline_rgb": truth["outline_rgb"][k],
            "bbox_min": box[0],
            "bbox_max": box[1],
            "license": truth["license"],
            **{name: camera[name] for name in schema.CAMERA_COLUMNS},
        }
        if is_clip:
            scalars |= {"clip": key, "frame": k, "time": truth["times"][k], "action": truth["clip"]["action"]}
        images = {}
        for column, (stage, layer) in origins.items():
            file = frame_file(layer, k) if is_clip else view_file(layer, k)
            images[column] = (stage.name, file, metas[stage]["files"][file]["sha256"])
        yield scalars, images


def member(key: str, backend: str | None, metas: EarlierMeta) -> Member:
    """Summarise a character or clip from the meta data of its artefacts that pack reads.

    Without a backend it is the clip of the character itself. The digest of a pair is over its rows, so that
    another way to the same pictures packs nothing anew.
    """
    is_clip, truth, result = _truth_and_result(metas)
    listed = {stage.name: meta["files"] for stage, meta in metas.items()}
    if has_rows(metas):
        facts = list(row_facts(key, backend or "", metas))
        images = [listed[stage][file] for _, origin in facts for stage, file, _ in origin.values()]
        rows, digest = len(facts), sha256(canonical_json(facts).encode())
    else:
        images = list(listed[draw.DRAW.name if backend is None else move.MOVE.name].values())
        rows, digest = len(truth["times"]), result["fingerprint"]
    return Member(
        id=key,
        character=truth["character"] if is_clip else key,
        backend=backend,
        rows=rows,
        digest=digest,
        image_bytes=sum(image["bytes"] for image in images),
        mean_iou=result.get("mean_iou"),
        frontal_before=None if is_clip else result["frontal_iou_before"],
        action=truth["clip"]["action"] if is_clip else None,
        license=truth["license"],
        credit=truth["source"],
    )


def has_rows(metas: EarlierMeta) -> bool:
    """Whether artefacts hold all pictures of a dataset's rows; clips have Y* only if pairs need it."""
    if project.PROJECT in metas:
        return True
    return move.MOVE in metas and frame_file(schema.GT, 0) in metas[draw.DRAW]["files"]


def pictures(key: str, backend: str | None, parts: Earlier) -> Pictures:
    """The pictures of a member, from its artefacts that pack reads."""
    metas = {stage: part.meta for stage, part in parts.items()}
    is_clip, truth, result = _truth_and_result(metas)
    meta = dict(truth)
    files: dict[str, bytes] = {}
    if is_clip:
        meta |= {"box": result["box"]}
        files |= parts[draw.DRAW if backend is None else move.MOVE].files
    else:
        yaws = [camera["yaw_deg"] for camera in truth["cameras"]] if "cameras" in truth else None
        meta |= {"id": key, "character": key, "yaws": yaws or view_yaws(truth["views"])}
        meta |= {name: result[name] for name in ("turned_boxes", "pos_frame") if name in result}
    if backend is not None:
        meta |= {"backend": backend}
    if has_rows(metas):
        facts = list(row_facts(key, backend or "", metas))
        meta |= {"rows": [scalars for scalars, _ in facts]}
        by_name = {stage.name: part.files for stage, part in parts.items()}
        for k, (_, origin) in enumerate(facts):
            for column, (stage, file, _) in origin.items():
                files[frame_file(column, k)] = by_name[stage][file]
    clean = parts[draw.DRAW].files if is_clip and backend is not None else None
    return Pictures(meta, files, clean)
