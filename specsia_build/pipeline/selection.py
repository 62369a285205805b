"""Which characters of a source a build is about, and the splits that they are in."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
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
from specsia_build.pipeline.index import Index
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.progress import named
from specsia_build.stages.registry import character_stages

_MOST_DOUBLES = 5


@dataclass(frozen=True)
class Selection:
    """The characters of a build.

    Attributes:
        entries: those it is about, in order, of its shard alone; see `narrowed`.
        splits: split of each id, those of `lacking` among them.
        left_out: characters of the source that the dataset it follows does not have.
        lacking: ids of that dataset that the source does not have.
        moved: sentences about characters that lay in another split until now.
        gone: ids of the run's splits that the source does not have.
    """

    entries: tuple[Entry, ...]
    splits: Mapping[str, str]
    left_out: int = 0
    lacking: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    def notes(self, like: str | None) -> list[str]:
        """What is not as in the dataset `like`, or not as before, in sentences."""
        found = list(self.moved)
        if self.gone:
            had = plural(len(self.gone), "character")
            found.append(f"the source lacks {had} that this run had, left out from now on: {named(self.gone)}")
        if self.left_out:
            found.append(f"like {like}: it lacks {plural(self.left_out, 'character')} of the source, left out here")
        if self.lacking:
            found.append(f"like {like}: the source lacks {len(self.lacking)} of its characters: {named(self.lacking)}")
        return found


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


def excluded_ids(path: str | None) -> frozenset[str]:
    """Ids that a file names, one a line; none without a file.

    Raises:
        UsageError: if it cannot be read.
    """
    if path is None:
        return frozenset()
    try:
        lines = expanded(path).read_text(encoding="utf-8-sig").split("\n")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise UsageError(f"exclude: {path} cannot be read: {why}; give a file of ids, one a line") from error
    return frozenset(map(str.strip, lines)) - {""}


def narrowed(entries: Sequence[Entry], limit: int | None, excluded: Collection[str]) -> tuple[Entry, ...]:
    """The first so many characters but for some, which plays no part in splits.

    Raises:
        UsageError: if none is left.
    """
    found = tuple(entry for entry in entries[:limit] if entry.id not in excluded)
    if entries and not found:
        raise UsageError("exclude: every character is left out: leave some to build")
    return found


def shapes_of(config: BuildConfig, layout: RunLayout, index: Index) -> Callable[[Entry], Shape]:
    """Gives what `same_shapes` compares, from what was made of a character; empty where nothing was."""
    first = character_stages(config)[0]
    return lambda entry: tuple((index.meta(layout.artefact(first, None, entry.id)) or {}).get("shape", ()))


def parted_doubles(
    entries: Sequence[Entry],
    splits: Mapping[str, str],
    told: DigestsOf,
    digests: DigestsOf,
    shapes: Callable[[Entry], Shape],
) -> list[str]:
    """A sentence for each mesh file, and each shape, of several characters that lie in different splits, the first few
    of many.

    Args:
        entries: that are built.
        splits: split of each id.
        told: gives the SHA-256 of each of some files within their roots, or what it was when it was read last.
        digests: gives what it is now; asked of those only that may be told.
        shapes: gives what `same_shapes` compares, empty where it is not known.
    """

    def parted(alike: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
        return [ids for ids in alike if len({splits[i] for i in ids}) > 1]

    likely = set(chain.from_iterable(parted(same_files(entries, told))))
    files = parted(same_files((entry for entry in entries if entry.id in likely), digests)) if likely else []
    known = list(map(set, files))
    like = [
        ids
        for ids in parted(same_shapes(entries, [shapes(entry) for entry in entries]))
        if not any(map(set(ids).issubset, known))
    ]
    return [*_parted(files, splits, "are one file", "file"), *_parted(like, splits, "have one shape", "shape")]


def _parted(sets: Sequence[tuple[str, ...]], splits: Mapping[str, str], what: str, noun: str) -> list[str]:
    """Sentences on the first few of some sets of characters that `what` is said of."""
    found = [
        f"{some(ids)} {what} and lie in {' and '.join(sorted({splits[i] for i in ids}))}: "
        "keep one of them, or give them the same `split` in a manifest"
        for ids in sets[:_MOST_DOUBLES]
    ]
    more = len(sets) - len(found)
    return [*found, f"{plural(more, f'more {noun}')} likewise"] if more else found


def select(
    config: BuildConfig, layout: RunLayout, entries: Sequence[Entry], before: Mapping[str, Any] | None
) -> Selection:
    """The characters of a source that a build is about, with the splits of its run, of a dataset, or drawn anew.

    Args:
        config: of the build.
        layout: of its run; nothing is written there.
        entries: all characters of the source.
        before: settings of the build that the run holds, or None where that does not count.

    Raises:
        UsageError: if the run or the dataset to follow has no character of the source, or their splits contradict.
        SpecsiaError: if that dataset or the run's splits cannot be read.
    """
    frozen = splits.frozen(layout.splits) if layout.splits.exists() and before is not None else None
    ids = [entry.id for entry in entries]
    if frozen is not None and not set(frozen) & set(ids):
        raise UsageError(
            f"{layout.root} holds a build of another source: give another --out, or --fresh to begin anew there"
        )
    if config.like is None:
        fixed = {entry.id: entry.split for entry in entries if entry.split is not None}
        found = splits.assign(ids, fixed) if frozen is None else splits.grown(frozen, ids, fixed)
        gone = tuple(found.keys() - set(ids))
        return Selection(_share(entries, config), found, moved=_moved(frozen or {}, found), gone=gone)
    if before is not None and frozen is not None and before.get("like") == config.like:
        given: Mapping[str, str] = frozen
    else:
        given = splits_of(open_dataset(config.like))
        if frozen is not None and any(frozen.get(i, split) != split for i, split in given.items()):
            raise UsageError(
                f"{layout.root} holds a build whose splits are not those of {config.like}: give another --out, or "
                "--fresh to begin anew there"
            )
    chosen = tuple(entry for entry in entries if entry.id in given)
    if not chosen:
        raise UsageError(f"{config.like} has {plural(len(given), 'character')}, of which the source has none")
    lacking = tuple(sorted(given.keys() - set(ids), key=id_order_key))
    return Selection(_share(chosen, config), given, len(entries) - len(chosen), lacking)


def _moved(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """Sentences about the characters that leave a split for another, by both."""
    ways: dict[tuple[str, str], list[str]] = {}
    for i, split in before.items():
        if now[i] != split:
            ways.setdefault((split, now[i]), []).append(i)
    return tuple(
        f"{some(ids)} {'moves' if len(ids) == 1 else 'move'} from {old} to {new}, as the manifest now says"
        for (old, new), ids in ways.items()
    )


def _share(entries: Iterable[Entry], config: BuildConfig) -> tuple[Entry, ...]:
    """Those of the shard that is built.

    Raises:
        UsageError: if there are none.
    """
    found = tuple(entry for entry in entries if config.shard is None or in_shard(entry.id, config.shard))
    if not found:
        raise UsageError(f"no character of the source is in the shard {config.shard}: give fewer shards")
    return found
