"""A run as a gallery: of characters seen from their views, or of clips."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from specsia_build.config import BuildConfig
from specsia_build.dataset.layers import frame_file, view_file
from specsia_build.dataset.schema import COLOR
from specsia_build.errors import SpecsiaError, plural
from specsia_build.gallery.facts import Facts, TaskTime
from specsia_build.gallery.gather import ReadMeta, gather
from specsia_build.gallery.gather_clips import DRAWN, MovingFacts, gather_clips
from specsia_build.gallery.items import IOU, MADE, TARGET, Gallery, Item, Lost, Side
from specsia_build.gallery.missing import dropped_sentences, go_on, missing_clips, missing_sentences
from specsia_build.pipeline.failures import Failure
from specsia_build.pipeline.index import open_index
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.objects import Place
from specsia_build.pipeline.store import DamagedError, is_dropped, read_artefact, stamp_of
from specsia_build.stages import project, render
from specsia_build.stages.clips import draw, move
from specsia_build.stages.registry import character_stages


@dataclass(frozen=True)
class RunReader:
    """Reads pictures of a run's artefacts, and those that are kept of what was quarantined for its looks.

    Attributes:
        layout: of the run.
        moving: whether it is of clips.
    """

    layout: RunLayout
    moving: bool

    def artefact(self, item: str, side: str) -> Place:
        """The file that has the pictures of a side."""
        clean, made = (draw.STAGE, move.STAGE) if self.moving else (render.STAGE, project.STAGE)
        return self.layout.artefact(clean if side == TARGET else made, None if side == TARGET else side, item)

    def has(self, item: Item) -> bool:
        """Whether the pictures of all its sides are kept."""
        return not any(is_dropped(self.artefact(item.id, side)) for side in item.sides)

    def read(self, item: str, side: str, layer: str, frames: Sequence[int]) -> list[bytes]:
        """PNGs; see `Reader`."""
        name, backend = frame_file if self.moving else view_file, None if side == TARGET else side
        layer = DRAWN[layer] if self.moving and backend is None else layer
        path = self.artefact(item, side)
        stamp = stamp_of(path)
        if stamp is None:
            for folder in (self.layout.pictures(one.name, backend, item) for one in character_stages() if one.pictures):
                if folder.is_dir():
                    return [_read(folder / name(layer, frame)) for frame in frames]
            raise DamagedError(f"the artefact {path} is not there: build again")
        files = _files_of(path, item, stamp)
        lacking = [name(layer, frame) for frame in frames if name(layer, frame) not in files]
        if lacking:
            raise DamagedError(f"the artefact {path} has no {lacking[0]}")
        return [files[name(layer, frame)] for frame in frames]

    def only(self, items: Collection[str]) -> RunReader:
        """See `Reader`."""
        return self


@lru_cache(maxsize=2)
def _files_of(place: Place, key: str, _stamp: str) -> Mapping[str, bytes]:
    """Files of an artefact, which is read once for all its layers; it is another one where it changed."""
    return read_artefact(place, key).files


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SpecsiaError(f"{path} cannot be read: {error.strerror}") from error


@dataclass(frozen=True)
class Look:
    """What is seen of a run.

    Attributes:
        facts: of it.
        gallery: of it.
        clips: that its characters have, as far as they have been looked at.
    """

    facts: Facts
    gallery: Gallery
    clips: int = 0


def look_at(config: BuildConfig, layout: RunLayout, read: ReadMeta | None = None) -> Look:
    """What a run has made so far; the source itself need not be there any more.

    Args:
        config: of the run.
        layout: of the run.
        read: looks at artefacts, or knows them from before; by default the run's index tells.

    Raises:
        SpecsiaError: if its records cannot be read.
    """
    if read is None:
        with open_index(layout, writes=False) as index:
            return look_at(config, layout, index.seen)
    if config.clips is None:
        facts = gather(config, layout, read)
        return Look(facts, stills_gallery(facts, layout))
    moving = gather_clips(config, layout, read)
    return Look(moving.facts, clips_gallery(moving, layout), sum(map(len, moving.planned.values())))


def stills_gallery(facts: Facts, layout: RunLayout) -> Gallery:
    """The gallery of a run whose facts are known."""
    config = facts.config
    built = sum(len(made.sides) > 1 for made in facts.made)
    what = f"{plural(built, 'character')} built" if built else f"{plural(len(facts.made), 'character')} rendered"
    lead = (
        f"{what}, {plural(config.views, 'view')} of {config.size}×{config.size} px, "
        f"{plural(len(facts.backends), 'backend')}: {', '.join(facts.backends)}."
    )
    return _gallery(facts, layout, facts.made, lead, missing_sentences(facts), measured=True)


def clips_gallery(moving: MovingFacts, layout: RunLayout) -> Gallery:
    """The gallery of a run of clips whose facts are known."""
    missing = missing_clips(moving)
    return _gallery(moving.facts, layout, moving.drawn, moving.lead, missing, measured=bool(moving.backends))


def _gallery(
    facts: Facts, layout: RunLayout, made: Sequence[Item], lead: str, missing: Sequence[str], *, measured: bool
) -> Gallery:
    """Of what was made, as far as its pictures are kept."""
    moving = facts.config.clips is not None
    seconds, reader = _seconds(facts.times), RunReader(layout, moving)
    items = tuple(filter(reader.has, (_timed(one, seconds) for one in made)))
    dropped = dropped_sentences(facts, len(made) - len(items), "clip" if moving else "character")
    return Gallery(
        kind="run",
        where=str(layout.root),
        title=facts.source,
        lead=lead,
        moving=moving,
        items=items,
        lost=tuple(_lost(failure, facts, layout) for failure in facts.failures),
        measures=(IOU,) if measured else (),
        reader=reader,
        missing=(*missing, *dropped),
        go_on=go_on(facts),
    )


def _seconds(times: Iterable[TaskTime]) -> Mapping[str, float]:
    """Seconds of all stages, by id."""
    total: dict[str, float] = {}
    for time in times:
        total[time.id] = total.get(time.id, 0.0) + time.seconds
    return total


def _timed(item: Item, seconds: Mapping[str, float]) -> Item:
    """With what all stages took of it, where that is known."""
    spent = {"seconds": seconds[item.id]} if item.id in seconds else {}
    return replace(item, numbers={**item.numbers, **spent})


def _lost(failure: Failure, facts: Facts, layout: RunLayout) -> Lost:
    side, frames = None, 0
    if failure.backend is not None and failure.details is not None:
        folder = layout.pictures(failure.stage, failure.backend, failure.id)
        if layout.root / failure.details == folder:
            while (folder / view_file(COLOR, frames)).is_file():
                frames += 1
        layers = tuple(layer for layer in MADE if (folder / view_file(layer, 0)).is_file())
        side = Side(failure.backend, layers) if frames else None
    command = go_on(facts)
    return Lost(
        key=failure.key,
        id=failure.id,
        stage=failure.stage,
        backend=failure.backend,
        reason=failure.reason,
        details=failure.details,
        command=f"{command} --low-iou keep" if failure.may_be_kept else command,
        side=side,
        frames=frames,
    )
