"""Where a page's pictures go: into the page, or beside it where they would make it too large to open at once."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

from specsia_build.errors import UsageError
from specsia_build.files.writing import write_bytes
from specsia_build.ownership import refuse_foreign_file, refuse_foreign_folder
from specsia_build.pipeline.layout import REPORT_MARK
from specsia_build.pipeline.pages import MARK, MARK_TEXT, pictures_of, sweep
from specsia_build.report.strips import TYPES, Strip

MOST_WITHIN = 29_000_000
"""Bytes of pictures, as text, of a page that holds them itself: with all else it stays below 30 MB."""


def refuse_other_file(path: Path) -> None:
    """See that no page is to take the place of a file that is none, or a name by which no browser takes it for one.

    Raises:
        UsageError: if it would.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"'{path}' would not be opened as a page: name it something.html")
    refuse_foreign_file(path, "report of specsia", REPORT_MARK)


class Pictures:
    """The pictures of a page that is being made; held in memory only as long as they fit into the page.

    Their names are those of their content: what an earlier page shows is not touched while this one is made, and an
    interrupted report leaves it whole.
    """

    def __init__(self, page: Path) -> None:
        self._page, self._folder = page, pictures_of(page)
        self._held: dict[str, bytes] | None = {}
        self._bytes = 0
        self._names: set[str] = set()

    @property
    def folder(self) -> Path | None:
        """Where they are; None as long as they fit into the page."""
        return self._folder if self._held is None else None

    def add(self, strip: Strip) -> str:
        """Keep a picture; returns its name.

        Raises:
            UsageError: if something else is in the place of the folder.
            WriteError: if it cannot be written.
        """
        name = f"{hashlib.sha256(strip.data).hexdigest()[:32]}.{strip.suffix}"
        new = name not in self._names
        self._names.add(name)
        if self._held is None:
            if new:
                write_bytes(self._folder / name, strip.data)
            return name
        self._held[name] = strip.data
        # Of one that several show, the page would hold as many.
        self._bytes += 4 * -(-len(strip.data) // 3)
        if self._bytes > MOST_WITHIN:
            refuse_foreign_folder(self._folder, "pictures of a report", MARK)
            write_bytes(self._folder / MARK, MARK_TEXT.encode())
            for held, data in self._held.items():
                write_bytes(self._folder / held, data)
            self._held = None
        return name

    def sources(self, names: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
        """What the page calls pictures by, by side and layer: all of each, or its address relative to the page."""
        return {side: {layer: self._source(name) for layer, name in of.items()} for side, of in names.items()}

    def _source(self, name: str) -> str:
        if self._held is None:
            return f"{quote(self._folder.name)}/{name}"
        kind = TYPES[name.rpartition(".")[2]]
        return f"data:{kind};base64,{base64.b64encode(self._held[name]).decode()}"

    def publish(self, page: Callable[[], str]) -> None:
        """Write the page over an earlier one, and then remove what only that one showed.

        Raises:
            WriteError: if it cannot be written.
        """
        write_bytes(self._page, page().encode())
        sweep(self._folder, self._names if self._held is None else ())
