"""Check a packed dataset: its files, each row, and rows against each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from specsia_build.dataset import schema, splits
from specsia_build.dataset.checksums import ImageSums
from specsia_build.dataset.licences import stated_by_card
from specsia_build.dataset.places import Place, find_place, read_errors
from specsia_build.dataset.reading import Kind, Shard, kind_of, no_dataset
from specsia_build.dataset.verify import files
from specsia_build.dataset.verify.report import (
    ALPHA,
    CONTOUR,
    EDGE,
    IOU,
    LICENSES,
    OF_DATASETS,
    POSITION,
    SUMS,
    Findings,
    Report,
)
from specsia_build.dataset.verify.rows import COLUMNS, GroupTask, check_group
from specsia_build.dataset.verify.tracker import Tracker
from specsia_build.errors import UsageError
from specsia_build.files.names import pattern_note
from specsia_build.pool import results as results_of

_UNPUBLISHED = frozenset({CONTOUR, POSITION, IOU, LICENSES})
"""Checks that need what the published schema does not hold."""

Progress = Callable[[int, int], None]


def verify(where: str | Path, *, workers: int = 1, progress: Progress | None = None) -> Report:
    """Check a packed dataset, of this project's schema or, as far as that allows, of the published one.

    Args:
        where: a folder, an fsspec URL or a Hub id, as `open_dataset` takes them.
        workers: processes that check row groups; the report does not depend on it.
        progress: called with the rows that are done and the number of all rows.

    Raises:
        UsageError: if there is no such folder.
        SpecsiaError: if it cannot be reached or holds no dataset.
    """
    place = find_place(where)
    findings, folders = Findings(), files.known_folders(place.folder)
    names = [name for name in _names(place) if files.may_be_read(place, name, findings)]
    texts = files.read_texts(place, names, folders, findings)
    shards = files.named_shards(names, findings)
    kind = _kind_of(place, shards)
    sums = files.read_sums(texts.get(schema.SUMS_FILE), findings)
    needed = files.NEEDED if kind != "published" else (schema.CARD,)
    files.check_presence(names, shards, sums, findings, needed)
    card = files.check_card(texts.get(schema.CARD), shards, findings)
    frozen = files.read_splits(texts.get(schema.SPLITS_FILE), findings)
    build = files.read_build(texts.get(schema.BUILD_FILE), findings)
    expected = schema.arrow_schema(COLUMNS[kind])
    groups = {shard: files.check_shard(place, shard, expected, folders, findings) for shard in shards}
    configs = tuple(dict.fromkeys(shard.config for shard in shards))
    image_sums = ImageSums(place) if schema.CHECKSUMS_FILE in names else None
    tracker = Tracker(build, kind == "clips", frozen, image_sums, len(configs) > 1, findings)

    tasks = []
    for shard, rows in groups.items():
        backend = build.backends[0] if len(build.backends) == 1 else None
        backend = backend if shard.config == schema.DEFAULT_CONFIG else shard.config
        for group in range(len(rows or ())):
            tasks.append((shard, GroupTask(place, shard.name, group, kind, build.pos_frame, backend, folders)))
    seen = _check_rows(place, sums or {}, tasks, groups, workers, progress or (lambda done, total: None), tracker)
    total = sum(sum(rows or ()) for rows in groups.values())
    whole = seen == total and None not in groups.values()
    tracker.finish(whole)

    licenses = list(tracker.licenses.values())
    if kind == "published":
        licenses = [stated_by_card(card or {})] * len(licenses)
    elif card is not None and whole:
        files.check_licences(card, licenses, "rows", findings)
    skipped, notes = _left_out(names, kind, findings, seen)
    if place.folder is not None and (hidden := pattern_note(place.folder, "load_dataset takes")) is not None:
        notes.append(hidden)
    characters = {character_id for _, character_id in tracker.characters}
    if frozen is not None and whole:
        notes += splits.empty_notes(frozen, characters)
    carried_out = [name for name in OF_DATASETS if name not in skipped]
    return Report(
        rows=total,
        characters=len(characters),
        configs=configs,
        checks=findings.results(carried_out),
        problems=findings.problems(carried_out),
        notes=(*notes, *files.licence_notes(licenses)),
    )


def _names(place: Place) -> list[str]:
    names = schema.own_files(place.folder) if place.folder is not None else list(place.files())
    if not any(name.startswith(f"{schema.DATA}/") and name.endswith(".parquet") for name in names):
        if {schema.RECIPE_FILE, schema.PARTS_FILE} <= set(names):
            raise UsageError(f"{place.where} is a recipe's folder: download it, then verify it here")
        raise UsageError(no_dataset(place.where, names))
    return names


def _kind_of(place: Place, shards: Sequence[Shard]) -> Kind:
    """The kind of the first readable shard; this project's if there is none."""
    for shard in shards:
        try:
            with place.open(shard.name) as stream:
                names = set(pq.read_schema(stream).names)
        except (*read_errors(), pa.ArrowException, ValueError):
            continue
        return "clips" if schema.CLIP_COLUMNS.keys() & names else kind_of(names) or "specsia"
    return "specsia"


def _check_rows(
    place: Place,
    sums: Mapping[str, str],
    tasks: Sequence[tuple[Shard, GroupTask]],
    groups: Mapping[Shard, tuple[int, ...] | None],
    workers: int,
    progress: Progress,
    tracker: Tracker,
) -> int:
    """Check the sums of all files, and all rows; returns the number of rows that could be read."""
    calls: chain[tuple[Callable[[Any], Any], Any]] = chain(
        ((files.hash_file, (place, name)) for name in sums), ((check_group, task) for _, task in tasks)
    )
    results = results_of(calls, workers)
    for (name, listed), actual in zip(sums.items(), islice(results, len(sums)), strict=True):
        files.check_sum(name, listed, actual, tracker.findings)
    total, done, seen = sum(sum(rows or ()) for rows in groups.values()), 0, 0
    progress(done, total)
    for (shard, task), result in zip(tasks, results, strict=True):
        tracker.findings.merge(result.findings)
        for row in result.rows:
            tracker.feed(shard, row)
        done, seen = done + (groups[shard] or ())[task.group], seen + len(result.rows)
        progress(done, total)
    return seen


def _left_out(names: Sequence[str], kind: Kind, findings: Findings, seen: int) -> tuple[set[str], list[str]]:
    """Checks that were not carried out, and why."""
    absent = {schema.SUMS_FILE: "files have", schema.CHECKSUMS_FILE: "images were"}
    notes = [f"there is no {n}: whether {w} changed was not checked" for n, w in absent.items() if n not in names]
    skipped = {SUMS} if len(notes) == len(absent) else set()
    if kind == "clips":
        notes.append("positions of a clip are those at rest: whether they land was checked in turntables alone")
    if kind == "published":
        skipped |= _UNPUBLISHED
        notes.append("the published schema has no alpha, gt_mask, iou, boxes and contours: these were not checked")
        # A mask that is wrong by mistake gives up to three problems in its row, and no other row.
        if findings.counts.get(ALPHA, 0) > 1.5 * seen:
            skipped |= {ALPHA, EDGE}
            notes.append("mask is not the silhouette of color and pos but the ground truth's, as in the published set")
    return skipped, notes
