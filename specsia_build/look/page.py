"""The report: one HTML page that loads nothing but pictures and runs nothing but its own script."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

from specsia_build.errors import UsageError
from specsia_build.files.writing import write_bytes
from specsia_build.look.document import document, failure_of, item_of
from specsia_build.look.items import Gallery
from specsia_build.look.markup import Html, Sections, join, tag
from specsia_build.look.strips import TYPES, Made, Strip, make, rest_frame, shown_frames, tile_of
from specsia_build.ownership import refuse_foreign_file, refuse_foreign_folder
from specsia_build.pipeline.folder import PICTURES_MARK, pictures_of, sweep_pictures
from specsia_build.pipeline.layout import REPORT_MARK
from specsia_build.pipeline.progress import Progress

STYLES = ("page.css", "viewer.css")
SCRIPTS = ("base.js", "choose.js", "cards.js", "views.js", "item.js", "compare.js")
"""The page is made of these, in this order."""

VIEWS = {"overview": "Overview", "gallery": "Gallery", "failures": "Failures"}

MOST_WITHIN = 29_000_000
"""Bytes of pictures as base64 that a page holds itself: it stays below 30 MB."""

_MARK_TEXT = "Pictures of the page beside this folder, written by specsia; the next report replaces them.\n"

AHEAD = 64
"""Items that are made before their pictures are written."""


def refuse_other_file(path: Path) -> None:
    """Refuse to write a page over a file that is none, or under a name that browsers do not open.

    Raises:
        UsageError: if so.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"'{path}' would not be opened as a page: name it something.html")
    refuse_foreign_file(path, "report of specsia", REPORT_MARK)


class Pictures:
    """The pictures of a page that is being made: in memory while they fit into the page, else in a folder beside it.

    Their names are digests of their content, so that an earlier page stays whole until this one takes its place.
    """

    def __init__(self, page: Path) -> None:
        self._page, self._folder = page, pictures_of(page)
        self._held: dict[str, bytes] | None = {}
        self._bytes = 0
        self._names: set[str] = set()

    @property
    def folder(self) -> Path | None:
        """The folder; None while the page holds them."""
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
        # The page would hold a picture as often as it is shown.
        self._bytes += 4 * -(-len(strip.data) // 3)
        if self._bytes > MOST_WITHIN:
            refuse_foreign_folder(self._folder, "pictures of a report", PICTURES_MARK)
            write_bytes(self._folder / PICTURES_MARK, _MARK_TEXT.encode())
            for held, data in self._held.items():
                write_bytes(self._folder / held, data)
            self._held = None
        return name

    def addresses(self, names: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
        """The pictures themselves, or their addresses relative to the page, by side and layer."""
        return {side: {layer: self._address(name) for layer, name in of.items()} for side, of in names.items()}

    def _address(self, name: str) -> str:
        if self._held is None:
            return f"{quote(self._folder.name)}/{name}"
        return f"data:{TYPES[name.rpartition('.')[2]]};base64,{base64.b64encode(self._held[name]).decode()}"

    def publish(self, page: Callable[[], str]) -> None:
        """Write the page over an earlier one, then remove the pictures that only that one showed.

        Raises:
            WriteError: if it cannot be written.
        """
        write_bytes(self._page, page().encode())
        sweep_pictures(self._folder, self._names if self._held is None else ())


@dataclass(frozen=True)
class Page:
    """A page that was written.

    Attributes:
        gallery: that it shows.
        unreadable: ids of items with pictures that cannot be read.
        pictures: their folder; None where the page holds them itself.
    """

    gallery: Gallery
    unreadable: tuple[str, ...]
    pictures: Path | None


def write_page(gallery: Gallery, sections: Sections, path: Path, progress: Progress) -> Page:
    """Write the page of a gallery: one file, or pictures in a folder beside it where they are many.

    Args:
        gallery: to show; pictures that cannot be read are named on the page.
        sections: tables and charts of the overview.
        path: of the page.
        progress: shows a bar.

    Raises:
        UsageError: if something else is in the place of the page or its folder.
        WriteError: if it cannot be written.
    """
    refuse_other_file(path)
    pictures, tile = Pictures(path), tile_of(gallery)
    shown: list[tuple[Made, Mapping[str, Mapping[str, str]]]] = []
    with progress.bar("report", len(gallery.items) + len(gallery.lost)) as advance:
        for made in _strips(gallery, tile):
            names = {side: {k: pictures.add(strip) for k, strip in of.items()} for side, of in made.strips.items()}
            shown.append((replace(made, strips={}), names))
            advance(1)

    def render() -> str:
        items, failures = [], []
        for item, (made, names) in zip(gallery.items, shown, strict=False):
            items.append(item_of(item, pictures.addresses(names), made))
        for lost, (_, names) in zip(gallery.lost, shown[len(gallery.items) :], strict=True):
            failures.append(failure_of(lost, pictures.addresses(names)))
        return html_of(document(gallery, tile, items, failures, sections))

    pictures.publish(render)
    return Page(gallery, tuple(made.key for made, _ in shown if made.problems), pictures.folder)


def _strips(gallery: Gallery, tile: int) -> Iterator[Made]:
    """Strips of all items and then of the lost ones, in order, made by a thread for each processor."""
    wanted: list[tuple[str, dict[str, Sequence[str]], int]] = [
        (item.id, {side.name: side.layers for side in item.sides.values()}, item.frames) for item in gallery.items
    ]
    wanted += [
        (one.key, {} if one.side is None else {one.side.name: one.side.layers[:1]}, one.frames) for one in gallery.lost
    ]

    def strips(one: tuple[str, Mapping[str, Sequence[str]], int]) -> Made:
        key, sides, count = one
        frames = shown_frames(count)
        return make(gallery.reader, key, sides, frames, tile, rest_frame(len(frames), gallery.moving))

    rest = iter(wanted)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        try:
            queue = [pool.submit(strips, one) for one in islice(rest, AHEAD)]
            while queue:
                yield queue.pop(0).result()
                queue += [pool.submit(strips, one) for one in islice(rest, 1)]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def html_of(document: Mapping[str, Any]) -> str:
    """The page that shows a document."""
    style, script = join(map(asset, STYLES)), join(map(asset, SCRIPTS), "\n")
    script = Html(f"(() => {{\n{script}start();\n}})();\n")
    policy = (
        f"default-src 'none'; img-src 'self' file: data: blob:; style-src {_digest(style)}; "
        f"script-src {_digest(script)}; base-uri 'none'; form-action 'none'"
    )
    head = join(
        [
            Html('<meta charset="utf-8">'),
            Html('<link rel="icon" href="data:,">'),
            tag("title", f"specsia: {document['title'][:200]}"),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Html(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
            tag("style", style),
        ],
        "\n",
    )
    data = f'<script type="application/json" id="data">{_embedded(document)}</script>'
    body = f"<body>\n{_frame(document)}\n{data}\n<script>{script}</script>\n</body>"
    return f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{head}\n</head>\n{body}\n</html>\n'


@cache
def asset(name: str) -> Html:
    """A file of the page."""
    return Html(files("specsia_build.look").joinpath("assets", name).read_text(encoding="utf-8"))


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _embedded(document: Mapping[str, Any]) -> str:
    """JSON that begins and ends no element; half of a surrogate pair becomes a question mark."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace").decode().replace("<", "\\u003c")


def _frame(document: Mapping[str, Any]) -> Html:
    links = [
        tag(
            "li",
            tag("a", name, *([tag("span", id="lost")] if key == "failures" else []), href=f"#{key}", data_view=key),
        )
        for key, name in VIEWS.items()
    ]
    return join(
        [
            tag("a", "Skip to the content", href="#main", cls="skip"),
            tag(
                "header",
                tag("span", "specsia", cls="brand"),
                tag("span", document["title"][:200], cls="name", dir="auto"),
                tag("nav", tag("ul", *links, role="list"), aria_label="Views"),
                cls="top",
            ),
            tag("main", tag("noscript", tag("p", "This page needs JavaScript.")), id="main", tabindex="-1"),
            tag("div", id="said", cls="unseen", role="status", aria_live="polite"),
        ],
        "\n",
    )
