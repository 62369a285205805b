"""What a worker does of one character: stage after stage, as far as each is not up to date."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from specsia_build.characters.character import Entry
from specsia_build.config import BuildConfig, backend_name
from specsia_build.files.sources import source_digest
from specsia_build.pipeline.executors.base import Needs
from specsia_build.pipeline.index import packed_meta
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.objects import Place
from specsia_build.pipeline.planning import DAMAGED, DONE, earlier_of, judged
from specsia_build.pipeline.stamps import source_stamp
from specsia_build.pipeline.store import seen, stamp_of
from specsia_build.pipeline.tasks import Outcome, Task, carry_out, needs_of
from specsia_build.stages.artefact import Artefact
from specsia_build.stages.stage import CharacterStage, Clip, Meta

Step = tuple[CharacterStage, str | None]
"""A stage and its backend's `NAME[:ARG]`, or None."""


@dataclass(frozen=True)
class Segment:
    """Steps that one worker does one after the other of each character, or of each clip.

    Attributes:
        steps: in their order, of characters or of clips.
        needs: of an executor.
    """

    steps: tuple[Step, ...]
    needs: Needs

    @property
    def per_clip(self) -> bool:
        """Whether they are done of each clip."""
        return self.steps[0][0].per_clip


def segments(steps: Sequence[Step], config: BuildConfig) -> list[Segment]:
    """Steps in as few segments as can be: those of characters before those of clips, parted where needs differ.

    What a backend holds, such as GPUs, is not held while other steps are done.
    """
    found: list[Segment] = []
    for stage, backend in sorted(steps, key=lambda step: step[0].per_clip):
        needs = needs_of(stage, backend, config)
        last = found[-1] if found else None
        if last is None or last.per_clip != stage.per_clip or not (_is_plain(last.needs) and _is_plain(needs)):
            found.append(Segment(((stage, backend),), needs))
        else:
            together = replace(needs, timeout=max(needs.timeout, last.needs.timeout))
            found[-1] = Segment((*last.steps, (stage, backend)), together)
    return found


def _is_plain(needs: Needs) -> bool:
    return needs.slots is None and needs.work_on is None


@dataclass(frozen=True)
class Unit:
    """A segment's steps of one character or clip.

    Attributes:
        entry: the character.
        clip: None where the steps are of characters.
        steps: to be done.
        config: of the build.
        layout: of the run.
    """

    entry: Entry
    clip: Clip | None
    steps: tuple[Step, ...]
    config: BuildConfig
    layout: RunLayout

    def task(self, step: Step) -> Task:
        """One of its steps."""
        stage, backend = step
        return Task(stage, self.entry, backend, self.config, self.layout, self.clip)


@dataclass(frozen=True)
class Read:
    """A source file that was read for its digest: where, and what changes with it, from `source_stamp`."""

    path: str
    stamp: str
    digest: str


class _Digests:
    """Digests of source files, each read once for a unit."""

    def __init__(self) -> None:
        self.read: dict[Path, Read | None] = {}

    def __call__(self, path: Path, root: Path) -> str | None:
        if path not in self.read:
            self.read[path] = self._look(path, root)
        found = self.read[path]
        return None if found is None else found.digest

    @staticmethod
    def _look(path: Path, root: Path) -> Read | None:
        stamp = source_stamp(path, root)
        digest = None if stamp is None else source_digest(path, root)
        return None if digest is None or stamp is None else Read(str(path), stamp, digest)


def do_unit(unit: Unit) -> Iterator[Outcome | tuple[Read, ...]]:
    """Do the steps of a unit: gives of each step how it went, and then which source files were read.

    Of what is up to date, or has nothing to start from, nothing is done. What fails is not tried with later steps.
    """
    found: dict[Place, tuple[bool, Meta | None]] = {}
    held: dict[Place, Artefact] = {}
    digests = _Digests()

    def look(task: Task, stage: CharacterStage) -> tuple[bool, Meta | None]:
        path = task.path_in(stage)
        if path not in found:
            found[path] = seen(path)
        return found[path]

    def read(task: Task, stage: CharacterStage) -> Meta | None:
        return look(task, stage)[1]

    for number, step in enumerate(unit.steps):
        task = unit.task(step)
        earlier = earlier_of(task, task.stage.earlier, read)
        if earlier is None:
            found[task.path] = False, None
            yield Outcome(blocked=True)
            continue
        task, state = judged(task, earlier, look(task, task.stage), digests)
        if state == DONE:
            yield _told(task, Outcome(kept=True), read(task, task.stage))
            continue
        outcome, made = carry_out(task, held, digests)
        found[task.path] = made is not None, None if made is None else made.meta
        if made is not None:
            held[task.path] = made
            wanted = {unit.task(later).path_in(one) for later in unit.steps[number + 1 :] for one in later[0].earlier}
            held = {path: artefact for path, artefact in held.items() if path in wanted}
        yield _told(task, replace(outcome, mended=state == DAMAGED), read(task, task.stage))
    yield tuple(one for one in digests.read.values() if one is not None)


def _told(task: Task, outcome: Outcome, meta: Meta | None) -> Outcome:
    """With what the index remembers of the artefact."""
    if meta is None:
        return outcome
    return replace(outcome, stamp=stamp_of(task.path), meta=packed_meta(meta))


def name_of(step: Step) -> tuple[str, str | None]:
    """Names of a step's stage and backend."""
    stage, backend = step
    return stage.name, None if backend is None else backend_name(backend)
