"""Stage 4, pack: rows from artefacts, in splits and shards, with the card and the checksums."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from specsia_build import __version__
from specsia_build.characters.character import id_order_key
from specsia_build.config import BuildConfig, backend_name, result_settings
from specsia_build.dataset import schema, splits
from specsia_build.dataset.card import CardFacts, write_card
from specsia_build.dataset.checksums import write_checksums, write_sums
from specsia_build.dataset.parquet import plan_shards, write_shard
from specsia_build.dataset.places import public_name
from specsia_build.frame import view_yaws
from specsia_build.stages import project, reconstruct, render
from specsia_build.stages.artefact import Artefact, canonical_json, sha256, view_file

NAME = "pack"
VERSION = 1

BYTES_PACKAGES = ("isal", "llvmlite", "numba", "numpy", "pillow", "pyarrow", "datasets", "scipy", "scikit-image")
"""Packages whose version may change a dataset's bytes."""

_COLUMN_ORIGIN = {
    schema.COLOR: (project.NAME, project.COLOR),
    schema.MASK: (project.NAME, project.MASK),
    schema.POS: (project.NAME, project.POS),
    schema.EDGE: (project.NAME, project.EDGE),
    schema.GT: (render.NAME, render.GT),
    schema.GT_MASK: (render.NAME, render.GT_MASK),
}


@dataclass(frozen=True)
class PackPlan:
    """What is to be packed.

    Attributes:
        config: of the build.
        source: name of the source, free of paths.
        planned: characters asked for.
        splits: split of each id of the source.
        members: per backend name the ids that are built.
        quarantined: characters left out per backend, `""` for those that no backend saw.
        rendered: meta data of the render artefact by id.
        projected: meta data of the project artefact by backend name and id.
        sees_ground_truth: backends that do.
    """

    config: BuildConfig
    source: str
    planned: int
    splits: Mapping[str, str]
    members: Mapping[str, Sequence[str]]
    quarantined: Mapping[str, int]
    rendered: Mapping[str, Mapping[str, Any]]
    projected: Mapping[str, Mapping[str, Mapping[str, Any]]]
    sees_ground_truth: Sequence[str]


def _build_record(plan: PackPlan) -> dict[str, Any]:
    config = result_settings(plan.config)
    config["source"] = plan.source
    if plan.config.like is None:
        del config["like"]
    else:
        config["like"] = public_name(plan.config.like)
    config["backends"] = [backend_name(spec) for spec in plan.config.backends]
    versions = {module.NAME: module.VERSION for module in (render, reconstruct, project)} | {NAME: VERSION}
    return {
        "specsia": __version__,
        "schema_version": schema.SCHEMA_VERSION,
        "config": config,
        "stages": versions,
        "packages": {name: version(name) for name in BYTES_PACKAGES},
        "python": platform.python_version(),
        "machine": platform.machine(),
        "planned": plan.planned,
        "quarantined": dict(plan.quarantined),
    }


def fingerprint(plan: PackPlan) -> str:
    """SHA-256 over all that decides the packed bytes."""
    parts = {
        "record": _build_record(plan),
        "splits": dict(plan.splits),
        "rendered": {i: plan.rendered[i]["fingerprint"] for ids in plan.members.values() for i in ids},
        "projected": {b: {i: plan.projected[b][i]["fingerprint"] for i in ids} for b, ids in plan.members.items()},
    }
    return sha256(canonical_json(parts).encode())


def _rows(
    ids: Sequence[str],
    backend: str,
    plan: PackPlan,
    load: Callable[[str, str, str | None], Artefact],
    digests: list[tuple[str, str, str, str]],
    config_name: str,
) -> Iterator[schema.Row]:
    yaws = view_yaws(plan.config.views)
    for character_id in ids:
        parts = {
            render.NAME: load(render.NAME, character_id, None),
            project.NAME: load(project.NAME, character_id, backend),
        }
        made, clean = parts[project.NAME].meta, parts[render.NAME].meta
        for view, yaw in enumerate(yaws):
            uid = schema.row_uid(character_id, view)
            images = {}
            for column, (stage, name) in _COLUMN_ORIGIN.items():
                file = view_file(name, view)
                images[column] = parts[stage].files[file]
                digests.append((config_name, uid, column, parts[stage].meta["files"][file]["sha256"]))
            low, high = made["boxes"][view]
            scalars = {
                "uid": uid,
                "character_id": character_id,
                "view": view,
                "yaw_deg": yaw,
                "iou": made["iou"][view],
                "backend": backend,
                "outline_px": clean["outline_px"],
                "outline_grey": clean["outline_grey"],
                "bbox_min": low,
                "bbox_max": high,
                "license": clean["license"],
            }
            yield schema.Row(scalars, images)


def _image_bytes(plan: PackPlan, backend: str, character_id: str) -> int:
    total = 0
    for meta in (plan.rendered[character_id], plan.projected[backend][character_id]):
        total += sum(file["bytes"] for name, file in meta["files"].items() if name.endswith(".png"))
    return total


def pack(
    plan: PackPlan,
    load: Callable[[str, str, str | None], Artefact],
    folder: Path,
    advance: Callable[[int], None],
) -> int:
    """Write the dataset into `folder`, replacing what is there only once all of it is written.

    Args:
        plan: what to pack.
        load: an artefact by stage, character id and backend name.
        folder: of the dataset.
        advance: told the number of characters as they are packed.

    Returns:
        Number of rows.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    several = len(plan.members) > 1
    arrow = schema.arrow_schema()
    digests: list[tuple[str, str, str, str]] = []
    rows: dict[str, dict[str, int]] = {backend: {} for backend in plan.members}
    characters: dict[str, dict[str, int]] = {backend: {} for backend in plan.members}
    for backend, members in plan.members.items():
        config_name = backend if several else schema.DEFAULT_CONFIG
        data = partial / schema.data_folder(backend, several)
        data.mkdir(parents=True)
        for split in schema.SPLITS:
            ids = sorted((i for i in members if plan.splits[i] == split), key=id_order_key)
            if not ids:
                continue
            shards = plan_shards(ids, [_image_bytes(plan, backend, i) for i in ids])
            for index, part in enumerate(shards):
                found = _rows(ids[part], backend, plan, load, digests, config_name)
                count = write_shard(data / schema.shard_name(split, index, len(shards)), found, arrow)
                rows[backend][split] = rows[backend].get(split, 0) + count
                advance(len(ids[part]))
            characters[backend][split] = len(ids)
    packed = sorted({i for ids in plan.members.values() for i in ids}, key=id_order_key)
    record = _build_record(plan) | {"fingerprint": fingerprint(plan)}
    facts = CardFacts(
        source=plan.source,
        planned=plan.planned,
        rows=rows,
        characters=characters,
        quality={b: [plan.projected[b][i]["mean_iou"] for i in ids] for b, ids in plan.members.items()},
        frontal_before={
            b: [plan.projected[b][i]["frontal_iou_before"] for i in ids] for b, ids in plan.members.items()
        },
        licenses=[(plan.rendered[i]["license"], plan.rendered[i]["source"]) for i in packed],
        quarantined=plan.quarantined,
        sees_ground_truth=plan.sees_ground_truth,
        build=record,
    )
    (partial / schema.CARD).write_text(write_card(facts), encoding="utf-8")
    (partial / schema.SPLITS_FILE).write_text(splits.to_json(plan.splits), encoding="utf-8")
    text = json.dumps(record, indent=1, ensure_ascii=False, sort_keys=True)
    (partial / schema.BUILD_FILE).write_text(text + "\n", encoding="utf-8")
    write_checksums(partial, digests)
    write_sums(partial)
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.replace(old)
    partial.replace(folder)
    shutil.rmtree(old, ignore_errors=True)
    return sum(sum(by_split.values()) for by_split in rows.values())


def packed_fingerprint(folder: Path) -> str | None:
    """Fingerprint of the dataset that is there, or None."""
    try:
        record = json.loads((folder / schema.BUILD_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    found = record.get("fingerprint") if isinstance(record, dict) else None
    return found if isinstance(found, str) and (folder / schema.SUMS_FILE).is_file() else None
