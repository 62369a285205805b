"""Characters of which nothing is left to do: what decides that, and what is remembered of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from specsia_build.backends.asking import stated_inputs
from specsia_build.characters.character import Entry
from specsia_build.config import ALL, DRAVIE, BuildConfig, backend_name, result_settings
from specsia_build.memory import lasting
from specsia_build.pipeline.index import Index, Members, Settled
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.planning import DONE, judgements, stages_of
from specsia_build.pipeline.tasks import backend_of, warnings_of
from specsia_build.stages.artefact import canonical_json, sha256
from specsia_build.stages.clips import draw, move
from specsia_build.stages.members import Member, member, sharing
from specsia_build.stages.pack import STAGE as PACK
from specsia_build.stages.registry import character_stages
from specsia_build.stages.stage import CharacterStage, Clip, EarlierMeta, Job, character_of

_TEXT = msgspec.json.Encoder(enc_hook=str)
_ANY = Entry("any", "obj", Path("any.obj"))
_ANY_CLIP = Clip("any-any-00", "any", "", 0, 1, 0, 0.0)


def read_by_pack(config: BuildConfig) -> tuple[CharacterStage, ...]:
    """The stages whose artefacts hold the pictures of a run's dataset."""
    return PACK.earlier if config.clips is None else (draw.STAGE, move.STAGE)


def metas_of(layout: RunLayout, config: BuildConfig, index: Index) -> Callable[[str, str], EarlierMeta]:
    """Gives the meta data of what pack reads by key and backend's name, which must be there; see `stated_meta`."""
    stages = read_by_pack(config)

    def read(key: str, name: str) -> EarlierMeta:
        return {stage: index.stated_meta(layout.artefact(stage, name, key)) for stage in stages}

    return read


def packs(config: BuildConfig) -> bool:
    """Whether a run packs pairs as a dataset; recipes may want reconstructions that move without one."""
    return config.clips is None or DRAVIE in config.clips.recipes


def _job(config: BuildConfig, spec: str | None) -> Job:
    return Job(_ANY, config, None if spec is None else backend_of(spec), _ANY_CLIP)


class Settlement:
    """What is settled of one run with its settings of now."""

    def __init__(self, config: BuildConfig, layout: RunLayout, index: Index) -> None:
        self._config, self._layout, self._index = config, layout, index
        self._steps = stages_of(config, character_stages(config))
        decides = [[stage.name, stage.version, stage.settings(_job(config, spec))] for stage, spec in self._steps]
        self._decides = sha256(canonical_json([result_settings(config), decides]).encode()).encode()
        self._backends = [backend_of(spec) for stage, spec in self._steps if stage.calls_backend and spec is not None]
        self._known: dict[str, Sequence[str]] = {}
        self._kept: dict[str, str] = {}
        self._warnings: dict[str, Sequence[str]] = {}
        self._marks: dict[str, bytes] = {}
        self._asked: set[str] = set()

    def _deciding(self, entry: Entry) -> bytes:
        # Which files a backend would read, as one that is new is none of those that are known.
        found = [entry, *(path for backend in self._backends for path in stated_inputs(backend, entry.id))]
        try:
            return self._decides + _TEXT.encode(found)
        except UnicodeEncodeError:
            return self._decides + repr(found).encode("utf-8", "backslashreplace")

    def known(self, entries: Iterable[Entry]) -> dict[str, Sequence[str]]:
        """Ids of the settled ones of some characters, each with those of its clips.

        Files are looked at once: what others than this process change afterwards is found by the next command.
        """
        new = {entry.id: entry for entry in entries if entry.id not in self._asked}
        self._asked |= new.keys()
        for one, found, mark in self._index.settled(new, lambda character_id: self._deciding(new[character_id])):
            self._note(new[one].id, found, mark)
        return {entry.id: self._known[entry.id] for entry in entries if entry.id in self._known}

    def members(self, entries: Sequence[Entry]) -> dict[str, dict[str, list[Member]]]:
        """What pack keeps in mind of the settled ones by backend and id: of each, or of each of their clips."""
        # One text for an id, of which there are many.
        known, ids = self.known(entries), {entry.id: entry.id for entry in entries}
        made: dict[str, dict[str, list[Member]]] = {backend_name(spec): {} for spec in self._config.backends}
        with lasting():
            for one, found in self._index.members(known):
                for name, members in found.items() if found.keys() == made.keys() else ():
                    made[name][ids[one]] = [sharing(member, ids[one]) for member in members]
        return made

    def kept(self, character_id: str) -> str:
        """What a settled one has kept of its artefacts' files; see `BuildConfig.keep`."""
        return self._kept.get(character_id, ALL)

    def warnings(
        self, entries: Sequence[Entry], done: Iterable[tuple[CharacterStage, str | None, Iterable[str]]]
    ) -> dict[str, tuple[str, ...]]:
        """Sentences about characters whose artefacts are up to date, by id.

        Args:
            entries: those that are asked about.
            done: stages, backends' names and keys of what is up to date, of which that of settled ones is not opened.
        """
        settled = self.known(entries)
        found = {one: dict.fromkeys(self._warnings[one]) for one in settled if one in self._warnings}
        for stage, name, keys in done:
            for key in keys:
                one = character_of(key) if stage.per_clip else key
                meta = None if one in settled else self._index.meta(self._layout.artefact(stage, name, key))
                if meta is not None and (said := warnings_of(meta)):
                    found.setdefault(one, {}).update(dict.fromkeys(said))
        return {one: tuple(said) for one, said in found.items()}

    def mark(self, entries: Iterable[Entry]) -> str | None:
        """A digest that changes with all that decides the artefacts of some characters, their order, and what was made;
        None where one is not settled."""
        ids = [entry.id for entry in entries]
        return sha256(b"".join(map(self._marks.__getitem__, ids))) if self._known.keys() >= set(ids) else None

    def _note(self, character_id: str, known: Settled, mark: bytes) -> None:
        self._known[character_id], self._marks[character_id] = tuple(known.clips), mark
        self._kept.pop(character_id, None)
        if known.kept != ALL:
            self._kept[character_id] = known.kept
        self._warnings.pop(character_id, None)
        if known.warnings:
            self._warnings[character_id] = known.warnings

    def unsettle(self, ids: Iterable[str]) -> None:
        """Something is left to do of some characters."""
        for one in ids:
            self._known.pop(one, None)

    def look(self, entry: Entry, kept: str = ALL) -> bool:
        """See whether nothing is left to do of a character, by its artefacts' meta data, and remember it if so.

        `kept` is what it has kept of its artefacts' files; see `BuildConfig.keep`.
        """
        made, clips, said = list[str](), dict[str, None](), dict[str, None]()
        with self._index.watched() as sources:
            for stage, spec in self._steps:
                for task, found in judgements(stage, spec, entry, self._config, self._layout, self._index):
                    if found != DONE:
                        return False
                    made.append(self._index.name(task.path))
                    said |= dict.fromkeys(warnings_of(self._index.meta(task.path) or {}))
                    if task.clip is not None:
                        clips[task.clip.id] = None
        known = Settled(list(sources), made, list(clips), kept, list(said))
        mark = self._index.settle(entry.id, self._deciding(entry), known, self._members(entry, list(clips)))
        self._asked.add(entry.id)
        self._note(entry.id, known, mark)
        return True

    def _members(self, entry: Entry, clips: list[str]) -> Members:
        if not packs(self._config):
            return {}
        read = metas_of(self._layout, self._config, self._index)
        keys, found = [entry.id] if self._config.clips is None else clips, {}
        for name in map(backend_name, self._config.backends):
            found[name] = [member(key, name, read(key, name)) for key in keys]
        return found
