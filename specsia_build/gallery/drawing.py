"""Turntables and sheets of a gallery's characters or clips: what is chosen of them, drawn and written to a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, sqrt
from pathlib import Path

from specsia_build.errors import SpecsiaError, UsageError, some
from specsia_build.films import Pixels
from specsia_build.gallery.choosing import Shown, chosen_items, chosen_layers
from specsia_build.gallery.items import Gallery, Item
from specsia_build.picture_files import check_size, check_target, write_moving, write_still
from specsia_build.sheets import Ground, Sheet, is_legible, rgba, spread

VIEWS = 5
"""That a sheet shows of each, unless they are named."""

_CONTRARY = "#8090a0"
"""A background that few characters have the colour of."""

_WIDE = 1.6
"""Width to height that a grid of turntables is to have."""


@dataclass(frozen=True)
class Choice:
    """What is drawn of a gallery.

    Attributes:
        ids: of items; none for all.
        split: that they are of.
        most: of them, spread over all; None for no limit.
        show: sides and layers, as `chosen_layers` takes them.
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
        ground: that they lie on.
        labels: whether names are written beside them.
        values: whether each picture's main measure is written below it.
        across: blocks beside each other; None for as many as look well.
    """

    tile: int = 256
    ground: Ground = field(default_factory=Ground)
    labels: bool = True
    values: bool = False
    across: int | None = None


@dataclass(frozen=True)
class Drawn:
    """What was drawn.

    Attributes:
        path: of the file.
        items: how many.
        frames: of the film, 1 of a sheet.
        fps: frames a second of it.
        size: width and height in pixels.
        warnings: sentences on what could not be drawn as it is.
    """

    path: Path
    items: int
    frames: int
    fps: Fraction
    size: tuple[int, int]
    warnings: tuple[str, ...]


class _Pictures:
    """The pictures that a drawing needs, read once, decoded when they are drawn; notes what cannot be."""

    def __init__(self, gallery: Gallery, items: Sequence[Item], shown: Sequence[Shown], ground: Ground) -> None:
        self.warnings: list[str] = []
        self._drawn = False
        self._gallery, self._items, self._shown, self._ground = gallery, items, shown, ground
        self._hidden: set[tuple[str, Shown]] = set()
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
                    found = self._gallery.reader.read(item.id, shown.side, shown.layer, numbers)
                except SpecsiaError as error:
                    self.warnings.append(f"{shown.heading} of {item.id} cannot be read: {error}")
                    found = [b""] * len(numbers)
                self._read[item.id, shown] = dict(zip(numbers, found, strict=True))

    def tile(self, item: Item, shown: Shown, frame: int) -> Pixels | str:
        """A picture, or what is said where it is missing."""
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
        if (item.id, shown) not in self._hidden and self._ground.hides(picture):
            self._hidden.add((item.id, shown))
            self.warnings.append(
                f"{shown.heading} of {item.id} has the colour of the background, so that it is hardly seen in "
                f"{_name(item, frame)}: --background '{_CONTRARY}' shows it"
            )
        return picture

    def check(self) -> None:
        """See that there was any.

        Raises:
            SpecsiaError: if not, with what is wrong with the first.
        """
        if not self._drawn:
            raise SpecsiaError(self.warnings[0] if self.warnings else "none of them has any of these pictures")

    def note(self, item: Item, shown: Shown, frame: int) -> str:
        """The value of the main measure, or nothing."""
        for measure in self._gallery.measures[:1]:
            values = item.sides[shown.side].values.get(measure.key, ()) if shown.side in item.sides else ()
            if 0 <= frame < len(values) and (value := values[frame]) is not None:
                return f"{measure.name} {value:.{measure.digits}f}"
        return ""


def draw_turntable(
    gallery: Gallery,
    out: Path,
    choice: Choice,
    look: Look,
    *,
    seconds: float = 4,
    fps: float | None = None,
    swing: bool = False,
) -> Drawn:
    """Write a film of characters that turn, by the views that there are, or of clips that play.

    Args:
        gallery: that they are of.
        out: file to write, `.mp4`, `.webp`, `.gif` or `.png`.
        choice: which they are.
        look: of the film.
        seconds: that a turn takes; clips play at their own pace.
        fps: views or frames a second instead.
        swing: whether it goes to and fro, and not around.

    Raises:
        UsageError: if something is not there, or the file cannot hold the film or is not one of ours.
        SpecsiaError: if none of the pictures can be read.
        WriteError: if it cannot be written.
    """
    items, shown = _begin(gallery, out, choice, look, film=True)
    orders = {item.id: _order(item.frames, swing) for item in items}
    rates = {item.id: _rate(item, seconds, fps) for item in items}
    fastest = max(rates.values())
    count = max(ceil(len(orders[item.id]) * fastest / rates[item.id]) for item in items)

    def at(item: Item, k: int) -> int:
        order = orders[item.id]
        return order[k * rates[item.id] // fastest % len(order)]

    sheet = _sheet([item.id for item in items], [""], [one.heading for one in shown], look, look.across or 0)
    size = check_size(out, sheet.size, count)
    pictures = _Pictures(gallery, items, shown, look.ground)
    pictures.read(lambda item: range(item.frames))

    def frames() -> Iterator[Pixels]:
        for k in range(count):
            cells = [(item, one, at(item, k)) for item in items for one in shown]
            frame = _drawn(pictures, sheet, cells)
            if k == count - 1:
                pictures.check()
            yield frame

    write_moving(out, count, frames(), fastest)
    return Drawn(out, len(items), count, fastest, size, _warnings(pictures, sheet))


def draw_sheet(
    gallery: Gallery,
    out: Path,
    choice: Choice,
    look: Look,
    *,
    views: Sequence[int] = (),
    by_view: bool = True,
) -> Drawn:
    """Write a picture of characters from several views, or of clips in several frames.

    Args:
        gallery: that they are of.
        out: file to write, `.png`, `.webp`, `.jpg` or `.pdf`.
        choice: which they are.
        look: of the sheet.
        views: or frames of each, by number; without any, a spread of them.
        by_view: whether each view is a column, and not a row.

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
    columns = max(map(len, chosen.values()))
    across = _shared([[_name(item, frame) for frame in chosen[item.id]] for item in items], columns)
    down = [one.heading for one in shown]
    rows, heads = (down, across) if by_view else (across, down)
    sheet = _sheet([item.id for item in items], rows, heads, look, look.across or 1)
    size = check_size(out, sheet.size)
    pictures = _Pictures(gallery, items, shown, look.ground)
    pictures.read(lambda item: chosen[item.id])
    cells = []
    for item in items:
        frames = [*chosen[item.id], *[-1] * (columns - len(chosen[item.id]))]
        grid = [[(item, one, frame) for frame in frames] for one in shown]
        cells += [cell for row in (grid if by_view else zip(*grid, strict=True)) for cell in row]
    picture = _drawn(pictures, sheet, cells)
    pictures.check()
    write_still(out, picture)
    return Drawn(out, len(items), 1, Fraction(1), size, _warnings(pictures, sheet))


def _begin(
    gallery: Gallery, out: Path, choice: Choice, look: Look, film: bool
) -> tuple[tuple[Item, ...], tuple[Shown, ...]]:
    """What is drawn, once it is seen that it can be written."""
    check_target(out, film, look.ground.page is None)
    items = chosen_items(gallery, choice.ids, choice.split, choice.most)
    return items, chosen_layers(gallery, items, choice.show)


def _order(count: int, swing: bool) -> list[int]:
    """Numbers of the frames as they are shown; to and fro, the ends once."""
    return [*range(count), *range(count - 2, 0, -1)] if swing else [*range(count)]


def _rate(item: Item, seconds: float, fps: float | None) -> Fraction:
    """Frames a second of an item."""
    own = fps if fps is not None else item.fps
    rate = Fraction(own) if own is not None else Fraction(item.frames) / Fraction(seconds)
    return rate.limit_denominator(1000)


def _name(item: Item, frame: int) -> str:
    """What a frame is called: the camera's turn, or the time."""
    if item.yaws is not None:
        return f"{item.yaws[frame]:g}°"
    return f"{frame / item.fps:.2f} s" if item.fps else f"frame {frame}"


def _shared(names: Sequence[Sequence[str]], count: int) -> list[str]:
    """What the views of all items are called, so many; nothing where they are called differently."""
    longest = next(found for found in names if len(found) == count)
    return [*longest] if all(found == longest[: len(found)] for found in names) else [""] * count


def _sheet(titles: Sequence[str], rows: Sequence[str], columns: Sequence[str], look: Look, across: int) -> Sheet:
    """The sheet; with `across` 0, of as many blocks beside each other as give it the shape of a screen."""
    if not look.labels:
        titles, rows, columns = ([""] * len(names) for names in (titles, rows, columns))
    if not across:
        across = max(1, round(sqrt(len(titles) * _WIDE * len(rows) / len(columns))))
    return Sheet(titles, rows, columns, across, look.tile, look.ground, look.values)


def _drawn(pictures: _Pictures, sheet: Sheet, cells: Sequence[tuple[Item, Shown, int]]) -> Pixels:
    notes = [pictures.note(*cell) for cell in cells] if sheet.notes else []
    return sheet.draw([pictures.tile(*cell) for cell in cells], notes)


def _warnings(pictures: _Pictures, sheet: Sheet) -> tuple[str, ...]:
    strange = [text for text in (*sheet.titles, *sheet.rows, *sheet.columns) if not is_legible(text)]
    told = f"the font lacks letters of {some(strange)}, which are drawn as boxes"
    return (*pictures.warnings, *([told] if strange else []))
