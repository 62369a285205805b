"""Sheets and turntables of a gallery's characters or clips."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import ceil, sqrt
from pathlib import Path

from specsia_build.arrays import Pixels
from specsia_build.dataset.schema import COLOR, GT
from specsia_build.errors import SpecsiaError, UsageError, brief, meant, some
from specsia_build.look.items import TARGET, Gallery, Item, layers_of
from specsia_build.pictures.files import check_size, check_target, write_moving, write_still
from specsia_build.pictures.sheets import WHITE, Ground, Sheet, rgba, spread
from specsia_build.warning import Warning

_VIEWS = 5  # Views of each item on a sheet, unless they are named
_ASPECT = 1.6  # Width to height that sheets and turntables aim at


@dataclass(frozen=True)
class Layer:
    """A layer of a side, and its heading."""

    side: str
    name: str
    heading: str


@dataclass(frozen=True)
class Choice:
    """Parts of a gallery to draw."""

    ids: Sequence[str] = ()  # Ids of items; empty for the best ones
    split: str | None = None
    most: int | None = None  # Largest number of items; None for no limit
    show: Sequence[str] = ()  # ``SIDE`` or ``SIDE:LAYER``; empty for the main layer of each side


@dataclass(frozen=True)
class Style:
    """How to draw: the size of each picture in pixels (`tile`), whether to write names (`labels`) and the
    main measure (`values`), and the number of items side by side (`across`; None: the shape of a screen).
    """

    tile: int = 256
    ground: Ground = WHITE
    labels: bool = True
    values: bool = False
    across: int | None = None


@dataclass(frozen=True)
class WrittenPicture:
    """A picture or film that was written."""

    path: Path
    items: int
    frames: int
    fps: Fraction
    size: tuple[int, int]
    warnings: tuple[Warning, ...]


def chosen_items(gallery: Gallery, choice: Choice) -> tuple[Item, ...]:
    """Choose the named items, or the best by the mean of the main measure, or else some spread over all."""
    by_id = {item.id: item for item in gallery.items}
    if choice.ids:
        if unknown := [name for name in choice.ids if name not in by_id]:
            raise UsageError(_unknown(gallery, unknown[0]))
        return tuple(by_id[name] for name in dict.fromkeys(choice.ids))
    items = [item for item in gallery.items if choice.split in (None, item.split)]
    if not items:
        splits = Counter(item.split for item in gallery.items)
        there = ", ".join(f"{name} ({count})" for name, count in splits.items())
        split = f" in split '{choice.split}'" if choice.split else ""
        holds = f"it has {there}" if there else _empty(gallery)
        raise UsageError(f"{gallery.where} has nothing{split} to draw: {holds}")
    most = len(items) if choice.most is None else choice.most
    qualities = [(_quality(gallery, item), k) for k, item in enumerate(items)]
    ranked = sorted((-quality, k) for quality, k in qualities if quality is not None)
    numbers = [k for _, k in ranked[:most]] if ranked else spread(len(items), most)
    return tuple(items[k] for k in sorted(numbers))


def _quality(gallery: Gallery, item: Item) -> float | None:
    """Mean of the main measure over all sides, higher is better; None without a value."""
    for measure in gallery.measures[:1]:
        means = [mean for side in item.sides.values() if (mean := side.mean(measure.key)) is not None]
        if means:
            return sum(means) / len(means) * (1 if measure.better == "high" else -1)
    return None


def _empty(gallery: Gallery) -> str:
    return " ".join(gallery.missing) or "it has nothing yet"


def _unknown(gallery: Gallery, name: str) -> str:
    ids = [item.id for item in gallery.items]
    failed = next((failed for failed in gallery.failed if name in (failed.key, failed.id)), None)
    if failed is not None:
        return f"'{brief(name, 80)}' has no pictures: it failed at {failed.stage}: {brief(failed.reason)}"
    hint = meant(name, ids) or f" It has {some(ids)}." if ids else f" {_empty(gallery)}"
    return f"{gallery.where} has no {gallery.noun} '{brief(name, 80)}'.{hint}"


def chosen_layers(
    items: Sequence[Item], show: Sequence[str], plain_results: bool = False
) -> tuple[Layer, ...]:
    """Choose the layers to draw of items, by `Choice.show`; `plain_results` heads results by side only."""
    sides: dict[str, dict[str, None]] = {}
    for side in (side for item in items for side in item.sides.values() if side.layers):
        sides.setdefault(side.name, {}).update(dict.fromkeys(side.layers))
    if not sides:
        raise SpecsiaError("none of them has any picture")
    shown = [side for item in items for side in item.sides.values()]
    names = {key: name for key, (name, _) in layers_of(shown).items()}
    main = {}
    for name, there in sides.items():
        main[name] = next(layer for layer in (GT, COLOR, *there) if layer in there)
    pairs = [(text, main[text]) if text in main else _parsed(text, sides, names) for text in show]
    pairs = pairs or [*main.items()]
    several = len({side for side, _ in pairs if side != TARGET}) > 1
    layers = []
    for maker, layer in dict.fromkeys(pairs):
        heading = "" if plain_results and layer == COLOR else names[layer]
        if maker != TARGET and (several or not heading):
            heading = f"{heading} {maker}".strip()
        layers.append(Layer(maker, layer, heading))
    return tuple(layers)


def _parsed(text: str, sides: Mapping[str, Mapping[str, None]], names: Mapping[str, str]) -> tuple[str, str]:
    """Parse ``SIDE:LAYER``, the layer by its key or its name."""
    side, colon, layer = text.rpartition(":")
    name = side if colon else text
    if name not in sides:
        there = f"{some(list(sides))}.{meant(name, sides)}"
        raise UsageError(f"nothing is shown by '{brief(name, 80)}': there is {there}")
    by_name = {names[key]: key for key in sides[name]} | {key: key for key in sides[name]}
    if layer not in by_name:
        there = ", ".join(f"{name}:{key}" for key in sides[name])
        hint = meant(layer, by_name)
        raise UsageError(f"{name} has no layer '{brief(layer, 80)}': there is {there}.{hint}")
    return name, by_name[layer]


class _Pictures:
    """The pictures of a drawing, read once and decoded when drawn; collects warnings."""

    def __init__(
        self,
        gallery: Gallery,
        items: Sequence[Item],
        layers: Sequence[Layer],
        frames: Callable[[Item], Sequence[int]],
    ) -> None:
        self.warnings: list[Warning] = []
        self._drawn, self._measures = False, gallery.measures[:1]
        self._read: dict[tuple[str, Layer], dict[int, bytes]] = {}
        for item in items:
            numbers = sorted(set(frames(item)))
            for layer in layers:
                if layer.side not in item.sides or layer.name not in item.sides[layer.side].layers:
                    sentence = f"{layer.heading} of {item.id} is not there"
                    self.warnings.append(Warning("file-missing", sentence, item.id))
                    continue
                try:
                    images = gallery.reader.read(item.id, layer.side, [layer.name], numbers)[layer.name]
                except SpecsiaError as error:
                    sentence = f"{layer.heading} of {item.id} cannot be read: {error}"
                    self.warnings.append(Warning("unusable", sentence, item.id))
                    images = [b""] * len(numbers)
                self._read[item.id, layer] = dict(zip(numbers, images, strict=True))

    def draw(self, sheet: Sheet, cells: Sequence[tuple[Item, Layer, int]]) -> Pixels:
        notes = [self._note(*cell) for cell in cells] if sheet.notes else []
        return sheet.draw([self._tile(*cell) for cell in cells], notes)

    def _tile(self, item: Item, layer: Layer, frame: int) -> Pixels | str:
        """A picture, or the text in its place."""
        data = self._read.get((item.id, layer), {}).get(frame)
        if data is None:
            return "none"
        try:
            picture = rgba(data)
        except ValueError as error:
            if data:
                sentence = f"{layer.heading} of {item.id} in {_name(item, frame)} {error}"
                self.warnings.append(Warning("unusable", sentence, item.id))
                self._read[item.id, layer][frame] = b""
            return "cannot be read"
        self._drawn = True
        return picture

    def _note(self, item: Item, layer: Layer, frame: int) -> str:
        for measure in self._measures:
            values = item.sides[layer.side].values.get(measure.key, ()) if layer.side in item.sides else ()
            if 0 <= frame < len(values) and (value := values[frame]) is not None:
                return f"{measure.name} {value:.{measure.digits}f}"
        return ""

    def check(self) -> None:
        """Raise a SpecsiaError if no picture could be drawn."""
        if not self._drawn:
            sentences = [*map(str, self.warnings), "none of them has any of these pictures"]
            raise SpecsiaError(sentences[0])


def draw_turntable(
    gallery: Gallery, out: Path, choice: Choice, style: Style, *, seconds: float = 4, fps: float | None = None
) -> WrittenPicture:
    """Write a film (`.mp4`, `.webp` or `.png`) of characters that turn by their views, or of clips that play.

    A turn takes `seconds`, and clips play at their own pace, unless `fps` states views or frames a second.
    """
    items, layers = _begin(gallery, out, choice, style, film=True)
    rates = {item.id: _rate(item, seconds, fps) for item in items}
    fastest = max(rates.values())
    count = max(ceil(item.frames * fastest / rates[item.id]) for item in items)
    sheet = _sheet([item.id for item in items], [""], [layer.heading for layer in layers], style)
    size = check_size(out, sheet.size, count)
    pictures = _Pictures(gallery, items, layers, lambda item: range(item.frames))

    def frames() -> Iterator[Pixels]:
        for k in range(count):
            numbers = {item.id: int(k * rates[item.id] // fastest) % item.frames for item in items}
            cells = [(item, layer, numbers[item.id]) for item in items for layer in layers]
            frame = pictures.draw(sheet, cells)
            if k == count - 1:
                pictures.check()
            yield frame

    write_moving(out, count, frames(), fastest)
    return WrittenPicture(out, len(items), count, fastest, size, tuple(pictures.warnings))


def draw_sheet(
    gallery: Gallery, out: Path, choice: Choice, style: Style, *, views: Sequence[int] = ()
) -> WrittenPicture:
    """Write a picture (`.png`, `.webp` or `.pdf`) with a row for each character or clip and layer.

    `views` are numbers of views or frames; by default a few spread over all.
    """
    items, layers = _begin(gallery, out, choice, style, film=False)
    for item in items:
        if beyond := [view for view in views if view >= item.frames]:
            problem = f"{item.id} has no {'frame' if gallery.moving else 'view'} {beyond[0]}"
            raise UsageError(f"{problem}: the last of its {item.frames} is {item.frames - 1}")
    frames = {item.id: list(views) or spread(item.frames, _VIEWS) for item in items}
    count = max(map(len, frames.values()))
    names = [list(map(partial(_name, item), frames[item.id])) for item in items]
    # Columns have headings where all items call their views the same.
    longest = next(of_item for of_item in names if len(of_item) == count)
    columns = longest if all(of_item == longest[: len(of_item)] for of_item in names) else [""] * count
    sheet = _sheet([item.id for item in items], [layer.heading for layer in layers], columns, style)
    size = check_size(out, sheet.size)
    pictures = _Pictures(gallery, items, layers, lambda item: frames[item.id])
    padded = {key: [*numbers, *[-1] * (count - len(numbers))] for key, numbers in frames.items()}
    cells = [(item, layer, frame) for item in items for layer in layers for frame in padded[item.id]]
    picture = pictures.draw(sheet, cells)
    pictures.check()
    write_still(out, picture)
    return WrittenPicture(out, len(items), 1, Fraction(1), size, tuple(pictures.warnings))


def _begin(
    gallery: Gallery, out: Path, choice: Choice, style: Style, film: bool
) -> tuple[tuple[Item, ...], tuple[Layer, ...]]:
    check_target(out, film, style.ground is None)
    items = chosen_items(gallery, choice)
    return items, chosen_layers(items, choice.show, gallery.kind == "evaluation")


def _rate(item: Item, seconds: float, fps: float | None) -> Fraction:
    own = fps if fps is not None else item.fps
    rate = Fraction(own) if own is not None else Fraction(item.frames) / Fraction(seconds)
    return rate.limit_denominator(1000)


def _name(item: Item, frame: int) -> str:
    """Turn of the camera, or time, of a frame."""
    if item.yaws is not None:
        return f"{item.yaws[frame]:g}°"
    return f"{frame / item.fps:.2f} s" if item.fps else f"frame {frame}"


def _sheet(titles: Sequence[str], rows: Sequence[str], columns: Sequence[str], style: Style) -> Sheet:
    """Lay out the sheet, with as many items beside each other as give it the shape of a screen."""
    if not style.labels:
        titles, rows, columns = ([""] * len(names) for names in (titles, rows, columns))
    across = style.across or max(1, round(sqrt(len(titles) * _ASPECT * len(rows) / len(columns))))
    return Sheet(titles, rows, columns, across, style.tile, style.ground, style.values)
