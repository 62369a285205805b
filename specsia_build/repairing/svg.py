"""Render an SVG file in its own process: ``python -m specsia_build.repairing.svg`` reads it, writes a PNG.

A small file may ask for hours, or for any amount of memory, and may name other files. The process has limits,
and gets nothing but the drawing itself.
"""

import resource
import subprocess
import sys
from xml.etree import ElementTree

import resvg_py

from specsia_build.errors import UsageError, brief

_SIDE = 1024  # Pixels of the longer side
_DPI = 96  # Pixels of an inch, as CSS has it
SECONDS, _BYTES = 30, 2**30  # Time and memory that rendering may take
MOST_SVG_BYTES = 2**26  # Largest SVG that is read

LINK, TEXT = "an image that it links to", "text, which paths would keep"


def render_svg(data: bytes, name: str) -> tuple[bytes, list[str]]:
    """Render an SVG as a PNG on transparency with a longer side of `_SIDE` pixels; list what was left out.

    `name` is for errors. Raises `UsageError` if it is no SVG, or takes too much time or memory.
    """
    command = [sys.executable, "-m", "specsia_build.repairing.svg"]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=2 * SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"{name} takes more than {SECONDS} s to render: save it as PNG") from error
    notes = done.stderr.decode(errors="replace").splitlines()
    if done.returncode < 0:
        raise UsageError(
            f"{name} takes more than {SECONDS} s, or {_BYTES >> 20:,} MB, to render: save it as PNG"
        )
    if done.returncode:
        raise UsageError(
            f"{name} is an SVG that cannot be rendered ({brief(''.join(notes[-1:]))}): save it as PNG"
        )
    return done.stdout, notes


def _own(data: bytes) -> tuple[str, list[str]]:
    """Remove an SVG's links to other files; returns it, and what will be missing."""
    root, notes = ElementTree.fromstring(data), []  # noqa: S314  the process is limited, and reads no entities of files
    for element in root.iter():
        for key, value in list(element.attrib.items()):
            if key.rpartition("}")[2] == "href" and not value.strip().startswith(("#", "data:")):
                del element.attrib[key]
                notes += [LINK] if str(element.tag).endswith("mage") else []
        if str(element.tag).endswith("}text"):
            notes.append(TEXT)
    return ElementTree.tostring(root, "unicode"), sorted(set(notes))


def _main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        text, notes = _own(sys.stdin.buffer.read())
        # Fonts differ from machine to machine. By default inches and millimetres are 0 pixels.
        picture = resvg_py.svg_to_bytes(
            svg_string=text, width=_SIDE, height=_SIDE, dpi=_DPI, skip_system_fonts=True
        )
    except (ElementTree.ParseError, LookupError, ValueError, RecursionError, MemoryError) as error:
        sys.exit(f"{error or type(error).__name__}")
    sys.stdout.buffer.write(picture)
    sys.stderr.write("\n".join(notes))


if __name__ == "__main__":
    _main()
