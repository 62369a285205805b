"""The report: one HTML page that loads only pictures and runs only its own script."""

import base64
import hashlib
import json
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache, partial
from importlib.resources import files
from math import isfinite
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from specsia_build import terminal
from specsia_build.errors import UsageError
from specsia_build.files.names import is_temporary
from specsia_build.files.writing import write_bytes, writing
from specsia_build.folders import refuse_foreign_file, refuse_foreign_folder, remove_empty
from specsia_build.look.items import LAYER_TITLES, FailedItem, Gallery, Item, layers_of
from specsia_build.look.sections import Html, Sections, join, tag
from specsia_build.look.strips import (
    COVER,
    LARGE,
    STRIP_COLUMNS,
    TYPES,
    Strip,
    Strips,
    make_strips,
    rest_frame,
    strip_frames,
    tile_of,
)
from specsia_build.pool import map_ahead

STYLES = ("page.css", "viewer.css")
# Parts of the page, in this order
SCRIPTS = ("base.js", "choose.js", "cards.js", "views.js", "item.js", "compare.js")
_VIEWS = {"overview": "Overview", "gallery": "Gallery", "failures": "Failures"}
MOST_WITHIN = 29_000_000  # Most bytes of base64 pictures in a page, which thus stays below 30 MB
REPORT_MARK = b"<title>specsia: "  # Text near the beginning of every page
PICTURES_MARK = "specsia-report.txt"  # File in every folder of a page's pictures
_PICTURE = re.compile(r"[0-9a-f]{32}\.(webp|png)")
_MARK_TEXT = "Pictures of the page beside this folder, written by specsia; the next report replaces them.\n"
_AHEAD = 64  # Items whose strips are made before those of the first are written

_NUMBERS = {
    "outline_px": ("contour", "px", 0, "thickness of the contour"),
    "outline_grey": ("contour's grey", "", 0, "its level, from 0 to 255"),
    "fit": ("fit", "", 3, "below 1 where the character was scaled down so that no view cuts it"),
    "triangles": ("triangles", "", 0, "of its mesh"),
    "vertices": ("vertices", "", 0, "of its mesh, as stored"),
    "seconds": ("seconds", "s", 1, "of all stages, their latest times"),
}
"""Name, unit, digits and meaning of each number to sort items by."""

Addresses = Mapping[str, Mapping[str, str]]
"""Address of the picture of each layer, and of cover and larger frames, by side."""


def item_of(item: Item, pictures: Addresses, problems: Mapping[str, str]) -> dict[str, Any]:
    """Entry of an item in the document, with addresses and problems of its sides' pictures."""
    frames, sides = strip_frames(item.frames), {}
    for name, side in item.sides.items():
        addresses = pictures.get(name, {})
        strips = {k: address for k, address in addresses.items() if k in LAYER_TITLES}
        entry: dict[str, Any] = {"strips": strips}
        entry |= {key: addresses[key] for key in (COVER, LARGE) if key in addresses}
        if side.values:
            entry["values"] = {}
            for key, values in side.values.items():
                entry["values"][key] = [_rounded(values[k]) for k in frames]
        if side.facts:
            entry["facts"] = {k: _rounded(v) if isinstance(v, float) else v for k, v in side.facts.items()}
        if name in problems:
            entry["problem"] = problems[name]
        sides[name] = entry
    document = {
        "id": item.id,
        "character": item.character,
        "split": item.split,
        "frames": len(frames),
        "rest": rest_frame(len(frames), item.fps is not None),
        "yaws": None if item.yaws is None else [item.yaws[k] for k in frames],
        "fps": None if item.fps is None else _rounded(item.fps / frames.step),
        "action": item.action,
        "license": item.license,
        "credit": item.credit,
        "warnings": list(item.warnings),
        "numbers": {k: _rounded(v) for k, v in item.numbers.items() if isfinite(v)},
        "sides": sides,
    }
    return document if frames.step == 1 else {**document, "every": frames.step, "of": item.frames}


def _rounded(value: float | None) -> float | None:
    return None if value is None or not isfinite(value) else round(value, 5)


def failure_of(failed: FailedItem, pictures: Addresses) -> dict[str, Any]:
    """Entry of a failure in the document, with its first strip."""
    strips = [address for side in pictures.values() for k, address in side.items() if k in LAYER_TITLES]
    strip = strips[0] if strips else None
    entry = {name: value for name, value in asdict(failed).items() if name != "side"}
    return entry | {"strip": strip, "frames": len(strip_frames(failed.frames)) if strip else 0}


def document(
    gallery: Gallery,
    tile: int,
    items: Sequence[Mapping[str, Any]],
    failures: Sequence[Mapping[str, Any]],
    sections: Sections,
) -> dict[str, Any]:
    """The page's data: one JSON document, which its scripts read; frames have `tile` pixels on a side."""
    layers = layers_of(side for item in gallery.items for side in item.sides.values())
    there = {key for item in items for key in item["numbers"]}
    numbers = []
    for key, (name, unit, digits, note) in _NUMBERS.items():
        if key in there:
            numbers.append({"key": key, "name": name, "unit": unit, "digits": digits, "note": note})
    shown = ({"anchor": anchor, "title": title, "html": html} for anchor, (title, html) in sections.items())
    return {
        "title": gallery.title,
        "lead": gallery.lead,
        "kind": gallery.kind,
        "moving": gallery.moving,
        "root": gallery.where,
        "tile": tile,
        "columns": STRIP_COLUMNS,
        "measures": [asdict(measure) for measure in gallery.measures],
        "numbers": numbers,
        "layers": [{"key": key, "name": name, "note": note} for key, (name, note) in layers.items()],
        "sides": gallery.side_names,
        "items": list(items),
        "failures": list(failures),
        "missing": list(gallery.missing),
        "go_on": gallery.go_on,
        "sections": list(shown),
    }


def refuse_other_file(path: Path) -> None:
    """Raise UsageError if a file is there and no report, or has a name that browsers do not open."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"'{path}' would not be opened as a page: name it something.html")
    refuse_foreign_file(path, "report of specsia", REPORT_MARK)


def _sweep_pictures(folder: Path, keep: Collection[str]) -> None:
    """Remove the pictures that a page no longer shows, and the folder if it is then empty.

    A folder without our mark, and files of other names, stay as they are.
    """
    if not (folder / PICTURES_MARK).is_file():
        return
    with writing(folder):
        for path in sorted(folder.iterdir()):
            ours = _PICTURE.fullmatch(path.name) or is_temporary(path.name)
            if ours and path.name not in keep and (path.is_file() or path.is_symlink()):
                path.unlink()
        if not keep:
            (folder / PICTURES_MARK).unlink()
            remove_empty(folder)


class PagePictures:
    """Pictures of a page: in memory while they fit into the page, else in a folder beside it.

    Names are digests of content, so that an earlier page stays whole until this one takes its place.
    """

    def __init__(self, page: Path) -> None:
        self._page, self._folder = page, page.with_name(f"{page.stem}_files")
        self._in_memory: dict[str, bytes] | None = {}
        self._bytes = 0
        self._names: set[str] = set()

    @property
    def folder(self) -> Path | None:
        """The folder; None while the page holds them."""
        return self._folder if self._in_memory is None else None

    def add(self, strip: Strip) -> str:
        """Keep a picture; returns its name."""
        name = f"{hashlib.sha256(strip.data).hexdigest()[:32]}.{strip.suffix}"
        new = name not in self._names
        self._names.add(name)
        if self._in_memory is None:
            if new:
                write_bytes(self._folder / name, strip.data)
            return name
        self._in_memory[name] = strip.data
        # The page repeats a picture wherever it is shown.
        self._bytes += 4 * -(-len(strip.data) // 3)
        if self._bytes > MOST_WITHIN:
            refuse_foreign_folder(self._folder, "pictures of a report", PICTURES_MARK)
            write_bytes(self._folder / PICTURES_MARK, _MARK_TEXT.encode())
            for stored, data in self._in_memory.items():
                write_bytes(self._folder / stored, data)
            self._in_memory = None
        return name

    def address(self, name: str) -> str:
        """The picture itself as a data URL, or its address relative to the page."""
        if self._in_memory is None:
            return f"{quote(self._folder.name)}/{name}"
        data = base64.b64encode(self._in_memory[name]).decode()
        return f"data:{TYPES[name.rpartition('.')[2]]};base64,{data}"

    def publish(self, render: Callable[[], str]) -> None:
        """Write the page over an earlier one, then remove pictures that only the earlier one showed."""
        write_bytes(self._page, render().encode())
        _sweep_pictures(self._folder, self._names if self._in_memory is None else ())


@dataclass(frozen=True)
class Page:
    """A page that was written; `unreadable`: ids of items; `pictures`: their folder, None if in the page."""

    unreadable: tuple[str, ...]
    pictures: Path | None


def write_page(gallery: Gallery, sections: Sections, path: Path) -> Page:
    """Write the page of a gallery: one file, or pictures in a folder beside it where they are many.

    Pictures that cannot be read are named on the page. `sections` are tables of the overview.
    """
    refuse_other_file(path)
    pictures, tile = PagePictures(path), tile_of(gallery)
    names: list[dict[str, dict[str, str]]] = []
    problems: list[Mapping[str, str]] = []
    with terminal.bar("report", len(gallery.items) + len(gallery.failed)) as advance:
        for entry in _all_strips(gallery, tile):
            names.append({side: _mapped(pictures.add, strips) for side, strips in entry.strips.items()})
            problems.append(entry.problems)
            advance(1)

    def render() -> str:
        addresses = (_mapped(partial(_mapped, pictures.address), entry) for entry in names)
        items = [item_of(*entry) for entry in zip(gallery.items, addresses, problems, strict=False)]
        failures = [failure_of(*entry) for entry in zip(gallery.failed, addresses, strict=True)]
        return html_of(document(gallery, tile, items, failures, sections))

    pictures.publish(render)
    unreadable = tuple(item.id for item, entry in zip(gallery.items, problems, strict=False) if entry)
    return Page(unreadable, pictures.folder)


_T = TypeVar("_T")
_U = TypeVar("_U")


def _mapped(function: Callable[[_T], _U], values: Mapping[str, _T]) -> dict[str, _U]:
    return {key: function(value) for key, value in values.items()}


def _all_strips(gallery: Gallery, tile: int) -> Iterator[Strips]:
    """Make the strips of all items, then of the failed ones, in order, in a thread for each processor."""
    jobs: list[tuple[str, Mapping[str, Sequence[str]], int]] = []
    for item in gallery.items:
        jobs.append((item.id, _mapped(attrgetter("layers"), item.sides), item.frames))
    for failed in gallery.failed:
        side = {} if failed.side is None else {failed.side.name: failed.side.layers[:1]}
        jobs.append((failed.key, side, failed.frames))

    def make(job: tuple[str, Mapping[str, Sequence[str]], int]) -> Strips:
        key, sides, count = job
        frames = strip_frames(count)
        return make_strips(gallery.reader, key, sides, frames, tile, rest_frame(len(frames), gallery.moving))

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        try:
            yield from map_ahead(pool, make, jobs, _AHEAD)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


_TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<link rel="icon" href="data:,">
<title>specsia: {title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<style>{style}</style>
</head>
<body>
<a href="#main" class="skip">Skip to the content</a>
<header class="top"><span class="brand">specsia</span><span class="name" dir="auto">{title}</span>\
<nav aria-label="Views"><ul role="list">{links}</ul></nav></header>
<main id="main" tabindex="-1"><noscript><p>This page needs JavaScript.</p></noscript></main>
<div id="said" class="unseen" role="status" aria-live="polite"></div>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def html_of(document: Mapping[str, Any]) -> str:
    """The page that shows a document."""
    style, script = join(map(asset, STYLES)), join(map(asset, SCRIPTS), "\n")
    script = Html(f"(() => {{\n{script}start();\n}})();\n")
    policy = (
        f"default-src 'none'; img-src 'self' file: data: blob:; media-src data:; style-src {_digest(style)}; "
        f"script-src {_digest(script)}; base-uri 'none'; form-action 'none'"
    )
    lost = tag("span", id="lost")
    links = join(
        tag("li", tag("a", name, lost if key == "failures" else "", href=f"#{key}", data_view=key))
        for key, name in _VIEWS.items()
    )
    # No text ends the script element, and half of a surrogate pair becomes a question mark.
    data = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    data = data.encode("utf-8", "replace").decode().replace("<", "\\u003c")
    title = join([document["title"][:200]])
    return _TEMPLATE.format(title=title, policy=policy, style=style, links=links, data=data, script=script)


@cache
def asset(name: str) -> Html:
    """A file of the page."""
    return Html(files("specsia_build.look").joinpath("assets", name).read_text(encoding="utf-8"))


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
