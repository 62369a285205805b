"""The page of a run that is being built: told anew where it has changed, its pictures made once they are asked for.

Nothing of the run is written or held; it may be stopped, begun anew, even removed while it is looked at.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from time import monotonic
from typing import Any
from urllib.parse import parse_qs

from specsia_build.config import backend_name
from specsia_build.dataset.schema import BUILD_FILE, COLOR, GT
from specsia_build.errors import SpecsiaError
from specsia_build.gallery.facts import TaskTime
from specsia_build.gallery.gather import ReadMeta
from specsia_build.gallery.items import Gallery, Reader
from specsia_build.gallery.run import Look, RunReader, look_at
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.objects import Place, Remote
from specsia_build.pipeline.planning import stages_of
from specsia_build.pipeline.settings import existing_run
from specsia_build.pipeline.stamps import Stamps
from specsia_build.pipeline.store import read_meta
from specsia_build.report.document import document, failure_of, flags_of, item_of
from specsia_build.report.pace import Pace
from specsia_build.report.sections import sections_of_run
from specsia_build.report.serving import Answer
from specsia_build.report.shell import asset, shell
from specsia_build.report.strips import COVER, LARGE, TYPES, Made, large_of, shown_frames, size_of, strip_of, tile_of
from specsia_build.sheets import as_stored
from specsia_build.stages.registry import character_stages

LARGEST_TILE = 192
"""Pixels on a side of a frame; pictures are made while somebody waits."""

MOST_HELD = 64 * 2**20
"""Bytes of pictures that are held for the next who asks."""

MOST_KNOWN = 4
"""Times as many addresses as there are pictures that are known at once, earlier ones among them."""

AT_ONCE = 2
"""Pictures that are made at the same time, beside a build that has work for every core."""

REST = 1.0
"""Seconds at least between two looks at a run; a look that takes long is followed by five times as long a rest."""


@dataclass(frozen=True)
class Shown:
    """One picture of the page: which frames of which layer, with pixels of which size, read by whom."""

    reader: Reader
    item: str
    side: str
    layer: str
    frames: range
    tile: int


class Watched:
    """What is to be seen of a run at this moment; to be asked from several threads.

    Args:
        folder: of the run.
        rest: seconds at least between two looks at it.

    Raises:
        UsageError: if there is no run.
    """

    def __init__(self, folder: str, rest: float = REST) -> None:
        self._folder, self._rest, self._next = folder, rest, 0.0
        self._layout = existing_run(folder)[1]
        self._asked, self._making = threading.Lock(), threading.Semaphore(AT_ONCE)
        self._seen: object = None
        self._known: dict[Place, tuple[object, dict[str, Any] | None]] = {}
        self._document: dict[str, Any] = {}
        self._pictures: dict[str, Shown] = {}
        self._held, self._pace = Held(), Pace()

    def find(self, path: str, query: str) -> Answer | None:
        """The page, its document (empty where it is still the one that `since` names), or a picture."""
        if path == "":
            live = "".join(("\n", asset("live.js")))
            return Answer(shell(self.document(), (live,)).encode(), "text/html; charset=utf-8")
        if path == "document":
            found = self.document()
            same = parse_qs(query).get("since") == [found["version"]]
            return Answer(b"" if same else _plain(found), "application/json")
        folder, _, name = path.partition("/")
        return self._picture(name) if folder == "pictures" else None

    def document(self) -> dict[str, Any]:
        """The page's document as of now, with `version` and `progress`."""
        with self._asked:
            if monotonic() >= self._next:
                seen, began = _state(self._layout), monotonic()
                if seen != self._seen:
                    self._look()
                    self._seen = seen
                self._next = monotonic() + max(self._rest, 5 * (monotonic() - began) if self._rest else 0)
            return self._document

    def _look(self) -> None:
        try:
            told, pictures = self._told()
        # A build that begins anew takes away what is being read.
        except (SpecsiaError, OSError) as error:
            told, pictures = self._document or _nothing(self._folder), {}
            told = {**told, "progress": {**told["progress"], "trouble": str(error)}}
        told = {name: value for name, value in told.items() if name != "version"}
        self._document = {"version": hashlib.sha256(_plain(told)).hexdigest()[:32], **told}
        # Pages that have not heard of it yet ask for what they know.
        known = {**self._pictures, **pictures}
        self._pictures = known if len(known) < MOST_KNOWN * len(pictures) + MOST_KNOWN else pictures

    def _told(self) -> tuple[dict[str, Any], dict[str, Shown]]:
        config, layout = existing_run(self._folder)
        if not layout.splits.exists():
            return _nothing(self._folder), {}
        stamps = Stamps(layout.artefacts)
        found = look_at(config, layout, self._meta(stamps))
        told, pictures = _document(found, stamps)
        stages, changed = list(_progress(found, layout, stamps)), _changed(layout)
        self._pace.look(monotonic(), {stage["name"]: stage["done"] + stage["failed"] for stage in stages})
        left = self._pace.left({stage["name"]: stage["waiting"] for stage in stages}, _seconds(found.facts.times))
        ends = None if left is None else {"seconds": round(left.seconds), "until": changed + left.good}
        return {**told, "progress": {"stages": stages, "left": ends, "trouble": None, "changed": changed}}, pictures

    def _meta(self, stamps: Stamps) -> ReadMeta:
        """Reads meta data that has changed since the last look; the rest is remembered."""
        before, self._known = self._known, {}

        def read(place: Place) -> tuple[bool, dict[str, Any] | None]:
            stamp = stamps.of(place)
            known = before.get(place)
            if known is None or known[0] != stamp:
                known = stamp, None if stamp is None else read_meta(place)
            self._known[place] = known
            return stamp is not None, known[1]

        return read

    def _picture(self, name: str) -> Answer | None:
        shown = self._pictures.get(name)
        if shown is None:
            return None
        found = self._held.get(name)
        if found is None:
            with self._making:
                found = _made(shown)
            self._held.keep(name, found)
        return found


class Held:
    """The answers that were given last, `most` bytes of them; to be used from several threads."""

    def __init__(self, most: int = MOST_HELD) -> None:
        self._most = most
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, name: str) -> Answer | None:
        """One of them, None if it is not held."""
        with self._lock:
            if name in self._answers:
                self._answers.move_to_end(name)
            return self._answers.get(name)

    def keep(self, name: str, answer: Answer | None) -> None:
        """Hold one more, and let go of those that were asked for the longest ago."""
        if answer is None or len(answer.content) > self._most:
            return
        with self._lock:
            if name not in self._answers:
                self._answers[name] = answer
                self._bytes += len(answer.content)
            while self._bytes > self._most:
                self._bytes -= len(self._answers.popitem(last=False)[1].content)


def _made(shown: Shown) -> Answer | None:
    """A picture; None of what cannot be read (any more)."""
    try:
        stored = shown.reader.read(shown.item, shown.side, shown.layer, shown.frames)
        strip = strip_of(map(as_stored, stored), len(stored), shown.tile)
    except (SpecsiaError, OSError, ValueError):
        return None
    return Answer(strip.data, TYPES[strip.suffix], lasting=True)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What tells a file or folder from what was there before."""
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size, state.st_ino


def _state(layout: RunLayout) -> dict[Path, tuple[int, int, int]]:
    """What changes whenever a run does: its records, and the folders that artefacts are put into."""
    records = (layout.config, layout.splits, layout.failures, layout.left_out, layout.log, layout.dataset / BUILD_FILE)
    # What lies behind a URL is heard of by the log.
    folders = () if isinstance(layout.artefacts, Remote) else [Path(one) for one, _, _ in os.walk(layout.artefacts)]
    stamps = {path: _stamp(path) for path in (*records, *folders)}
    return {path: stamp for path, stamp in stamps.items() if stamp is not None}


def _changed(layout: RunLayout) -> float:
    """When a run last changed, in seconds as clocks count them."""
    return max((stamp[0] for stamp in _state(layout).values()), default=0) / 1e9


def _document(found: Look, stamps: Stamps) -> tuple[dict[str, Any], dict[str, Shown]]:
    """The document of a run, and the pictures that it names."""
    gallery, pictures = found.gallery, dict[str, Shown]()
    tile, size, flags = min(LARGEST_TILE, tile_of(gallery)), size_of(gallery) or 0, flags_of(gallery)
    items = []
    for item in gallery.items:
        strips = {}
        for side in item.sides.values():
            frames, stamp = shown_frames(item.frames), _side_stamp(gallery, item.id, side.name, stamps)
            shown = {layer: Shown(gallery.reader, item.id, side.name, layer, frames, tile) for layer in side.layers}
            first = next((shown[layer] for layer in (GT, COLOR) if layer in shown), None)
            if first is not None and len(frames) > 1:
                shown[COVER] = replace(first, frames=frames[:1])
            larger = large_of(tile, size, len(frames))
            if larger is not None and GT in shown:
                shown[LARGE] = replace(shown[GT], tile=larger)
            strips[side.name] = _named(shown, stamp, pictures)
        items.append(item_of(item, strips, Made(item.id), flags.get(item.id, ())))
    failures = []
    for lost in gallery.lost:
        strips = {}
        if lost.side is not None:
            name, frames = lost.side.name, shown_frames(lost.frames)
            shown = {
                layer: Shown(gallery.reader, lost.key, name, layer, frames, tile) for layer in lost.side.layers[:1]
            }
            strips[name] = _named(shown, lost.reason, pictures)
        failures.append(failure_of(lost, strips))
    return document(gallery, tile, items, failures, sections_of_run(found.facts, gallery), live=True), pictures


def _side_stamp(gallery: Gallery, item: str, side: str, stamps: Stamps) -> object:
    reader = gallery.reader
    return stamps.of(reader.artefact(item, side)) if isinstance(reader, RunReader) else None


def _named(shown: Mapping[str, Shown], stamp: object, pictures: dict[str, Shown]) -> dict[str, str]:
    """Addresses of a side's pictures, which are others once they have changed; `pictures` receives them."""
    found = {}
    for key, one in shown.items():
        told = (one.item, one.side, one.layer, one.frames, one.tile, stamp)
        name = hashlib.sha256(repr(told).encode("utf-8", "backslashreplace")).hexdigest()[:32]
        pictures[name] = one
        found[key] = f"pictures/{name}"
    return found


def _progress(found: Look, layout: RunLayout, stamps: Stamps) -> Iterator[dict[str, Any]]:
    """How far each stage has come: artefacts that are there, and those there will be."""
    facts, gone, unseen = found.facts, set[tuple[str | None, str]](), None
    ids = len(facts.splits) - len(facts.left_out)
    for stage, spec in stages_of(facts.config, character_stages(facts.config)):
        backend = None if spec is None else backend_name(spec)
        name = stage.name if backend is None else f"{stage.name} {backend}"
        there = _count(stamps, stamps.name(layout.artefact(stage, backend, "id"))) - facts.outdated.get(name, 0)
        of = found.clips if stage.per_clip else ids
        done = max(0, min(there, of))
        failed = {f.key for f in facts.failures if f.stage == stage.name and f.backend == backend}
        # What was lost in one stage comes to none of the later ones.
        gone |= {(f.backend, f.key) for f in facts.failures if f.stage == stage.name}
        waiting = max(0, of - done - len({key for maker, key in gone if maker in (None, backend)}))
        # The first of a run of clips finds out how many there are.
        unseen = waiting if unseen is None else unseen
        told = None if stage.per_clip and unseen else waiting
        yield {"name": name, "done": done, "of": of, "failed": len(failed), "waiting": told}


def _seconds(times: Iterable[TaskTime]) -> dict[str, float]:
    """What a task of each stage took on average."""
    taken = defaultdict[str, list[float]](list)
    for time in times:
        taken[time.stage if time.backend is None else f"{time.stage} {time.backend}"].append(time.seconds)
    return {name: fmean(seconds) for name, seconds in taken.items()}


def _count(stamps: Stamps, name: str) -> int:
    """Artefacts of a stage, in the folders below its own, which is that of any one's `name`."""
    folder = name.rsplit("/", 2)[0]
    if isinstance(stamps.artefacts, Remote):
        return sum(one.startswith(f"{folder}/") for one in stamps.listed())
    return sum(one.endswith(".tar") for _, _, names in os.walk(stamps.artefacts / folder) for one in names)


def _nothing(folder: str) -> dict[str, Any]:
    """The document of a run that has made nothing."""
    reader = RunReader(RunLayout(Path(folder)), moving=False)
    gallery = Gallery("run", folder, Path(folder).name, "Nothing is made yet.", False, (), (), (), reader)
    told = document(gallery, LARGEST_TILE, [], [], {}, live=True)
    return {**told, "progress": {"stages": [], "left": None, "trouble": None, "changed": None}}


def _plain(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8", "replace")
