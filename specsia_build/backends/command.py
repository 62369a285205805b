"""The user's own program as a backend, run for each picture to write a mesh file."""

import platform
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from specsia_build.arrays import Pixels
from specsia_build.backends.base import Backend, Context
from specsia_build.backends.placing import MESH_FORMATS, axes_matrix, only_mesh, picture_file, read_placed
from specsia_build.backends.settings import Terms, all_settings, settings_file, stated_in
from specsia_build.errors import CharacterError, UsageError
from specsia_build.files.sources import is_file
from specsia_build.folders import expanded
from specsia_build.processes import Program, worker_environment
from specsia_build.rendering.mesh import Mesh

DEFAULT_MESH = "mesh.glb"
_OPTION = re.compile(r"-*\w[\w.-]*=")  # Of a word such as ``--config=FILE``


@dataclass
class CommandBackend(Backend):
    """Backend that runs a program for each picture.

    `words` are the program and its arguments, with ``{image}``, ``{mesh}`` (the GLB to write), ``{folder}``
    (its empty folder), ``{seed}`` and ``{id}``.
    """

    name: str
    words: tuple[str, ...]
    terms: Terms = field(default_factory=Terms)
    _log: Path | None = field(default=None, init=False, repr=False)

    gpus = 0

    def __post_init__(self) -> None:
        self.slots = self.terms.slots
        self.patience = self.terms.seconds + 30

    def settings(self) -> Mapping[str, Any]:
        """The command, with names instead of paths of files, and the terms."""
        parts = map(_parts, self.words[1:])
        names = [option + (Path(value).name if is_file(Path(value)) else value) for option, value in parts]
        program = Path(self.words[0]).name if _is_script(self.words[0]) else self.words[0]
        return {"command": [program, *names], **self.terms.settings()}

    def inputs(self, character_id: str) -> Sequence[Path]:
        """Files among the words of the command, and its program if that is a script in a stated folder."""
        program = [Path(self.words[0])] if _is_script(self.words[0]) else []
        values = [Path(value) for _, value in map(_parts, self.words[1:])]
        return (*program, *filter(is_file, values))

    def logs_to(self, folder: Path) -> None:
        self._log = folder / f"{self.name}-{platform.node()}.log"

    def reconstruct(self, image: Pixels, context: Context) -> Mesh:
        """Run the program and read its mesh; a CharacterError if it fails, takes too long or leaves none."""
        prefix = f"specsia-{self.name}-"
        with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as scratch:
            out = Path(scratch) / "made"
            out.mkdir()
            mesh, picture = out / DEFAULT_MESH, picture_file(scratch, image, context)
            values = {"image": picture, "mesh": mesh, "folder": out, "seed": context.seed}
            printed = self._run({**values, "id": context.character_id})
            if not is_file(mesh):
                files = [path for path in out.rglob("*") if is_file(path)]
                meshes = [path for path in files if path.suffix.lower() in MESH_FORMATS]
                last = f", which printed '{printed}' last," if printed else ""
                mesh = only_mesh(sorted(meshes), out, f"{self.name}{last} left")
            return read_placed(mesh, self.terms, image[..., 3], context, stated_in(self.name))

    def _run(self, values: Mapping[str, object]) -> str:
        """Run the program with values in its words; returns the last line that it printed."""
        argv = list(self.words)
        for name, value in values.items():
            argv = [word.replace(f"{{{name}}}", str(value)) for word in argv]
        try:
            program = Program(argv, worker_environment(), log=self._log, piped=False)
        except (OSError, ValueError) as error:
            raise CharacterError(f"{self.name} cannot be started: {error}") from error
        try:
            if program.process.wait(self.terms.seconds) != 0:
                raise CharacterError(f"{self.name} {program.ending()}")
            return program.last_line()
        except subprocess.TimeoutExpired as error:
            limit = f"{self.terms.seconds:g} seconds; raise `seconds` in {stated_in(self.name)}"
            raise CharacterError(f"{self.name} did not end within {limit}") from error
        finally:
            program.end()


def _parts(word: str) -> tuple[str, str]:
    """A word's option with its ``=``, or nothing, and its value."""
    option = _OPTION.match(word)
    return (option[0], word[option.end() :]) if option else ("", word)


def _is_script(program: str) -> bool:
    """Whether a program that is not searched on the PATH is text, which its first line says how to run."""
    if "/" not in program or not is_file(Path(program)):
        return False
    with Path(program).open("rb") as file:
        return file.read(2) == b"#!"


def create(argument: str | None) -> CommandBackend:
    """Create the backend for ``command:WORDS``; see `make`."""
    if not argument:
        raise UsageError("command needs the program to run: command:'python recon.py {image} {mesh}'")
    return make("command", argument)


def make(name: str, stated: object) -> CommandBackend:
    """Create a backend of a command, a text or words; a UsageError if it or its settings cannot be used."""
    try:
        terms = msgspec.convert(all_settings().get(name, {}), Terms)
        axes_matrix(terms.axes or ("+x", "+y", "+z"))
    except ValueError as error:
        raise UsageError(f"{settings_file()}: {name}: {error}") from error
    try:
        words = tuple(map(str, stated) if isinstance(stated, list) else shlex.split(str(stated)))
    except ValueError as error:
        raise UsageError(f"{name}: the command cannot be split into words: {error}") from error
    words = tuple(str(expanded(word)) if word.startswith("~") else word for word in words)
    places = [place for place in ("image", "mesh", "folder") if f"{{{place}}}" in " ".join(words)]
    if "image" not in places or len(places) < 2:
        raise UsageError(f"{name}: the command must name {{image}}, and {{mesh}} or {{folder}}")
    if shutil.which(words[0]) is None:
        raise UsageError(f"{name}: there is no program '{words[0]}' that can be run")
    return CommandBackend(name, words, terms)


def absolute(argument: str) -> str:
    """Make paths in the words of ``command:WORDS`` absolute: files, and folders written with a slash."""
    try:
        words = shlex.split(argument)
    except ValueError:
        return argument
    absolute_words = [option + _absolute(value) for option, value in map(_parts, words)]
    if words and "/" not in words[0]:
        absolute_words[0] = words[0]  # It is searched on the PATH
    return argument if absolute_words == words else shlex.join(absolute_words)


def _absolute(word: str) -> str:
    """The absolute path of a file, or of a folder that is written with a slash; any other word as it is."""
    is_path = is_file(Path(word)) or ("/" in word and Path(word).exists())
    return str(Path(word).absolute()) if is_path else word


def portable(argument: str) -> str:
    """The words of ``command:WORDS`` with names instead of absolute paths."""
    try:
        parts = map(_parts, shlex.split(argument))
        return shlex.join(
            option + (Path(word).name if word.startswith("/") else word) for option, word in parts
        )
    except ValueError:
        return argument
