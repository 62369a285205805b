"""Read FBX and COLLADA files, which a program converts to GLB, as no damaged file may end this process."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from specsia_build import memory
from specsia_build.characters.character import Entry, RawMesh
from specsia_build.characters.converting import EXHAUSTED
from specsia_build.characters.gltf.document import Document, parse_document
from specsia_build.characters.gltf.read import read_export
from specsia_build.characters.polygons import without_covered_colours
from specsia_build.characters.side_files import SideFiles
from specsia_build.errors import CharacterError, brief
from specsia_build.files.sources import open_source_file
from specsia_build.pool import how_ended

CONVERT_SECONDS = 300.0  # How long the conversion of one file may take

_PROGRAMS = {"fbx": "specsia_build.characters.fbx.convert", "dae": "specsia_build.characters.dae"}
_FIX = "export it again, as glTF or as binary FBX"
_MOST_QUOTED = 200  # Characters of the program's last line that an error quotes


def read_converted(entry: Entry, *, moving: bool = False) -> RawMesh:
    """Read an FBX or COLLADA file as `read_export`; raises as `converted`."""
    document = converted(entry.path, SideFiles(entry.path, entry.within), entry.format)
    raw = read_export(document, entry, moving=moving)
    return replace(raw, mesh=without_covered_colours(raw.mesh))


def converted(path: Path, files: SideFiles, kind: str) -> Document:
    """A file of a kind, ``fbx`` or ``dae``, as a glTF document; images beside it are looked up by `files`.

    Raises CharacterError if it cannot be read.
    """
    command = [sys.executable, "-P", "-m", _PROGRAMS[kind], str(memory.allowed())]
    package = str(Path(__file__).parents[3])
    paths = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    with open_source_file(path, files.root) as stream, memory.unlimited():
        # Looking at the first bytes may have moved the place that the process reads from.
        os.lseek(stream.fileno(), 0, os.SEEK_SET)
        try:
            ran = subprocess.run(  # noqa: S603  this Python, and a module of this package
                command,
                stdin=stream,
                capture_output=True,
                timeout=CONVERT_SECONDS,
                env={**os.environ, "PYTHONPATH": paths},
                check=False,
            )
        except subprocess.TimeoutExpired:
            slow = f"{path.name} could not be read within {CONVERT_SECONDS:g} seconds: {_FIX}"
            raise CharacterError(slow, "worker-lost") from None
    if ran.returncode == EXHAUSTED:
        raise CharacterError(memory.exhausted(path.name))
    if ran.returncode != 0:
        last = ran.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        why = brief(last, _MOST_QUOTED) if last else how_ended(ran.returncode)
        raise CharacterError(f"{path.name} could not be read ({why}): {_FIX}")
    memory.take(len(ran.stdout))
    document = parse_document(path, ran.stdout, files, is_export=True)
    facts: dict[str, Any] = (document.root.asset or {})["extras"]
    for code, end in facts["warnings"]:
        document.warn(code, f"{path.name} {end}")
    return replace(document, fps=float(facts.get("fps", document.fps)))
