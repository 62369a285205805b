"""Sheets and turntables of a gallery's characters or clips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, sqrt
from pathlib import Path

from specsia_build.dataset.schema import COLOR, GT
from specsia_build.errors import SpecsiaError, UsageError, brief, meant, some
from specsia_build.films import Pixels
from specsia_build.look.items import TARGET, Gallery, Item, layers_of
from specsia_build.picture_files import check_size, check_target, write_moving, write_still
from specsia_build.sheets import Ground, Sheet, rgba, spread

VIEWS = 5
"""Views of each item on a sheet, unless they are named."""

_WIDE = 1.6
"""Width to height that sheets and turntables aim at."""


@dataclass(frozen=True)
class Shown:
    """A layer of a side, and its heading."""

    side: str
    layer: str
    heading: str


@dataclass(frozen=True)
class Choice:
    """What is drawn of a gallery.

    Attributes:
        ids: of items; none for the best ones.
        split: that they are of.
        most: number of them; None for no limit.
        show: ``SIDE`` or ``SIDE:LAYER``; none for the main layer of each side.
    """

    ids: Sequence[str] = ()
    split: str | None = None
    most: int | None = None
    show: Sequence[str] = ()


@dataclass(frozen=True)
class Look:
    """How it is drawn.

    Attributes:
        tile: pixels on a side of each picture.
        ground: background.
        labels: whether names are written.
        values: whether each picture's main measure is written below it.
        across: items beside each other; None for about the shape of a screen.
    """

    tile: int = 256
    ground: Ground = field(default_factory=Ground)
    labels: bool = True
    values: bool = False
    across: int | None = None


@dataclass(frozen=True)
class Drawn:
    """A picture or film that was written."""

    path: Path
    items: int
    frames: int
    fps: Fraction
    size: tuple[int, int]
    warnings: tuple[str, ...]


def chosen_items(gallery: Gallery, choice: Choice) -> tuple[Item, ...]:
    """The named items, or the best by the mean of the main measure; without a measure some spread over all.

    Raises:
        UsageError: if one that is named is not there, or there is none.
    """
    known = {item.id: item for item in gallery.items}
    if choice.ids:
        for name in choice.ids:
            if name not in known:
                raise UsageError(_unknown(gallery, name, list(known)))
        return tuple(known[name] for name in dict.fromkeys(choice.ids))
    found = [item for item in gallery.items if choice.split in (None, item.split)]
    if not found:
        splits = Counter(item.split for item in gallery.items)
        there = ", ".join(f"{name} ({count})" for name, count in splits.items())
        of = f" in split '{choice.split}'" if choice.split else ""
        raise UsageError(f"{gallery.where} has nothing{of} to draw: {f'it has {there}' if there else _empty(gallery)}")
    most = len(found) if choice.most is None else choice.most
    ranked = sorted((-quality, k) for k, item in enumerate(found) if (quality := _quality(gallery, item)) is not None)
    numbers = [k for _, k in ranked[:most]] if ranked else spread(len(found), most)
    return tuple(found[k] for k in sorted(numbers))


def _quality(gallery: Gallery, item: Item) -> float | None:
    """Mean of the main measure over all sides, higher is better."""
    for measure in gallery.measures[:1]:
        means = [mean for side in item.sides.values() if (mean := side.mean(measure.key)) is not None]
        if means:
            return sum(means) / len(means) * (1 if measure.better == "high" else -1)
    return None


def _empty(gallery: Gallery) -> str:
    return " ".join(gallery.missing) or "it has nothing yet"


def _unknown(gallery: Gallery, name: str, known: Sequence[str]) -> str:
    lost = next((one for one in gallery.lost if name in (one.key, one.id)), None)
    if lost is not None:
        return f"'{brief(name, 80)}' has no pictures: it failed at {lost.stage}: {brief(lost.reason)}"
    hint = meant(name, known) or f" It has {some(known)}." if known else f" {_empty(gallery)}"
    return f"{gallery.where} has no {gallery.noun} '{brief(name, 80)}'.{hint}"


def chosen_layers(items: Sequence[Item], wanted: Sequence[str], plain_results: bool = False) -> tuple[Shown, ...]:
    """The layers that are drawn of each item.

    Args:
        items: at least one.
        wanted: see `Choice.show`.
        plain_results: whether a method's result is called by its side alone.

    Raises:
        UsageError: if there is no such side or layer.
        SpecsiaError: if no side has pictures.
    """
    sides: dict[str, list[str]] = {}
    for side in (side for item in items for side in item.sides.values()):
        layers = sides.setdefault(side.name, [])
        layers += [layer for layer in side.layers if layer not in layers]
    sides = {name: layers for name, layers in sides.items() if layers}
    if not sides:
        raise SpecsiaError("none of them has any picture")
    names = {key: name for key, (name, _) in layers_of(s for item in items for s in item.sides.values()).items()}
    pairs = [_parsed(text, sides, names) for text in wanted] or [(name, _main(found)) for name, found in sides.items()]
    several = len({side for side, _ in pairs if side != TARGET}) > 1
    named = {layer: "" if plain_results and layer == COLOR else names[layer] for _, layer in pairs}
    return tuple(Shown(side, layer, _heading(side, named[layer], several)) for side, layer in dict.fromkeys(pairs))


def _main(layers: Sequence[str]) -> str:
    return next((layer for layer in (GT, COLOR) if layer in layers), layers[0])


def _parsed(text: str, sides: Mapping[str, list[str]], names: Mapping[str, str]) -> tuple[str, str]:
    if text in sides:
        return text, _main(sides[text])
    side, colon, layer = text.rpartition(":")
    name = side if colon else text
    if name not in sides:
        raise UsageError(f"nothing is shown by '{brief(name, 80)}': there is {some(list(sides))}.{meant(name, sides)}")
    by_name = {names[one]: one for one in sides[name]} | {one: one for one in sides[name]}
    if layer not in by_name:
        there = ", ".join(f"{name}:{one}" for one in sides[name])
        raise UsageError(f"{name} has no layer '{brief(layer, 80)}': there is {there}.{meant(layer, by_name)}")
    return name, by_name[layer]


def _heading(side: str, layer: str, several: bool) -> str:
    if side == TARGET:
        return layer
    return f"{layer} {side}".strip() if several or not layer else layer


class _Pictures:
    """The pictures of a drawing, read once and decoded when they are drawn; collects warnings."""

    def __init__(self, gallery: Gallery, items: Sequence[Item], shown: Sequence[Shown]) -> None:
        self.warnings: list[str] = []
        self._drawn = False
        self._gallery, self._items, self._shown = gallery, items, shown
        self._read: dict[tuple[str, Shown], dict[int, bytes]] = {}

    def read(self, frames: Callable[[Item], Sequence[int]]) -> None:
        """Read those frames of each item."""
        for item in self._items:
            numbers = sorted(set(frames(item)))
            for shown in self._shown:
                if shown.side not in item.sides or shown.layer not in item.sides[shown.side].layers:
                    self.warnings.append(f"{shown.heading} of {item.id} is not there")
                    continue
                try:
                    found = self._gallery.reader.read(item.id, shown.side, [shown.layer], numbers)[shown.layer]
                except SpecsiaError as error:
                    self.warnings.append(f"{shown.heading} of {item.id} cannot be read: {error}")
                    found = [b""] * len(numbers)
                self._read[item.id, shown] = dict(zip(numbers, found, strict=True))

    def tile(self, item: Item, shown: Shown, frame: int) -> Pixels | str:
        """A picture, or what stands in its place."""
        data = self._read.get((item.id, shown), {}).get(frame)
        if data is None:
            return "none"
        try:
            picture = rgba(data)
        except ValueError as error:
            if data:
                self.warnings.append(f"{shown.heading} of {item.id} in {_name(item, frame)} {error}")
                self._read[item.id, shown][frame] = b""
            return "cannot be read"
        self._drawn = True
        return picture

    def check(self) -> None:
        """Raise a SpecsiaError if no picture could be drawn."""
        if not self._drawn:
            raise SpecsiaError(self.warnings[0] if self.warnings else "none of them has any of these pictures")

    def note(self, item: Item, shown: Shown, frame: int) -> str:
        """The value of the main measure, or nothing."""
        for measure in self._gallery.measures[:1]:
            values = item.sides[shown.side].values.get(measure.key, ()) if shown.side in item.sides else ()
            if 0 <= frame < len(values) and (value := values[frame]) is not None:
                return f"{measure.name} {value:.{measure.digits}f}"
        return ""

    def drawn(self, sheet: Sheet, cells: Sequence[tuple[Item, Shown, int]]) -> Pixels:
        """A sheet with its pictures."""
        notes = [self.note(*cell) for cell in cells] if sheet.notes else []
        return sheet.draw([self.tile(*cell) for cell in cells], notes)


def draw_turntable(
    gallery: Gallery, out: Path, choice: Choice, look: Look, *, seconds: float = 4, fps: float | None = None
) -> Drawn:
    """Write a film of characters that turn, by the views that there are, or of clips that play.

    Args:
        gallery: that they are of.
        out: file to write, `.mp4`, `.webp`, `.gif` or `.png`.
        choice: which they are.
        look: of the film.
        seconds: of a turn; clips play at their own pace.
        fps: views or frames a second instead.

    Raises:
        UsageError: if something is not there, or the file cannot hold the film or is not one of ours.
        SpecsiaError: if none of the pictures can be read.
        WriteError: if it cannot be written.
    """
    items, shown = _begin(gallery, out, choice, look, film=True)
    rates = {item.id: _rate(item, seconds, fps) for item in items}
    fastest = max(rates.values())
    count = max(ceil(item.frames * fastest / rates[item.id]) for item in items)
    sheet = _sheet([item.id for item in items], [""], [one.heading for one in shown], look)
    size = check_size(out, sheet.size, count)
    pictures = _Pictures(gallery, items, shown)
    pictures.read(lambda item: range(item.frames))

    def frames() -> Iterator[Pixels]:
        for k in range(count):
            numbers = {item.id: int(k * rates[item.id] // fastest) % item.frames for item in items}
            frame = pictures.drawn(sheet, [(item, one, numbers[item.id]) for item in items for one in shown])
            if k == count - 1:
                pictures.check()
            yield frame

    write_moving(out, count, frames(), fastest)
    return Drawn(out, len(items), count, fastest, size, tuple(pictures.warnings))


def draw_sheet(gallery: Gallery, out: Path, choice: Choice, look: Look, *, views: Sequence[int] = ()) -> Drawn:
    """Write a picture of characters from several views, or of clips in several frames: a column for each.

    Args:
        gallery: that they are of.
        out: file to write, `.png`, `.webp`, `.jpg` or `.pdf`.
        choice: which they are.
        look: of the sheet.
        views: or frames of each, by number; by default a few spread over all.

    Raises:
        As `draw_turntable`.
    """
    items, shown = _begin(gallery, out, choice, look, film=False)
    for item in items:
        beyond = [view for view in views if view >= item.frames]
        if beyond:
            one = "frame" if gallery.moving else "view"
            raise UsageError(f"{item.id} has no {one} {beyond[0]}: the last of its {item.frames} is {item.frames - 1}")
    chosen = {item.id: list(views) or spread(item.frames, VIEWS) for item in items}
    count = max(map(len, chosen.values()))
    columns = _shared([[_name(item, frame) for frame in chosen[item.id]] for item in items], count)
    sheet = _sheet([item.id for item in items], [one.heading for one in shown], columns, look)
    size = check_size(out, sheet.size)
    pictures = _Pictures(gallery, items, shown)
    pictures.read(lambda item: chosen[item.id])
    padded = {item.id: [*chosen[item.id], *[-1] * (count - len(chosen[item.id]))] for item in items}
    picture = pictures.drawn(sheet, [(i, one, frame) for i in items for one in shown for frame in padded[i.id]])
    pictures.check()
    write_still(out, picture)
    return Drawn(out, len(items), 1, Fraction(1), size, tuple(pictures.warnings))


def _begin(
    gallery: Gallery, out: Path, choice: Choice, look: Look, film: bool
) -> tuple[tuple[Item, ...], tuple[Shown, ...]]:
    """Items and layers, after a check that the file can be written."""
    check_target(out, film, look.ground.page is None)
    items = chosen_items(gallery, choice)
    return items, chosen_layers(items, choice.show, gallery.kind == "evaluation")


def _rate(item: Item, seconds: float, fps: float | None) -> Fraction:
    """Frames a second of an item."""
    own = fps if fps is not None else item.fps
    rate = Fraction(own) if own is not None else Fraction(item.frames) / Fraction(seconds)
    return rate.limit_denominator(1000)


def _name(item: Item, frame: int) -> str:
    """Turn of the camera, or time, of a frame."""
    if item.yaws is not None:
        return f"{item.yaws[frame]:g}°"
    return f"{frame / item.fps:.2f} s" if item.fps else f"frame {frame}"


def _shared(names: Sequence[Sequence[str]], count: int) -> list[str]:
    """Headings of the columns; empty where items call their views differently."""
    longest = next(found for found in names if len(found) == count)
    return [*longest] if all(found == longest[: len(found)] for found in names) else [""] * count


def _sheet(titles: Sequence[str], rows: Sequence[str], columns: Sequence[str], look: Look) -> Sheet:
    """The sheet, with as many items beside each other as give it the shape of a screen."""
    if not look.labels:
        titles, rows, columns = ([""] * len(names) for names in (titles, rows, columns))
    across = look.across or max(1, round(sqrt(len(titles) * _WIDE * len(rows) / len(columns))))
    return Sheet(titles, rows, columns, across, look.tile, look.ground, look.values)
