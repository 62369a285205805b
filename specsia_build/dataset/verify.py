"""Check a packed dataset: every promise that its files, rows and images can show to be kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from specsia_build.dataset import schema
from specsia_build.dataset.checksums import read_checksums
from specsia_build.dataset.parallel import results as results_of
from specsia_build.dataset.verify_files import (
    BuildFacts,
    Shard,
    check_card,
    check_presence,
    check_shard,
    check_sum,
    check_texts,
    find_shards,
    hash_file,
    own_files,
    read_build,
    read_sums,
)
from specsia_build.dataset.verify_report import (
    CHECKS,
    DIGESTS,
    FILES,
    SUMS,
    CheckResult,
    Findings,
    Problem,
    Report,
)
from specsia_build.dataset.verify_rows import GroupTask, check_group
from specsia_build.dataset.verify_views import Tracker, read_frozen_splits, split_notes
from specsia_build.errors import SpecsiaError, UsageError

__all__ = ["CheckResult", "Problem", "Report", "verify"]


def _known_folders(folder: Path) -> tuple[str, ...]:
    """Folders of this machine long enough not to occur in a text by chance."""
    found = (Path.home(), Path.cwd(), folder.resolve())
    return tuple(sorted({str(path) for path in found if len(path.parts) > 2}))


def _inferred(build: BuildFacts, shards: Sequence[Shard]) -> tuple[int, str]:
    """Views and position frame, from the first shard's rows where `build.json` does not say."""
    counts: Counter[str] = Counter()
    boxes: dict[str, set[tuple[float, ...]]] = {}
    if build.views is None or build.pos_frame is None:
        for shard in shards:
            try:
                table = pq.read_table(shard.path, columns=["character_id", "bbox_min", "bbox_max"])
                for row in table.to_pylist():
                    counts[row["character_id"]] += 1
                    boxes.setdefault(row["character_id"], set()).add((*row["bbox_min"], *row["bbox_max"]))
                break
            except (OSError, pa.ArrowException, ValueError, TypeError):
                continue
    usual = Counter(counts.values()).most_common(1)
    frame = "view" if boxes and all(len(b) > 1 or counts[i] == 1 for i, b in boxes.items()) else "character"
    return build.views or (usual[0][0] if usual else 1), build.pos_frame or frame


def _opened(folder: Path) -> list[str]:
    """Names of the dataset's files.

    Raises:
        UsageError: if there is no such folder.
        SpecsiaError: if it holds no dataset.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}: give the folder of a packed dataset, such as DIR/dataset")
    names = own_files(folder)
    if not any(name.startswith(f"{schema.DATA}/") and name.endswith(".parquet") for name in names):
        inner = folder / "dataset"
        hint = f"did you mean {inner}?" if (inner / schema.DATA).is_dir() else "build one with `specsia build`"
        raise SpecsiaError(f"{folder} is no packed dataset, as it has no parquet files in {schema.DATA}/: {hint}")
    return names


def verify(folder: Path, *, workers: int = 1, progress: Callable[[int, int], None] | None = None) -> Report:
    """Check a packed dataset.

    Args:
        folder: of the dataset.
        workers: processes that check row groups; the report does not depend on it.
        progress: told the rows that are done and all rows, whenever some are done.

    Raises:
        UsageError: if there is no such folder.
        SpecsiaError: if it holds no dataset.
    """
    names = _opened(folder)
    findings, notes = Findings(), []
    skipped: set[str] = set()
    folders = _known_folders(folder)
    shards = find_shards(folder, names, findings)
    sums = read_sums(folder, findings)
    if sums is None:
        skipped.add(SUMS)
        notes.append(f"there is no {schema.SUMS_FILE}: whether files have changed was not checked")
    check_presence(names, shards, sums, findings)
    check_card(folder, shards, findings)
    check_texts(folder, folders, findings)
    build, frozen = read_build(folder, findings), read_frozen_splits(folder, findings)
    digests = None
    if (folder / schema.CHECKSUMS_FILE).is_file():
        try:
            digests = read_checksums(folder)
        except SpecsiaError as error:
            findings.add(FILES, schema.CHECKSUMS_FILE, str(error))
    else:
        notes.append(f"there is no {schema.CHECKSUMS_FILE}: whether images were written anew was not checked")
    if digests is None:
        skipped.add(DIGESTS)
    expected = schema.arrow_schema()
    groups = {shard: check_shard(shard, expected, folders, findings) for shard in shards}
    readable = [shard for shard in shards if groups[shard] is not None]
    total = sum(sum(rows or ()) for rows in groups.values())
    views, pos_frame = _inferred(build, readable)
    configs = tuple(dict.fromkeys(shard.config for shard in shards))
    tracker = Tracker(views, frozen, digests, len(configs) > 1)

    files = [(name, listed) for name, listed in (sums or {}).items()]
    tasks = [
        (shard, count, GroupTask(shard.path, shard.name, group, views, pos_frame, _backend(shard, build), folders))
        for shard in readable
        for group, count in enumerate(groups[shard] or ())
    ]
    calls = [(hash_file, folder / name) for name, _ in files] + [(check_group, task) for _, _, task in tasks]
    results = results_of(calls, workers)
    for (name, listed), found in zip(files, islice(results, len(files)), strict=True):
        check_sum(name, listed, found, findings)
    done, seen = 0, 0
    if progress is not None:
        progress(0, total)
    for (shard, count, _), result in zip(tasks, results, strict=True):
        findings.merge(result.findings)
        for row in result.rows:
            tracker.feed(shard, row, findings)
        tracker.feed_parted(shard.config, result.parted, findings)
        done, seen = done + count, seen + len(result.rows)
        if progress is not None:
            progress(done, total)
    tracker.finish(build.size, seen < total or len(readable) < len(shards), findings)
    notes += tracker.notes() + split_notes(frozen or {})
    return Report(
        rows=total,
        characters=len({character_id for _, character_id in tracker.characters}),
        configs=configs,
        checks=findings.results([name for name in CHECKS if name not in skipped]),
        problems=findings.problems(),
        notes=tuple(notes),
    )


def _backend(shard: Shard, build: BuildFacts) -> str | None:
    """Name that the rows of a shard give as their backend, as far as that is known."""
    if shard.config != schema.DEFAULT_CONFIG:
        return shard.config
    return build.backends[0] if build.backends is not None and len(build.backends) == 1 else None
