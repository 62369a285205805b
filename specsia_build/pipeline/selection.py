"""The characters of a build and their splits."""

import gc
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from specsia_build.characters.character import Entry, id_order_key
from specsia_build.characters.sources import Source, open_source
from specsia_build.characters.survey import same_files
from specsia_build.config import BuildConfig, in_shard
from specsia_build.dataset import splits
from specsia_build.dataset.pairs import splits_of
from specsia_build.dataset.reading import open_dataset
from specsia_build.errors import UsageError, plural, some
from specsia_build.files.sources import DigestOf
from specsia_build.folders import expanded
from specsia_build.pipeline.run import RunPaths


def named(ids: Collection[str]) -> str:
    """List ids of characters in order, at most the first twelve."""
    return some(sorted(ids, key=id_order_key), 12)


@dataclass(frozen=True)
class Characters:
    """The characters of a build."""

    source: str  # Name of the source
    entries: tuple[Entry, ...]  # Characters to build, in order
    splits: Mapping[str, str]  # By id: of the source or the dataset to follow, and of the run before
    left_out: Sequence[str]  # Ids of the source that are not built
    notes: Sequence[str]  # Sentences about the source and the selection


def source_of(config: BuildConfig, paths: RunPaths) -> Source:
    """Open the source of a run without reading its characters; raises UsageError if it holds nothing."""
    source = open_source(config.source, paths.source)
    # Millions of small objects that live to the end would be scanned again and again.
    gc.set_threshold(50_000, 20, 100)
    return source


def _excluded(path: str | None) -> frozenset[str]:
    try:
        text = "" if path is None else expanded(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        problem = f"exclude: {path} cannot be read ({error})"
        raise UsageError(f"{problem}: give a text file of ids, one a line") from error
    return frozenset(map(str.strip, text.split("\n"))) - {""}


def find_characters(config: BuildConfig, paths: RunPaths, before: Mapping[str, Any] | None) -> Characters:
    """Select the characters of a build and their splits: those of its run, of a dataset to follow, or drawn.

    `before` are settings of the build that the run holds, or None to ignore it. Nothing is written. Raises
    UsageError if no character is left, or the source contradicts the run or the dataset to follow.
    """
    source = source_of(config, paths)
    entries, split_of, notes = _split(config, paths, source.entries, before)
    source_ids = {entry.id for entry in source.entries}
    shard = tuple(entry for entry in entries if config.shard is None or in_shard(entry.id, config.shard))
    if not shard:
        raise UsageError(f"no character of the source is in the shard {config.shard}: give fewer shards")
    excluded = _excluded(config.exclude)
    built = tuple(entry for entry in shard[: config.limit] if entry.id not in excluded)
    if not built:
        raise UsageError("exclude leaves no character to build: remove some of its ids")
    if unknown := excluded - source_ids:
        notes.append(f"exclude: the source has none of these {len(unknown)}: {named(unknown)}")
    left_out = sorted((source_ids & split_of.keys()) - {entry.id for entry in built}, key=id_order_key)
    if config.like is None and (absent := split_of.keys() - source_ids):
        count = plural(len(absent), "character")
        notes.append(f"the source lacks {count} that this run had, left out from now on: {named(absent)}")
    return Characters(source.name, built, split_of, left_out, [*source.notes, *notes])


def _split(
    config: BuildConfig, paths: RunPaths, entries: Sequence[Entry], before: Mapping[str, Any] | None
) -> tuple[Sequence[Entry], Mapping[str, str], list[str]]:
    """Return the characters that have a split, the split of each id, and notes."""
    frozen = splits.from_json(paths.splits) if paths.splits.exists() and before is not None else None
    ids = [entry.id for entry in entries]
    fixed = {entry.id: entry.split for entry in entries if entry.split is not None}
    again = "give another --out, or --fresh to start over there"
    if frozen is not None and frozen.keys().isdisjoint(ids):
        raise UsageError(f"{paths.root} holds a build of another source: {again}")
    if config.like is not None:
        same = before is not None and before.get("like") == config.like
        split_of = frozen if frozen and same else splits_of(open_dataset(config.like))
        if any(split_of.get(i, split) != split for i, split in (frozen or {}).items()):
            problem = f"{paths.root} holds a build whose splits are not those of {config.like}"
            raise UsageError(f"{problem}: {again}")
        chosen = [entry for entry in entries if entry.id in split_of]
        if not chosen:
            count = plural(len(split_of), "character")
            raise UsageError(f"{config.like} has {count}, none of which the source has")
        notes = []
        absent = {config.like: set(ids) - split_of.keys(), "the source": split_of.keys() - set(ids)}
        for place, lacking in absent.items():
            if lacking:
                count = plural(len(lacking), "character")
                notes.append(f"left out, as {place} lacks {count}: {named(lacking)}")
        return chosen, split_of, notes
    if frozen is None:
        return entries, splits.assign(ids, fixed), []
    grown = splits.grown(frozen, ids, fixed)
    moved = [f"{i} from {old} to {grown[i]}" for i, old in frozen.items() if grown[i] != old]
    return entries, grown, [f"the manifest moves {some(moved)}"] if moved else []


def duplicates_across_splits(
    entries: Sequence[Entry], splits: Mapping[str, str], digest_of: DigestOf
) -> list[str]:
    """A sentence for each mesh file that characters in different splits share."""
    sentences = []
    for ids in same_files(entries, digest_of):
        names = sorted({splits[i] for i in ids})
        if len(names) > 1:
            problem = f"{some(ids)} are one file and lie in {' and '.join(names)}"
            sentences.append(f"{problem}: keep one of them, or give them the same `split` in a manifest")
    return sentences
