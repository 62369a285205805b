"""Blocks of the pages, and the commands that they and the running text name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

PAGES = ("README.md", *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")))
PAGES += ("specsia_build/dravie/weights/MODEL_CARD.md",)

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_INLINE = re.compile(r"`(specsia [^`]+)`")
_ENDS = {"&&", "||", "|", ";", ">", "2>"}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        page: path in the repository.
        line: of the page, where its text begins.
        language: what stands behind the fence, maybe nothing.
        text: as it is printed.
    """

    page: str
    line: int
    language: str
    text: str

    @property
    def first(self) -> str:
        """Its first command, by which it is listed."""
        return self.text.splitlines()[0].partition("   ")[0].strip()


def blocks_of(page: str) -> list[Block]:
    """All fenced blocks of a page, in order."""
    text = (ROOT / page).read_text()
    return [Block(page, text.count("\n", 0, m.start(2)) + 1, m[1], m[2]) for m in _FENCED.finditer(text)]


def runnable(page: str) -> list[Block]:
    """Those that a reader would give to a shell or to Python."""
    return [block for block in blocks_of(page) if block.language in ("sh", "bash", "python")]


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
