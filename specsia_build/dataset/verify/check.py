"""Check a packed dataset: its files, its rows and what rows say together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from specsia_build.dataset import schema, splits
from specsia_build.dataset.card.licences import stated_by_card
from specsia_build.dataset.checksums import ListedImages
from specsia_build.dataset.places import Place, find_place, read_errors
from specsia_build.dataset.reading import Kind, Shard, no_dataset, schema_of
from specsia_build.dataset.verify import files as files_checks
from specsia_build.dataset.verify.files import NEEDED, BuildFacts, known_folders
from specsia_build.dataset.verify.report import (
    ALPHA,
    CONTOUR,
    EDGE,
    FILES,
    IOU,
    LICENSES,
    OF_DATASETS,
    POSITION,
    SUMS,
    Findings,
    Report,
)
from specsia_build.dataset.verify.rows import GroupTask, check_group
from specsia_build.dataset.verify.tracker import Tracker
from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.files.names import pattern_note
from specsia_build.pool import results as results_of

_COLUMNS = {"specsia": schema.COLUMNS, "clips": schema.MOVING_COLUMNS, "published": schema.PUBLISHED_COLUMNS}

_UNPUBLISHED = frozenset({CONTOUR, POSITION, IOU, LICENSES})
"""Checks that need what the published schema does not hold."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class _Files:
    """What the files of a dataset are and say, before any row is read.

    Attributes:
        kind: of the rows.
        groups: rows of each row group by shard; None where its rows cannot be checked.
        build: what `build.json` says.
        card: its YAML; None if that cannot be read.
        sums: SHA-256 by name of `SHA256SUMS`; None if there is none.
        frozen: split by id of `splits.json`; None if there is none.
        digests: those of `checksums.parquet`; None if there are none to read.
    """

    kind: Kind
    groups: Mapping[Shard, tuple[int, ...] | None]
    build: BuildFacts
    card: Mapping[str, Any] | None
    sums: Mapping[str, str] | None
    frozen: Mapping[str, str] | None
    digests: ListedImages | None

    @property
    def rows(self) -> int:
        return sum(sum(rows or ()) for rows in self.groups.values())

    @property
    def configs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(shard.config for shard in self.groups))


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
    findings, folders = Findings(), known_folders(place.folder)
    names = [name for name in _names(place) if files_checks.may_be_read(place, name, findings)]
    with place.small_files(filter(files_checks.is_read_whole, names)) as folder:
        files = _check_files(place, folder, names, folders, findings)
        several = len(files.configs) > 1
        tracker = Tracker(files.build, files.kind == "clips", files.frozen, files.digests, several, findings)
        seen = _check_rows(place, files, folders, workers, progress or (lambda done, total: None), tracker)
        unread = seen < files.rows or None in files.groups.values()
        tracker.finish(unread)
    licenses = list(tracker.licenses.values())
    if files.kind == "published":
        licenses = [stated_by_card(files.card or {})] * len(licenses)
    elif files.card is not None and not unread:
        files_checks.check_licences(files.card, licenses, "rows", findings)
    skipped, notes = _left_out(names, files, findings, seen)
    if place.folder is not None and (hidden := pattern_note(place.folder, "load_dataset takes")) is not None:
        notes.append(hidden)
    if files.frozen is not None and not unread:
        notes += splits.empty_notes(files.frozen, {character_id for _, character_id in tracker.characters})
    carried_out = [name for name in OF_DATASETS if name not in skipped]
    return Report(
        rows=files.rows,
        characters=len({character_id for _, character_id in tracker.characters}),
        configs=files.configs,
        checks=findings.results(carried_out),
        problems=findings.problems(carried_out),
        notes=(*notes, *files_checks.licence_notes(licenses)),
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
                names = pq.read_schema(stream).names
        except (*read_errors(), pa.ArrowException, ValueError):
            continue
        if schema_of(names) == "published":
            return "published"
        return "clips" if schema.CLIP_COLUMNS.keys() & set(names) else "specsia"
    return "specsia"


def _check_files(
    place: Place, folder: Path, names: Sequence[str], folders: Sequence[str], findings: Findings
) -> _Files:
    shards = files_checks.named_shards(names, findings)
    kind = _kind_of(place, shards)
    sums = files_checks.read_sums(folder, findings)
    needed = NEEDED if kind != "published" else (schema.CARD,)
    files_checks.check_presence(names, shards, sums, findings, needed)
    files_checks.check_texts(folder, names, folders, findings)
    digests = None
    if (folder / schema.CHECKSUMS_FILE).is_file():
        try:
            digests = ListedImages(folder)
        except SpecsiaError as error:
            findings.add(FILES, schema.CHECKSUMS_FILE, str(error))
    expected = schema.arrow_schema(_COLUMNS[kind])
    return _Files(
        kind=kind,
        groups={s: files_checks.check_shard(place, s, expected, folders, findings) for s in shards},
        build=files_checks.read_build(folder, kind == "clips", findings),
        card=files_checks.check_card(folder, shards, findings),
        sums=sums,
        frozen=files_checks.read_frozen_splits(folder, findings),
        digests=digests,
    )


def _check_rows(
    place: Place, files: _Files, folders: tuple[str, ...], workers: int, progress: Progress, tracker: Tracker
) -> int:
    """Check the sums of all files, and all rows; returns the number of rows that could be read."""
    sums = list((files.sums or {}).items())
    counts = [(shard, rows) for shard, groups in files.groups.items() for rows in enumerate(groups or ())]

    def tasks() -> Iterator[GroupTask]:
        backends = files.build.backends
        for shard, (group, _) in counts:
            default = backends[0] if len(backends) == 1 else None
            backend = default if shard.config == schema.DEFAULT_CONFIG else shard.config
            yield GroupTask(place, shard.name, group, files.kind, files.build.pos_frame, backend, folders)

    calls: chain[tuple[Callable[[Any], Any], Any]] = chain(
        ((hash_, (place, name)) for hash_ in (files_checks.hash_file,) for name, _ in sums),
        ((check_group, task) for task in tasks()),
    )
    results = results_of(calls, workers)
    for (name, listed), actual in zip(sums, islice(results, len(sums)), strict=True):
        files_checks.check_sum(name, listed, actual, tracker.findings)
    done, seen = 0, 0
    progress(done, files.rows)
    for (shard, (_, rows)), result in zip(counts, results, strict=True):
        tracker.findings.merge(result.findings)
        for row in result.rows:
            tracker.feed(shard, row)
        done, seen = done + rows, seen + len(result.rows)
        progress(done, files.rows)
    return seen


def _left_out(names: Sequence[str], files: _Files, findings: Findings, seen: int) -> tuple[set[str], list[str]]:
    """Checks that were not carried out, and why."""
    skipped: set[str] = set()
    notes = [
        f"there is no {name}: whether {what} changed was not checked"
        for name, what in ((schema.SUMS_FILE, "files have"), (schema.CHECKSUMS_FILE, "images were"))
        if name not in names
    ]
    if files.sums is None and files.digests is None:
        skipped.add(SUMS)
    if files.kind == "clips":
        notes.append("positions of a clip are those at rest: whether they land was checked in turntables alone")
    if files.kind == "published":
        skipped |= _UNPUBLISHED
        notes.append("the published schema has no alpha, gt_mask, iou, boxes and contours: these were not checked")
        # A mask that is wrong by mistake gives up to three problems in its row, and no other row.
        if findings.counts.get(ALPHA, 0) > 1.5 * seen:
            skipped |= {ALPHA, EDGE}
            notes.append("mask is not the silhouette of color and pos but the ground truth's, as in the published set")
    return skipped, notes
