"""The work of one build: its characters, and what workers do of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

import msgspec

from specsia_build.characters.character import id_order_key
from specsia_build.config import BuildConfig, backend_name
from specsia_build.dataset import splits
from specsia_build.dataset.places import public_settings
from specsia_build.errors import AwayError, SpecsiaError, UsageError, plural
from specsia_build.files.writing import write_bytes
from specsia_build.pipeline.attempt import Attempt, Damaged, Settling
from specsia_build.pipeline.chain import Segment, Step, Unit, do_unit, name_of, segments
from specsia_build.pipeline.executors import Executor
from specsia_build.pipeline.failures import Failure, concerning, counted, in_common
from specsia_build.pipeline.index import Index
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.mark import refuse_other_source
from specsia_build.pipeline.planning import stages_of
from specsia_build.pipeline.progress import Progress, named
from specsia_build.pipeline.recipes import planned
from specsia_build.pipeline.record import DAMAGED, DROPPED, Record
from specsia_build.pipeline.selection import excluded_ids, narrowed, select, source_of
from specsia_build.pipeline.settling import Settlement
from specsia_build.pipeline.store import is_dropped
from specsia_build.pipeline.summary import BuildSummary, StageTally
from specsia_build.stages.artefact import canonical_json, sha256
from specsia_build.stages.clips import motions
from specsia_build.stages.pack import STAGE as PACK
from specsia_build.stages.pack import made_with
from specsia_build.stages.registry import character_stages
from specsia_build.stages.stage import CharacterStage, Clip, Stage, character_of

T = TypeVar("T")


class Work:
    """State of one command: what failed so far, and where to tell."""

    def __init__(
        self,
        config: BuildConfig,
        layout: RunLayout,
        before: Mapping[str, Any] | None,
        progress: Progress,
        run: Executor,
        index: Index,
    ) -> None:
        """Find and accept the characters; nothing of the run is changed.

        `before` are the settings that the run has, None if they do not count.

        Raises:
            UsageError: if there are none, or the run is of others.
        """
        self.config, self.layout, self.progress, self.run, self.index = config, layout, progress, run, index
        self.source = source_of(config, layout)
        chosen = select(config, layout, self.source.entries, before)
        excluded = excluded_ids(config.exclude)
        self.entries, self.splits = narrowed(chosen.entries, config.limit, excluded), chosen.splits
        kept, every = {entry.id for entry in self.entries}, {entry.id for entry in self.source.entries}
        self.left_out = sorted((every & self.splits.keys()) - kept, key=id_order_key)
        self.settlement = Settlement(config, layout, index)
        refuse_other_source(before or {}, config, layout, self.entries, index)
        unknown = sorted(excluded - every, key=id_order_key)
        if unknown:
            progress.say(f"exclude: the source has none of these {len(unknown)}: {named(unknown)}")
        first = character_stages(config)[0]
        gone = tuple(one for one in chosen.gone if index.meta(layout.artefact(first, None, one)) is not None)
        for note in (*self.source.notes, *replace(chosen, gone=gone).notes(config.like)):
            progress.say(note)
        self.tallies: dict[tuple[str, str | None], StageTally] = {}
        self.record = Record(layout, index, progress)
        self._away: dict[str | None, AwayError] = {}
        self.summary = BuildSummary(
            source=self.source.name,
            characters=len(self.entries),
            lacking=chosen.lacking,
            allowed_failures=config.allowed_failures(len(self.entries)),
        )

    def begin(self) -> None:
        """Take the run over: freeze its splits, and read what is on record as failed."""
        text = splits.to_json(self.splits).encode()
        write_bytes(self.layout.splits, text, lasting=True)
        self._splits_digest = sha256(text)
        write_bytes(self.layout.left_out, json.dumps(self.left_out).encode())
        self.record.read()

    def concerning(self) -> list[Failure]:
        """Failures on record of this build's characters and backends."""
        names = map(backend_name, self.config.backends)
        return concerning(self.record.failures, {entry.id for entry in self.entries}, set(names))

    def before(self, stage: Stage) -> list[Failure]:
        """Those of them that leave a stage nothing to start from."""
        names = {one.name for one in stage.rests_on}
        return [failure for failure in self.concerning() if failure.stage in names]

    def before_pack(self) -> list[Failure]:
        """Those of them that leave pack something out."""
        names = {stage.name for stage in character_stages(self.config)}
        return [failure for failure in self.concerning() if failure.stage in names]

    def concluded(self, what: str, kind: type[T], reckon: Callable[[], T], *more: object) -> T:
        """What is to be said of all characters together, which is not reckoned again while nothing of them changes.

        Args:
            what: its name.
            kind: its type.
            reckon: finds it out from what was made of the characters, their order and splits, and `more`.
            more: whose texts tell all else that decides it.
        """
        mark = self.settlement.mark(self.entries)
        if mark is None:
            return reckon()
        made = made_with(public_settings(self.config, self.source.name), [*character_stages(self.config), PACK])
        decides = sha256(canonical_json([mark, self._splits_digest, made, *map(str, more)]).encode())
        said = self.index.concluded(what, decides)
        if said is not None:
            # What is damaged is reckoned anew.
            with suppress(msgspec.MsgspecError):
                return msgspec.json.decode(said, type=kind)
        found = reckon()
        self.index.conclude(what, decides, msgspec.json.encode(found).decode())
        return found

    def tell_again(self) -> None:
        """Keep what is to be warned of in what is up to date, as who goes on with a build did not see it all."""
        stages = {stage.name: stage for stage in character_stages(self.config)}
        done = [(stages[stage], name, sorted(tally.kept)) for (stage, name), tally in self.tallies.items()]
        for one, said in self.settlement.warnings(self.entries, done).items():
            self.record.warn(one, said)

    def hopeless(self) -> bool:
        """Whether more failed by now than was said to be put up with, so that nothing that follows will be packed."""
        return self.config.max_failures is not None and len(self.record.lost) > self.summary.allowed_failures

    def too_many(self, hint: str) -> BuildSummary:
        """What was done so far by a build of which more failed than may; `hint` says what to give --max-failures."""
        failures = self.concerning()
        clips = self.summary.clips
        of = plural(len(self.entries), "character") if clips is None else plural(clips, "clip")
        told = "" if not (alike := in_common(failures)) else f"; {alike}"
        return self.finished(
            stopped=f"{counted(failures)[0]:,} of {of} failed, {self.summary.allowed_failures:,} may{told}: see "
            f"{self.layout.failures}; mend them, or {hint}"
        )

    def finished(self, **more: Any) -> BuildSummary:
        """What was done so far."""
        stages = [tally.summary(stage, name) for (stage, name), tally in self.tallies.items()]
        told = {"warnings": self.record.warnings, "failures": self.concerning(), **more}
        return replace(self.summary, stages=stages, **told)

    def run_steps(self, steps: Sequence[Step], ids: Collection[str] | None = None) -> None:
        """Do steps of all characters or of some: whatever can be done by one worker, character by character.

        Artefacts of earlier stages that turn out damaged are made again, and what needed them is done after that.

        Raises:
            UsageError: if one has nothing to start from.
            AwayError: if what a backend needs is away, once all that does without that backend is done.
            SpecsiaError: if an artefact is damaged as soon as it is written.
        """
        self._run_steps(steps, ids)
        for error in self._away.values():
            raise error

    def _run_steps(self, steps: Sequence[Step], ids: Collection[str] | None) -> None:
        finds_clips = any(stage is motions.STAGE for stage, _ in steps)
        if self.config.clips is not None and ids is None and not finds_clips:
            self.count_clips()
        for asked in segments(steps, self.config):
            segment = replace(asked, steps=tuple(step for step in asked.steps if step[1] not in self._away))
            if not segment.steps:
                continue
            damaged = self._attempt(segment, ids)
            # Those that others rest on first, as these may need them.
            for step in stages_of(self.config, character_stages(self.config)):
                if found := damaged.get(step):
                    self.discard(step, found)
                    self._run_steps([step], set(found.values()))
            touched = {character_id for found in damaged.values() for character_id in found.values()}
            if damaged and (still := self._attempt(segment, touched)):
                (stage, _), found = next(iter(still.items()))
                raise SpecsiaError(
                    f"the artefacts of {stage.name} do not stay as they are written ({named(found)}): look after the "
                    f"disk of {self.layout.root}, then give the same command again"
                )
            if ids is None and any(stage is motions.STAGE for stage, _ in segment.steps):
                self.count_clips()
            if ids is None and self.hopeless():
                return

    def step(self, stage: CharacterStage, name: str | None) -> Step:
        """A stage with the backend of a name, or with none where it is not done for each."""
        specs = {backend_name(spec): spec for spec in self.config.backends}
        return stage, specs[name] if stage.per_backend and name is not None else None

    def discard(self, step: Step, keys: Collection[str]) -> None:
        """Remove artefacts that turned out damaged, or without files, so that they are made again, and say so."""
        places = {key: self.layout.artefact(step[0], name_of(step)[1], key) for key in keys}
        dropped = {key for key, place in places.items() if is_dropped(place)}
        for found, why in ((dropped, DROPPED), (places.keys() - dropped, DAMAGED)):
            if found:
                self.record.made_again(step, found, why)
        self.settlement.unsettle(character_of(key) if step[0].per_clip else key for key in keys)
        for place in places.values():
            self.index.discard(place)

    def _attempt(self, segment: Segment, ids: Collection[str] | None) -> Damaged:
        """Do what there is to do of a segment; returns what turned out damaged on the way."""
        redone = {entry.id for entry in self.entries if ids is None or entry.id in ids}
        self.record.forget(segment.steps, redone)
        settled = {} if ids is not None else self.settlement.known(self.entries)
        attempt = Attempt(segment, self.record, settled)
        units = self._units(segment, redone - settled.keys(), attempt)
        settling = Settling(self.settlement, units) if self._is_last(segment) else None
        with attempt.bars(self.progress, len(units)):
            while units:
                again = []
                try:
                    for number, result in self.run(do_unit, units, segment.needs, self.hopeless):
                        rest = attempt.take(units[number], result)
                        if rest is not None:
                            again.append(rest)
                        elif settling is not None:
                            settling.done(units[number])
                except AwayError as error:
                    self._away |= {backend: error for _, backend in segment.steps if backend is not None}
                    break
                units = again
        self.record.write()
        self._say_waiting(attempt, segment, redone)
        for step, tally in attempt.tallies.items():
            self.tallies.setdefault(name_of(step), StageTally()).add(tally)
            self.progress.stage_done(tally.summary(*name_of(step)), again=ids is not None)
        return attempt.damaged

    def _is_last(self, segment: Segment) -> bool:
        """Whether nothing is left to do of a character that has gone through a segment."""
        last = segments(stages_of(self.config, character_stages(self.config)), self.config)[-1]
        return set(last.steps) <= set(segment.steps)

    def _units(self, segment: Segment, ids: Collection[str], attempt: Attempt) -> list[Unit]:
        """What is to be looked at of some characters."""
        units: list[Unit] = []
        for entry in (one for one in self.entries if one.id in ids):
            clips: Sequence[Clip | None] = [None]
            if segment.per_clip:
                meta = self.index.meta(self.layout.artefact(motions.STAGE, None, entry.id))
                if meta is None:
                    attempt.block(entry.id)
                    continue
                clips = motions.clips_of(meta)
            units += [Unit(entry, clip, segment.steps, self.config, self.layout) for clip in clips]
        return units

    def _say_waiting(self, attempt: Attempt, segment: Segment, redone: set[str]) -> None:
        """Say of which characters a stage has nothing to start from, where no failure says why.

        Raises:
            UsageError: if that is so of all.
        """
        for step in segment.steps:
            stage, name = step[0], name_of(step)[1]
            known = {f.key for f in self.before(stage) if f.backend in (None, name)}
            blocked = attempt.blocked[step]
            waiting = [key for key, character in blocked.items() if not known & {key, character}]
            if not waiting:
                continue
            if redone <= set(blocked.values()):
                raise self._nothing_for(stage)
            self.progress.say(
                f"{stage.name}: {plural(len(waiting), 'character')} not ready for it; run the earlier stages for all"
            )

    def _nothing_for(self, stage: CharacterStage) -> UsageError:
        return UsageError(
            f"{stage.name} has nothing to start from in {self.layout.root}: run `{self.config.command} "
            f"--stage {stage.earlier[-1].name}` first"
        )

    def refuse_unready(self, stages: Sequence[CharacterStage]) -> None:
        """See that something is there for each of some stages to start from, before time is spent on compiling them.

        Raises:
            UsageError: if there is nothing for one, and no failure says why.
        """
        for stage in stages:
            # What there is of each clip is seen when it is asked for: it rests on what there is of the characters.
            wanted = [one for one in stage.rests_on if one not in stages and not one.per_clip]
            if not self.before(stage) and not all(map(self._holds_any, stages_of(self.config, wanted))):
                raise self._nothing_for(stage)

    def _holds_any(self, step: Step) -> bool:
        """Whether the run has an artefact of any character of a step."""
        stage, name = step[0], name_of(step)[1]
        places = (self.layout.artefact(stage, name, entry.id) for entry in self.entries)
        return any(self.index.meta(place) is not None for place in places)

    def count_clips(self) -> None:
        """See how many clips there are, and so how many may fail."""
        clips = sum(1 for _ in planned(self.entries, self.layout, self.index))
        self.summary = replace(self.summary, allowed_failures=self.config.allowed_failures(clips), clips=clips)
        patterns = () if self.config.clips is None else self.config.clips.patterns
        metas = (self.index.meta(self.layout.artefact(motions.STAGE, None, entry.id)) for entry in self.entries)
        unheard = [motions.unheard_of(meta) for meta in metas if meta is not None] if patterns else []
        nobodys = [pattern for pattern in patterns if unheard and all(pattern in found for found in unheard)]
        # Where none is anybody's, each character has a warning that lists what there is.
        if len(nobodys) < len(patterns):
            for pattern in nobodys:
                self.progress.say(f"--clip '{pattern}' names no motion of any character, so there is no clip of it")
