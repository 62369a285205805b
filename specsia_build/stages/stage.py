"""Artefacts, and the interface of a stage that the plan, the build, its status and the report use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from specsia_build.backends.base import Backend
from specsia_build.characters.character import Entry, Sample
from specsia_build.config import BuildConfig
from specsia_build.files.digests import canonical_json, sha256
from specsia_build.files.sources import DigestOf as DigestOf

META = "meta.json"

DIGEST = "digest"  # Field of the meta data with the SHA-256 of all its other fields


@dataclass(frozen=True)
class Artefact:
    """One character's result of one stage."""

    key: str  # The character's or the clip's id
    files: Mapping[str, bytes]  # By name; `META` is not among them
    # JSON; `seal` adds `fingerprint`, `inputs`, `stage`, the `files`' SHA-256 and sizes, `DIGEST`
    meta: Mapping[str, Any]


def fingerprint(stage: str, version: int, settings: Mapping[str, Any], inputs: Digests) -> str:
    """SHA-256 over everything that decides an artefact.

    `version` is of the stage's code, to be raised whenever equal inputs would give another artefact;
    `settings` are those that the stage uses, JSON-serialisable.
    """
    content = {"stage": stage, "version": version, "settings": settings, "inputs": inputs}
    return sha256(canonical_json(content).encode())


def seal(artefact: Artefact, stage: str, fingerprint: str, inputs: Digests) -> Artefact:
    """Add an artefact's stage, fingerprint, inputs and files' digests to its meta data."""
    files = {name: {"sha256": sha256(data), "bytes": len(data)} for name, data in artefact.files.items()}
    made_from = {"stage": stage, "fingerprint": fingerprint, "inputs": dict(inputs)}
    meta = {**artefact.meta, **made_from, "files": files}
    return Artefact(artefact.key, artefact.files, {**meta, DIGEST: meta_digest(meta)})


def meta_digest(meta: Mapping[str, Any]) -> str:
    """SHA-256 of an artefact's meta data without `DIGEST`; raises ValueError if a number is not finite."""
    return sha256(canonical_json({name: value for name, value in meta.items() if name != DIGEST}).encode())


Meta: TypeAlias = Mapping[str, Any]  # Meta data of an artefact

Digests: TypeAlias = Mapping[str, str | None]
"""Content digest of every input by name, None for a file that was looked for in vain."""


@dataclass(frozen=True)
class Clip:
    """One motion of one character, seen by one camera.

    `id` is unique in a run and usable as a file name: the character's id, the motion's name and the camera's
    number, joined by ``-``, which the latter two do not contain.
    """

    id: str
    action: str  # Name of the motion; ``turntable`` for a still figure that the camera walks around
    origin: str  # `config.OWN`, or the name of the built-in motion or the file; empty for a turntable
    index: int  # Number of the motion in its origin
    frames: int  # Number of frames
    view: int  # Number of the camera
    yaw: float  # Of the camera in degrees; in a turntable, of its first frame


def character_of(clip_id: str) -> str:
    """Id of a clip's character."""
    return clip_id.rsplit("-", 2)[0]


@dataclass(frozen=True)
class Job:
    """Input of a stage besides earlier artefacts; `backend` and `clip` are None unless it has one of each."""

    entry: Entry
    config: BuildConfig
    backend: Backend | None = None
    clip: Clip | None = None


@dataclass(frozen=True)
class Sources:
    """Location of the source files of an artefact; making it tells which files those are."""

    folder: Path  # That their names among the inputs are relative to
    root: Path  # Folder that contains all files
    prefix: str = ""  # Of their names, which no other input of the stage has
    sample: Sample | None = None  # A procedural character, whose seed and version are the input instead
    stated: tuple[Path, ...] = ()  # Files that the source names, always inputs: another is another character

    def name(self, path: Path) -> str:
        # Fast path for files in the folder itself, which most are.
        folder, name = os.path.split(path)
        return name if folder == str(self.folder) else Path(os.path.relpath(path, self.folder)).as_posix()

    def digests(self, names: Iterable[str], digest_of: DigestOf) -> Digests:
        """Digests of the named and the stated files, as inputs."""
        if self.sample is not None:
            return {f"{self.prefix}sample": f"seed {self.sample.seed}, version {self.sample.version}"}
        every = dict.fromkeys((*map(self.name, self.stated), *names))
        return {f"{self.prefix}{name}": digest_of(self.folder / name, self.root) for name in every}


def sources_of(entry: Entry, prefix: str = "", more: Sequence[Path] = ()) -> Sources:
    """Source files of a character; its mesh, its texture and `more` are stated."""
    mesh = () if entry.format == "3dbicar" else (entry.path,)
    texture = () if entry.texture is None else (entry.texture,)
    return Sources(entry.folder, entry.within, prefix, entry.sample, (*mesh, *texture, *more))


Earlier: TypeAlias = Mapping["CharacterStage", Artefact]  # A character's artefacts that a stage reads
EarlierMeta: TypeAlias = Mapping["CharacterStage", Meta]  # Their meta data

Make: TypeAlias = Callable[[Job, Earlier], tuple[Artefact, tuple[Path, ...]]]
"""Makes an artefact, and lists the files that were read or looked for in vain; raises CharacterError."""


def _nothing(*_: object) -> Mapping[str, Any]:
    return {}


def _no_sources(_job: Job) -> Sources | None:
    return None


def _always(_meta: Meta, _config: BuildConfig) -> bool:
    return True


@dataclass(frozen=True)
class Stage:
    """One stage of a build."""

    name: str
    version: int  # To be raised whenever equal inputs would give another result
    earlier: tuple[CharacterStage, ...] = ()  # Stages whose artefacts it reads

    def __hash__(self) -> int:
        # Hashing all fields of a stage and of earlier ones is slow.
        return hash(self.name)

    @cached_property
    def rests_on(self) -> tuple[CharacterStage, ...]:
        """All stages that must be done before it, in their order."""
        return tuple(dict.fromkeys(s for stage in self.earlier for s in (*stage.rests_on, stage)))


@dataclass(frozen=True, kw_only=True)
class CharacterStage(Stage):
    """A stage that makes an artefact of each character, or of each character and backend.

    Its functions must be importable by name, as worker processes call them too.
    """

    make: Make
    # The part of the job that decides the artefact besides its inputs, JSON-serialisable
    settings: Callable[[Job], Mapping[str, Any]]
    # Digests of earlier artefacts and files that are known before it is made
    inputs: Callable[[Job, EarlierMeta, DigestOf], Digests] = _nothing
    sources: Callable[[Job], Sources | None] = _no_sources  # Of the files of `make`, if they are inputs
    serves: Callable[[Meta, BuildConfig], bool] = _always  # Whether it has what later stages need now
    per_backend: bool = False  # Whether each backend has an artefact of its own
    per_clip: bool = False  # Whether each clip has one
    calls_backend: bool = False  # Whether it runs the backend, whose slots and time limit then apply
    draws: bool = False  # Whether it needs the renderer

    __hash__ = Stage.__hash__
