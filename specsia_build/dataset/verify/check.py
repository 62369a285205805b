"""Check a packed dataset: every promise that its files, rows and images can show to be kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from specsia_build.dataset import schema
from specsia_build.dataset.card.licences import stated_by_card
from specsia_build.dataset.checksums import ListedImages
from specsia_build.dataset.decoding import table
from specsia_build.dataset.parallel import results as results_of
from specsia_build.dataset.parquet import local_path
from specsia_build.dataset.places import Place, find_place, leads_out, read_errors
from specsia_build.dataset.reading import Kind, Shard, no_dataset, schema_of
from specsia_build.dataset.verify.clips import ClipOrder
from specsia_build.dataset.verify.files import (
    NEEDED,
    BuildFacts,
    check_card,
    check_parquet_metadata,
    check_presence,
    check_shard,
    check_sum,
    check_texts,
    hash_file,
    is_read_whole,
    named_shards,
    read_build,
    read_sums,
)
from specsia_build.dataset.verify.licences import check_licences, licence_notes
from specsia_build.dataset.verify.published import OF_MASK, UNCHECKED, masks_are_others, published_notes
from specsia_build.dataset.verify.report import (
    AT_REST,
    CHECKS,
    CLIPS,
    DIGESTS,
    FILES,
    LAYOUT,
    SUMS,
    VIEWS,
    CheckResult,
    Findings,
    Problem,
    Report,
)
from specsia_build.dataset.verify.rows import GroupTask, check_group
from specsia_build.dataset.verify.views import Tracker, read_frozen_splits, split_notes
from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.files.names import pattern_note, relative_name
from specsia_build.folders import home

__all__ = ["CheckResult", "Problem", "Report", "verify"]

_COLUMNS = {"specsia": schema.COLUMNS, "clips": schema.MOVING_COLUMNS, "published": schema.PUBLISHED_COLUMNS}


def known_folders(folder: Path | None) -> tuple[str, ...]:
    """Folders of this machine long enough not to occur in a text by chance."""
    found = [home(), Path.cwd(), *([folder.resolve()] if folder is not None else [])]
    return tuple(sorted({str(path) for path in found if len(path.parts) > 2}))


def _kind_of(place: Place, shards: Sequence[Shard]) -> Kind:
    """The kind that the first readable shard is of; where that is none, this project's, for its lacks to be told."""
    for shard in shards:
        try:
            with place.open(shard.name) as stream:
                names = pq.read_schema(stream).names
            if schema_of(names) == "published":
                return "published"
            return "clips" if schema.CLIP_COLUMNS.keys() & set(names) else "specsia"
        except (*read_errors(), pa.ArrowException, ValueError):
            continue
    return "specsia"


def _inferred(place: Place, shards: Sequence[Shard], build: BuildFacts, found: Kind) -> tuple[int, str]:
    """Views and position frame, from the first shard's rows where `build.json` does not say.

    Of clips the views are 0 where that does not say, and positions always those at rest.
    """
    if found == "clips":
        return build.views or 0, "character"
    counts: Counter[str] = Counter()
    boxes: dict[str, set[tuple[float, ...]]] = {}
    columns = ["uid"] if found == "published" else ["character_id", "view", "yaw_deg", "bbox_min", "bbox_max"]
    turns: Counter[int] = Counter()
    if build.views is None or build.pos_frame is None:
        for shard in shards:
            try:
                with place.open(shard.name) as stream, pq.ParquetFile(stream) as opened:
                    rows = table(opened, columns)
                for row in rows.to_pylist():
                    if found == "published":
                        counts[row["uid"].rpartition("_")[0]] += 1
                        continue
                    counts[row["character_id"]] += 1
                    if 0 < 360 * row["view"] / schema.MOST_VIEWS <= row["yaw_deg"] < 360:
                        turns[round(360 * row["view"] / row["yaw_deg"])] += 1
                    boxes.setdefault(row["character_id"], set()).add((*row["bbox_min"], *row["bbox_max"]))
                break
            except (*read_errors(), pa.ArrowException, ValueError, TypeError, AttributeError):
                continue
    # Rows may be missing, or be there twice; their yaws tell of how many views they are.
    usual = turns.most_common(1) or Counter(counts.values()).most_common(1)
    frame = "view" if boxes and all(len(b) > 1 or counts[i] == 1 for i, b in boxes.items()) else "character"
    return build.views or min(schema.MOST_VIEWS, usual[0][0] if usual else 1), build.pos_frame or frame


def _opened(place: Place) -> list[str]:
    """Names of the dataset's files.

    Raises:
        UsageError: if the place holds no dataset.
        SpecsiaError: if it cannot be listed.
    """
    names = schema.own_files(place.folder) if place.folder is not None else list(place.files())
    if not any(name.startswith(f"{schema.DATA}/") and name.endswith(".parquet") for name in names):
        if {schema.RECIPE_FILE, schema.PARTS_FILE} <= set(names):
            raise UsageError(f"{place.where} is a recipe's folder: download it, then verify it here")
        raise UsageError(no_dataset(place.where, names))
    return names


def _belongs(place: Place, name: str, findings: Findings) -> bool:
    """Whether a file can be one of a dataset anywhere; nothing is read of those that cannot."""
    if any(part.startswith(".") and part.strip(".") for part in name.split("/")):
        findings.add(FILES, name, "is no part of a dataset: remove it")
        return False
    try:
        relative_name(name, "name")
    except SpecsiaError as error:
        findings.add(FILES, name, str(error))
        return False
    if place.folder is not None and leads_out(place.folder, name):
        findings.add(FILES, name, "is a link that leads out of the dataset, so it is not read: copy the file")
        return False
    return True


def verify(where: str | Path, *, workers: int = 1, progress: Callable[[int, int], None] | None = None) -> Report:
    """Check a packed dataset, of this project's schema or, as far as that allows, of the published one.

    Args:
        where: a folder, an fsspec URL or a Hub id, as `open_dataset` takes them.
        workers: processes that check row groups; the report does not depend on it.
        progress: told the rows that are done and all rows, whenever some are done.

    Raises:
        UsageError: if there is no such folder.
        SpecsiaError: if it cannot be reached or holds no dataset.
    """
    place = find_place(where)
    findings, folders = Findings(), known_folders(place.folder)
    names = [name for name in _opened(place) if _belongs(place, name, findings)]
    with place.small_files(filter(is_read_whole, names)) as folder:
        files = _check_files(place, folder, names, folders, findings)
        tracker, seen = _check_rows(place, files, folders, workers, progress or (lambda done, total: None), findings)
        unread = seen < files.rows or None in files.groups.values()
        tracker.finish(files.build.size, unread, findings)
    licenses = _licenses(files, tracker)
    if files.kind != "published" and files.card is not None and not unread:
        check_licences(files.card, licenses, "rows", findings)
    skipped, notes = _left_out(names, files, findings, seen, tracker.at_rest)
    if place.folder is not None and (hidden := pattern_note(place.folder, "load_dataset takes")) is not None:
        notes.append(hidden)
    checks = CHECKS.keys() - skipped
    return Report(
        rows=files.rows,
        characters=len({character_id for _, character_id in tracker.characters}),
        configs=files.configs,
        checks=findings.results(checks),
        problems=findings.problems(checks),
        notes=(*notes, *tracker.notes(), *licence_notes(licenses), *split_notes(files.frozen or {})),
    )


def _licenses(files: _Files, tracker: Tracker) -> list[str | None]:
    """Those of all characters: what rows state or, where they have no such column, the card."""
    if files.kind == "published":
        return [stated_by_card(files.card or {})] * len(tracker.licenses)
    return [*tracker.licenses.values()]


@dataclass(frozen=True)
class _Files:
    """What the files of a dataset are and say, before any row is read.

    Attributes:
        kind: of the rows.
        groups: rows of each row group by shard, None where its rows cannot be checked.
        build: what `build.json` says.
        card: its YAML, None where that cannot be read.
        sums: SHA-256 by name of `SHA256SUMS`, None where there is none.
        frozen: split by id of `splits.json`, None where there is none.
        digests: those of `checksums.parquet`, None where there are none to read.
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

    @property
    def readable(self) -> dict[Shard, tuple[int, ...]]:
        return {shard: rows for shard, rows in self.groups.items() if rows is not None}


def _check_files(
    place: Place, folder: Path, names: Sequence[str], folders: Sequence[str], findings: Findings
) -> _Files:
    shards = named_shards(names, findings)
    kind = _kind_of(place, shards)
    sums = read_sums(folder, findings)
    check_presence(names, shards, sums, findings, NEEDED if kind != "published" else (schema.CARD,))
    card = check_card(folder, shards, findings)
    check_texts(folder, names, folders, findings)
    build, frozen = read_build(folder, findings, kind == "clips"), read_frozen_splits(folder, findings)
    digests = None
    if (folder / schema.CHECKSUMS_FILE).is_file():
        try:
            digests = ListedImages(folder)
            with pq.ParquetFile(local_path(folder / schema.CHECKSUMS_FILE)) as opened:
                check_parquet_metadata(opened, schema.CHECKSUMS_FILE, folders, findings)
        except SpecsiaError as error:
            findings.add(FILES, schema.CHECKSUMS_FILE, str(error))
    expected = schema.arrow_schema(_COLUMNS[kind])
    groups = {shard: check_shard(place, shard, expected, folders, findings) for shard in shards}
    return _Files(kind, groups, build, card, sums, frozen, digests)


def _check_rows(
    place: Place,
    files: _Files,
    folders: tuple[str, ...],
    workers: int,
    progress: Callable[[int, int], None],
    findings: Findings,
) -> tuple[Tracker, int]:
    """Check the sums of all files and all rows; returns what was seen between rows, and how many there were."""
    views, pos_frame = _inferred(place, list(files.readable), files.build, files.kind)
    several, clips = len(files.configs) > 1, ClipOrder(views, files.build.fps) if files.kind == "clips" else None
    tracker = Tracker(views, files.frozen, files.digests, several, clips)
    sums = list((files.sums or {}).items())

    def tasks() -> Iterator[tuple[Shard, GroupTask]]:
        for shard, groups in files.readable.items():
            backend = _backend(shard, files)
            for group in range(len(groups)):
                yield shard, GroupTask(place, shard.name, group, files.kind, views, pos_frame, backend, folders)

    calls: chain[tuple[Callable[[Any], Any], Any]] = chain(
        ((hash_file, (place, name)) for name, _ in sums), ((check_group, task) for _, task in tasks())
    )
    results = results_of(calls, workers)
    for (name, listed), found in zip(sums, islice(results, len(sums)), strict=True):
        check_sum(name, listed, found, findings)
    done, seen = 0, 0
    progress(done, files.rows)
    for (shard, task), result in zip(tasks(), results, strict=True):
        findings.merge(result.findings)
        for row in result.rows:
            tracker.feed(shard, row, findings)
        tracker.feed_parted(shard.config, result.parted, findings)
        tracker.at_rest += result.at_rest
        done, seen = done + files.readable[shard][task.group], seen + len(result.rows)
        progress(done, files.rows)
    return tracker, seen


def _left_out(
    names: Sequence[str], files: _Files, findings: Findings, seen: int, at_rest: int
) -> tuple[set[str], list[str]]:
    """Checks that were not carried out, and why; `at_rest` are the clips that go around a character."""
    skipped, notes = {LAYOUT}, []
    if files.sums is None:
        skipped.add(SUMS)
        notes.append(f"there is no {schema.SUMS_FILE}: whether files have changed was not checked")
    if files.digests is None:
        skipped.add(DIGESTS)
    if schema.CHECKSUMS_FILE not in names:
        notes.append(f"there is no {schema.CHECKSUMS_FILE}: whether images were written anew was not checked")
    skipped.add(VIEWS if files.kind == "clips" else CLIPS)
    if files.kind == "clips":
        skipped |= set() if at_rest else AT_REST
        notes.append(
            "positions of a clip are those at rest: that they land on their own pixels and views show one solid was "
            + (f"checked in the {at_rest} clips that go around a character at rest alone" if at_rest else "not checked")
        )
    if files.kind == "published":
        unfit = masks_are_others(findings, seen)
        skipped |= UNCHECKED | (OF_MASK if unfit else set())
        notes += published_notes(unfit, files.frozen is not None)
    return skipped, notes


def _backend(shard: Shard, files: _Files) -> str | None:
    """Name that the rows of a shard give as their backend, as far as that is known."""
    if shard.config != schema.DEFAULT_CONFIG:
        return shard.config
    backends = files.build.backends
    return backends[0] if backends is not None and len(backends) == 1 else None
