"""The characters of a build, and the splits that they are in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specsia_build.characters.character import Entry, id_order_key
from specsia_build.characters.doubles import DigestsOf, Shape, same_files, same_shapes
from specsia_build.characters.sources import Source, open_source
from specsia_build.config import BuildConfig, in_shard
from specsia_build.config_file import read_settings
from specsia_build.dataset import splits
from specsia_build.dataset.membership import splits_of
from specsia_build.dataset.reading import open_dataset
from specsia_build.errors import UsageError, plural, some
from specsia_build.folders import expanded
from specsia_build.memory import lasting
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.plan import Run
from specsia_build.pipeline.progress import named
from specsia_build.stages.registry import character_stages

_MOST_DOUBLES = 5


@dataclass(frozen=True)
class Characters:
    """The characters of a build.

    Attributes:
        source: name of the source.
        entries: those that are built, in order.
        splits: split of each id of the source, or of the dataset that is followed.
        left_out: ids of the source that are not built.
        lacking: ids of the dataset that is followed which the source does not have.
        gone: ids of the run's splits that the source does not have.
        remarks: sentences about the source and the selection.
    """

    source: str
    entries: tuple[Entry, ...]
    splits: Mapping[str, str]
    left_out: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def notes(self, run: Run) -> list[str]:
        """What a user should know of the selection."""
        first = character_stages(run.config)[0]
        gone = [one for one in self.gone if run.meta(first, None, one) is not None]
        if not gone:
            return list(self.remarks)
        had = plural(len(gone), "character")
        return [*self.remarks, f"the source lacks {had} that this run had, left out from now on: {named(gone)}"]


def source_of(config: BuildConfig, layout: RunLayout) -> Source:
    """The source of a run, none of whose characters is read yet.

    Raises:
        UsageError: if it is not there, or holds nothing.
    """
    place = Path(config.source)
    known = layout.splits.is_file() and layout.config.is_file() and read_settings(layout.config).get("source")
    if known == config.source and not config.source.startswith("sample:") and not os.path.lexists(place):
        raise UsageError(
            f"the source of {layout.root} is not at {place} any more: give the place where it is now, "
            f"`{config.command} PLACE --out {layout.out}`, and that goes on"
        )
    with lasting():
        return open_source(config.source, layout.source)


def _excluded(path: str | None) -> frozenset[str]:
    """Ids that a file names, one a line."""
    if path is None:
        return frozenset()
    try:
        lines = expanded(path).read_text(encoding="utf-8-sig").split("\n")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise UsageError(f"exclude: {path} cannot be read: {why}; give a file of ids, one a line") from error
    return frozenset(map(str.strip, lines)) - {""}


def find_characters(config: BuildConfig, layout: RunLayout, before: Mapping[str, Any] | None) -> Characters:
    """The characters that a build is about, in the splits of its run, of a dataset, or drawn anew; nothing is written.

    Args:
        config: of the build.
        layout: of its run.
        before: settings of the build that the run holds, or None where that does not count.

    Raises:
        UsageError: if the source or what is left of it is empty, or the run or the dataset to follow contradicts it.
        SpecsiaError: if that dataset or the run's splits cannot be read.
    """
    source = source_of(config, layout)
    entries, found, remarks = _split(config, layout, source.entries, before)
    ids, every = [entry.id for entry in source.entries], {entry.id for entry in source.entries}
    share = tuple(entry for entry in entries if config.shard is None or in_shard(entry.id, config.shard))
    if not share:
        raise UsageError(f"no character of the source is in the shard {config.shard}: give fewer shards")
    excluded = _excluded(config.exclude)
    built = tuple(entry for entry in share[: config.limit] if entry.id not in excluded)
    if not built:
        raise UsageError("exclude: every character is left out: leave some to build")
    if unknown := sorted(excluded - every, key=id_order_key):
        remarks.append(f"exclude: the source has none of these {len(unknown)}: {named(unknown)}")
    kept = {entry.id for entry in built}
    absent = tuple(sorted(found.keys() - every, key=id_order_key))
    return Characters(
        source=source.name,
        entries=built,
        splits=found,
        left_out=tuple(one for one in sorted(ids, key=id_order_key) if one in found and one not in kept),
        lacking=absent if config.like is not None else (),
        gone=absent if config.like is None else (),
        remarks=(*source.notes, *remarks),
    )


def _split(
    config: BuildConfig, layout: RunLayout, entries: Sequence[Entry], before: Mapping[str, Any] | None
) -> tuple[Sequence[Entry], Mapping[str, str], list[str]]:
    """Characters of a source that have a split, all splits, and sentences about them."""
    frozen = splits.frozen(layout.splits) if layout.splits.exists() and before is not None else None
    ids = {entry.id: None for entry in entries}
    if frozen is not None and not frozen.keys() & ids.keys():
        raise UsageError(
            f"{layout.root} holds a build of another source: give another --out, or --fresh to begin anew there"
        )
    if config.like is None:
        fixed = {entry.id: entry.split for entry in entries if entry.split is not None}
        drawn = splits.assign(list(ids), fixed) if frozen is None else splits.grown(frozen, list(ids), fixed)
        return entries, drawn, _moved(frozen or {}, drawn)
    if before is not None and frozen is not None and before.get("like") == config.like:
        given: Mapping[str, str] = frozen
    else:
        given = splits_of(open_dataset(config.like))
        if frozen is not None and any(frozen.get(i, split) != split for i, split in given.items()):
            raise UsageError(
                f"{layout.root} holds a build whose splits are not those of {config.like}: give another --out, or "
                "--fresh to begin anew there"
            )
    chosen = [entry for entry in entries if entry.id in given]
    if not chosen:
        raise UsageError(f"{config.like} has {plural(len(given), 'character')}, of which the source has none")
    remarks = []
    if more := len(entries) - len(chosen):
        remarks.append(f"like {config.like}: it lacks {plural(more, 'character')} of the source, left out here")
    if lacking := given.keys() - ids.keys():
        remarks.append(f"like {config.like}: the source lacks {len(lacking)} of its characters: {named(lacking)}")
    return chosen, given, remarks


def _moved(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Sentences about the characters that leave a split for another."""
    ways: dict[tuple[str, str], list[str]] = {}
    for i, split in before.items():
        if now[i] != split:
            ways.setdefault((split, now[i]), []).append(i)
    return [
        f"{some(ids)} {'moves' if len(ids) == 1 else 'move'} from {old} to {new}, as the manifest now says"
        for (old, new), ids in ways.items()
    ]


def parted_doubles(
    entries: Sequence[Entry], splits: Mapping[str, str], digests: DigestsOf, shapes: Callable[[Entry], Shape]
) -> list[str]:
    """A sentence for each mesh file, and each shape, of several characters in different splits; the first few of many.

    Args:
        entries: that are built.
        splits: split of each id.
        digests: gives the SHA-256 of each of some files within their roots.
        shapes: gives what `same_shapes` compares, empty where it is not known.
    """

    def parted(alike: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
        return [ids for ids in alike if len({splits[i] for i in ids}) > 1]

    files = parted(same_files(entries, digests))
    known = list(map(set, files))
    like = [
        ids
        for ids in parted(same_shapes(entries, [shapes(entry) for entry in entries]))
        if not any(map(set(ids).issubset, known))
    ]
    return [*_parted(files, splits, "are one file", "file"), *_parted(like, splits, "have one shape", "shape")]


def _parted(sets: Sequence[tuple[str, ...]], splits: Mapping[str, str], what: str, noun: str) -> list[str]:
    found = [
        f"{some(ids)} {what} and lie in {' and '.join(sorted({splits[i] for i in ids}))}: "
        "keep one of them, or give them the same `split` in a manifest"
        for ids in sets[:_MOST_DOUBLES]
    ]
    more = len(sets) - len(found)
    return [*found, f"{plural(more, f'more {noun}')} likewise"] if more else found
