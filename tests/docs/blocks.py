"""Blocks of the pages, and the commands that they and the running text name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

CARD = "specsia_build/dravie/weights/MODEL_CARD.md"

PAGES = ("README.md", *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")), CARD)

CLUSTER = "it needs several machines; tests/pipeline builds on a cluster of one"
MEASURES = "it takes minutes, and characters that do not come along; tests/benchmarks runs the commands"
MINUTE = "it takes a minute; tests/repairing runs the command"
REPEATS = "README and the tutorial run these commands"
UPSTREAM = "it needs the upstream project; tests/backends/upstream has stand-ins"

NOT_RUN = {
    ("README.md", "ray start"): CLUSTER,
    ("docs/backends.md", "specsia backends doctor"): UPSTREAM,
    ("docs/backends.md", "specsia build SOURCE"): "it starts a process for each character, as tests/backends does",
    ("docs/benchmarks.md", "python -m benchmarks stages"): MEASURES,
    ("docs/evaluation.md", "specsia enhance"): REPEATS,
    ("docs/packing.md", "pip install"): "it needs a bucket; tests/pipeline builds into one",
    ("docs/pictures.md", "specsia turntable"): REPEATS,
    ("docs/reliability.md", "pytest"): "it runs tests",
    ("docs/repair.md", "specsia repair"): MINUTE,
    ("docs/rendering.md", "python -m benchmarks renderers"): "it starts a Blender; tests/rendering/blender does, too",
    (CARD, "pip install"): REPEATS,
    (CARD, "python -m benchmarks.validation_source"): "it takes hours",
}
"""Blocks that cannot run here, by page and beginning, with the reason; their commands are parsed."""

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_INLINE = re.compile(r"`(specsia [^`]+)`")
_ENDS = {"&&", "||", "|", ";", ">", "2>"}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its first line there, its language, if any, and its text."""

    page: str
    line: int
    language: str
    text: str

    @property
    def runs(self) -> bool:
        """Whether it is to be run, not parsed."""
        return not any(self.page == page and self.text.startswith(begin) for page, begin in NOT_RUN)


def blocks_of(page: str) -> list[Block]:
    """All fenced blocks of a page, in order."""
    text = (ROOT / page).read_text()
    return [Block(page, text.count("\n", 0, m.start(2)) + 1, m[1], m[2]) for m in _FENCED.finditer(text)]


BLOCKS = [block for page in PAGES for block in blocks_of(page) if block.language in ("sh", "bash", "python")]
"""Those that a reader would give to a shell or to Python."""


def commands_of(shell: str) -> Iterator[list[str]]:
    """The arguments of each `specsia` in a text for a shell, whatever stands before it."""
    for line in shell.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while "specsia" in words:
            words = words[words.index("specsia") + 1 :]
            ends = [k for k, word in enumerate(words) if word in _ENDS]
            if not ends or ends[0] > 0:
                yield words[: ends[0]] if ends else words


def mentioned(page: str) -> list[str]:
    """What the running text of a page, and its blocks of no language, call by `specsia …`."""
    text = (ROOT / page).read_text()
    plain = [line for block in blocks_of(page) if not block.language for line in block.text.splitlines()]
    return _INLINE.findall(_FENCED.sub("", text)) + [line for line in plain if line.startswith("specsia ")]
