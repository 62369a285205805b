"""What a run keeps once all that was asked for is written: artefacts that nothing needs give their files up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from specsia_build.characters.character import Entry
from specsia_build.config import ALL, NEEDED, NONE, backend_name
from specsia_build.dataset.checksums import parse_sums
from specsia_build.dataset.schema import SUMS_FILE
from specsia_build.errors import SpecsiaError, some
from specsia_build.pipeline.chain import Step, name_of
from specsia_build.pipeline.executors import Lost, Needs, seeing
from specsia_build.pipeline.index import packed_meta
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.objects import Place
from specsia_build.pipeline.planning import stages_of
from specsia_build.pipeline.recipes import planned, recipe_folder
from specsia_build.pipeline.settling import packs, read_by_pack
from specsia_build.pipeline.store import drop_files, is_dropped, stamp_of
from specsia_build.pipeline.summary import BuildSummary
from specsia_build.pipeline.work import Work
from specsia_build.recipes.registry import folder_recipes
from specsia_build.stages.artefact import file_digest
from specsia_build.stages.registry import character_stages


@dataclass(frozen=True)
class _Spare:
    """What a character has that is to be dropped: artefacts of some steps, and its own files if it is procedural."""

    entry: Entry
    clips: Sequence[str]
    steps: Sequence[Step]
    layout: RunLayout

    def places(self) -> Iterator[Place]:
        """Of the artefacts."""
        for step in self.steps:
            stage, name = step[0], name_of(step)[1]
            keys = self.clips if stage.per_clip else [self.entry.id]
            yield from (self.layout.artefact(stage, name, key) for key in keys)


def drop(work: Work, summary: BuildSummary) -> BuildSummary:
    """Drop what `keep` says of all characters of which nothing is left to do, once what was packed proves to be whole.

    What has failed keeps its artefacts, as the next build tries it again. Killed in between, the next build goes on.

    Args:
        work: of the build, which has packed.
        summary: of it.

    Returns:
        The summary, with what was freed.

    Raises:
        SpecsiaError: if what was packed is not as it was written; nothing is dropped then.
        WriteError: if something cannot be dropped.
    """
    keep = work.config.keep
    if keep in (None, ALL) or summary.stopped is not None:
        return summary
    spare = list(_spare(work, str(keep)))
    if not spare:
        return summary
    _see_whole(work)
    freed = 0
    with work.progress.bar("drop", len(spare)) as advance:
        for number, found in work.run(_drop, spare, Needs(work.config.timeout)):
            advance(1)
            if not isinstance(found, Lost):
                # Not by the worker: its node may not see them.
                freed += found.freed + _withdraw(spare[number].entry)
                for one in found.left:
                    work.index.learn(*one)
                work.settlement.look(spare[number].entry, str(keep))
    return replace(summary, freed=freed)


def _spare(work: Work, keep: str) -> Iterator[_Spare]:
    kept = read_by_pack(work.config) if keep == NEEDED else ()
    steps = stages_of(work.config, (stage for stage in character_stages(work.config) if stage not in kept))
    clips = work.settlement.known(work.entries)
    for entry in work.entries:
        if entry.id in clips and work.settlement.kept(entry.id) not in (keep, NONE):
            yield _Spare(entry, clips[entry.id], steps, work.layout)


@dataclass(frozen=True)
class _Dropped:
    """What was dropped of a character.

    Attributes:
        freed: bytes.
        left: of each artefact that gave its files up where it is, and its stamp and meta data as the index has them.
    """

    freed: int
    left: Sequence[tuple[Place, str, bytes]]


def _drop(spare: _Spare) -> _Dropped:
    freed, left = 0, []
    for place in spare.places():
        if (found := drop_files(place)) is not None:
            freed += found[0]
            left.append((place, stamp_of(place) or "", packed_meta(found[1])))
    return _Dropped(freed, left)


def _withdraw(entry: Entry) -> int:
    if entry.sample is None:
        return 0
    from specsia_build.characters.samples.write import withdraw

    return withdraw(entry)


def _see_whole(work: Work) -> None:
    """See that every file of the dataset and of recipes' folders is there and reads as the list of its sums says.

    That they were packed from the artefacts of now, pack itself sees to: it does not keep what came from others.

    Raises:
        SpecsiaError: if one does not.
    """
    config, layout = work.config, work.layout
    clips = config.clips
    folders = [layout.dataset] if packs(config) else []
    for recipe in folder_recipes(clips.recipes if clips is not None else ()):
        moved = config.backends if clips is not None and clips.pairs and recipe.reconstructions else ()
        folders += [recipe_folder(layout, recipe.name, name) for name in (None, *map(backend_name, moved))]
    listed = [one for folder in folders for one in _listed(folder)]
    spoilt = []
    with work.progress.bar("check", len(listed), "file") as advance:
        run = seeing(folders, work.run, config, layout)
        for number, whole in run(_is_whole, listed, Needs(config.timeout)):
            advance(1)
            if isinstance(whole, Lost):
                raise SpecsiaError(
                    f"{listed[number][0]} was not read, so nothing is dropped: {whole.reason}; the same command goes "
                    "on from here"
                )
            if not whole:
                spoilt.append(str(listed[number][0]))
    if spoilt:
        raise SpecsiaError(
            f"{some(sorted(spoilt))} does not read as it was written, so nothing is dropped: delete it, look after the "
            "disk, and give the same command again"
        )


def _listed(folder: Path) -> list[tuple[Path, str]]:
    """Files of a folder with their SHA-256, by its own list.

    Raises:
        SpecsiaError: if there is no such list.
    """
    try:
        sums, _ = parse_sums((folder / SUMS_FILE).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SpecsiaError(
            f"{folder / SUMS_FILE} cannot be read ({error}), so nothing is dropped: give the same command again"
        ) from error
    return [(folder / name, digest) for name, digest in sums.items()]


def _is_whole(listed: tuple[Path, str]) -> bool:
    path, digest = listed
    try:
        return file_digest(path) == digest
    except OSError:
        return False


def restore(work: Work, steps: Sequence[Step]) -> None:
    """Have the artefacts of some steps made again that gave their files up."""
    found: dict[Step, list[str]] = {}
    for step in steps:
        stage, name = step[0], name_of(step)[1]
        clips = planned(work.entries, work.layout, work.index)
        keys = clips if stage.per_clip else (entry.id for entry in work.entries)
        found[step] = [key for key in keys if is_dropped(work.layout.artefact(stage, name, key))]
    for step, dropped in found.items():
        if dropped:
            work.discard(step, dropped)
