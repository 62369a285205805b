"""The user's own program as a backend: it is started for each picture and writes a mesh file."""

from __future__ import annotations

import platform
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.backends.base import Context
from specsia_build.backends.placing import FORMATS, Terms, read_placed, read_terms
from specsia_build.backends.upstream.processes import Program, worker_environment
from specsia_build.backends.user_settings import stated_in
from specsia_build.errors import CharacterError, UsageError, brief
from specsia_build.files.sources import is_file
from specsia_build.files.writing import remove_tree
from specsia_build.folders import expanded
from specsia_build.rendering.mesh import Mesh

USUAL_MESH = "mesh.glb"


@dataclass
class Command:
    """Backend that runs a program for each picture.

    Attributes:
        words: program and arguments, with ``{image}``, ``{mesh}`` (the GLB to write), ``{folder}`` (the empty one that
            it lies in), ``{seed}`` and ``{id}``.
        terms: settings of its meshes.
    """

    name: str
    words: tuple[str, ...]
    terms: Terms = field(default_factory=Terms)
    version: int = 1
    sees_ground_truth: bool = False
    needs_yaw: bool = False
    gpus: int = 0
    _log: Path | None = field(default=None, init=False, repr=False)

    @property
    def slots(self) -> int:
        return self.terms.slots

    @property
    def patience(self) -> float:
        return self.terms.seconds + 30

    def settings(self) -> Mapping[str, Any]:
        """The command, with files by their names alone, and the terms."""
        program, *others = self.words
        named = [Path(word).name if is_file(Path(word)) else word for word in others]
        return {"command": [program, *named], **self.terms.settings()}

    def inputs(self, character_id: str) -> Sequence[Path]:
        """Files among the words of the command, such as a script."""
        return tuple(Path(word) for word in self.words[1:] if is_file(Path(word)))

    def logs_to(self, folder: Path) -> None:
        """Write what the program prints to a folder."""
        self._log = folder / f"{self.name}-{platform.node()}.log"

    def reconstruct(self, image: NDArray[np.uint8], context: Context) -> Mesh:
        """Run the program and read its mesh in the axes of the frame.

        Raises:
            CharacterError: if it fails, takes too long or leaves no mesh.
        """
        folder = Path(tempfile.mkdtemp(prefix=f"specsia-{self.name}-"))
        try:
            picture, out = folder / f"{context.character_id}.png", folder / "made"
            picture.write_bytes(png.encode(image))
            out.mkdir()
            values = {"image": picture, "mesh": out / USUAL_MESH, "folder": out}
            last = self._run(self._filled({**values, "seed": context.seed, "id": context.character_id}))
            return read_placed(self._mesh(out, last), self.terms, image[..., 3], context, stated_in(self.name))
        finally:
            remove_tree(folder)

    def _filled(self, values: Mapping[str, object]) -> list[str]:
        words = []
        for word in self.words:
            for name, value in values.items():
                word = word.replace(f"{{{name}}}", str(value))
            words.append(word)
        return words

    def _run(self, argv: Sequence[str]) -> str:
        """Run the program; returns the last line that it printed."""
        try:
            program = Program(argv, worker_environment(), log=self._log)
        except (OSError, ValueError) as error:
            raise CharacterError(f"{self.name} cannot be started: {error}") from error
        try:
            if program.process.wait(self.terms.seconds) != 0:
                raise CharacterError(f"{self.name} {program.ending()}")
            return program.last_line()
        except subprocess.TimeoutExpired as error:
            raise CharacterError(
                f"{self.name} did not end within {self.terms.seconds:g} seconds; raise `seconds` in "
                f"{stated_in(self.name)}"
            ) from error
        finally:
            program.end()

    def _mesh(self, folder: Path, last: str) -> Path:
        """The usual file, or else the only mesh anywhere in the folder; `last` is what was printed last."""
        if is_file(folder / USUAL_MESH):
            return folder / USUAL_MESH
        meshes = sorted(path for path in folder.rglob("*") if path.suffix.lower() in FORMATS and is_file(path))
        if len(meshes) == 1:
            return meshes[0]
        if not meshes:
            printed = f"; the last it printed: {last}" if last else ""
            raise CharacterError(f"{self.name} left no mesh: no {{mesh}}, nor any of {', '.join(FORMATS)}{printed}")
        names = brief(", ".join(path.relative_to(folder).as_posix() for path in meshes), 200)
        raise CharacterError(f"{self.name} left {len(meshes)} meshes, none of them {USUAL_MESH}: {names}")


def create(argument: str | None) -> Command:
    """The backend for ``command:WORDS``.

    Raises:
        UsageError: if the words are no command, or the user's settings of `command` cannot be used.
    """
    if not argument:
        raise UsageError("command needs the program to run: command:'python recon.py {image} {mesh}'")
    return make("command", argument)


def standing(argument: str) -> str:
    """Make paths in the words of ``command:WORDS`` absolute: files, and folders that are written with a slash."""
    try:
        words = shlex.split(argument)
    except ValueError:
        return argument
    # A program without a folder is looked for on the PATH.
    there = [("/" in word and Path(word).exists()) or (k > 0 and is_file(Path(word))) for k, word in enumerate(words)]
    placed = [str(Path(word).absolute()) if found else word for word, found in zip(words, there, strict=True)]
    return argument if placed == words else shlex.join(placed)


def placeless(argument: str) -> str:
    """The words of ``command:WORDS`` with names in the place of paths from the root."""
    try:
        return shlex.join(Path(word).name if word.startswith("/") else word for word in shlex.split(argument))
    except ValueError:
        return argument


def make(name: str, stated: object) -> Command:
    """The backend of that name, which runs the stated command: a text, or a list of words.

    Raises:
        UsageError: as of `create`.
    """
    terms = read_terms(name)
    try:
        words = tuple(map(str, stated) if isinstance(stated, list) else shlex.split(str(stated)))
    except ValueError as error:
        raise UsageError(f"{name}: the command cannot be split into words: {error}") from error
    words = tuple(str(expanded(word)) if word.startswith("~") else word for word in words)
    places = [place for place in ("image", "mesh", "folder") if any(f"{{{place}}}" in word for word in words)]
    if len(places) < 2 or places[0] != "image":
        raise UsageError(f"{name}: the command must name {{image}}, and {{mesh}} or {{folder}}")
    if shutil.which(words[0]) is None:
        raise UsageError(f"{name}: there is no program '{words[0]}' that can be run")
    return Command(name, words, terms)
