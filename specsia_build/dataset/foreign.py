"""Rows of the published schema in this project's: pictures with alpha, positions in the character's frame.

Turning a row's positions needs all views of its character, see `published.places`. Fits are kept for
`MOST_KEPT` characters, so that reading in order fits each character once; a row read on its own costs the
positions of its character's other views besides, once. Fitting takes about 0.2 s a character of ten views.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Any

from specsia_build import png, terminal
from specsia_build.dataset import schema
from specsia_build.errors import SpecsiaError
from specsia_build.published import places
from specsia_build.published import rows as published
from specsia_build.published.views import AxesError, read_view

_Values = dict[str, Any]
_Take = Callable[[str, Sequence[int], Sequence[str]], list[_Values]]
MOST_KEPT = 4096  # Characters whose fits are kept, of about 3 kB each
_Z = (schema.COLOR, schema.POS)
_NEEDED = (schema.COLOR, schema.POS, schema.MASK, schema.GT)
"""Published pictures that `Foreign` needs for any picture but `edge`."""


@dataclass(frozen=True)
class Foreign:
    """Reads a split's rows of the published schema in this project's."""

    where: str  # Name of the dataset for messages
    # Channels of its pictures, `published.ROW_CHANNELS` or `published.TREE_CHANNELS`
    channels: Mapping[str, int]
    take: _Take  # Gives stored rows of a split by number, with some columns
    uids: Callable[[str], list[str]]  # Gives the uids of a split in order
    _numbers: dict[str, dict[str, list[int]]] = field(default_factory=dict, repr=False)
    _kept: dict[tuple[str, str], places.FittedTurns | None] = field(default_factory=dict, repr=False)
    _warned: list[str] = field(default_factory=list, repr=False)

    def numbers(self, split: str) -> dict[str, list[int]]:
        """Numbers of the rows of each character of a split."""
        if split not in self._numbers:
            numbers: dict[str, list[int]] = {}
            for number, uid in enumerate(self.uids(split)):
                numbers.setdefault(parse_uid(uid, self.where)[0], []).append(number)
            self._numbers[split] = numbers
        return self._numbers[split]

    def placement(
        self, split: str, character_id: str, rows: Sequence[_Values] = ()
    ) -> places.FittedTurns | None:
        """How a character's positions are turned, from `rows` if complete; None if its views are too few."""
        key = split, character_id
        with suppress(KeyError):
            return self._kept[key]
        own = self.numbers(split)[character_id]
        if len({row["uid"] for row in rows}) != len(own) or len(rows) != len(own):
            rows = self.take(split, own, ("uid", *_Z))
        placement = fit_rows(rows, self.channels, self.where)
        # Dropping all at once is safe with threads, whose fits are the same.
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        self._kept[key] = placement
        if placement is None and not self._warned:
            self._warned.append(character_id)
            terminal.say(
                f"warning: {character_id} of {self.where} has too few views to turn its positions into its "
                "own frame: such characters keep them as they are, and their drawings are not looked up"
            )
        return placement

    def converted(self, split: str, rows: Iterable[_Values], columns: Sequence[str]) -> Iterator[_Values]:
        """Convert rows with `stored_columns`; cheapest where the rows of a character follow one another."""
        pictures = [name for name in columns if name in schema.IMAGE_COLUMNS]
        for character_id, group in groupby(rows, key=lambda row: parse_uid(row["uid"], self.where)[0]):
            if not pictures:
                yield from (_named(row, {}, columns) for row in group)
                continue
            while part := list(islice(group, places.PUBLISHED_VIEWS)):
                placement = self.placement(split, character_id, part) if schema.POS in pictures else None
                for row in part:
                    yield _named(row, self._pictures(row, placement, pictures), columns)

    def _pictures(
        self, row: _Values, placement: places.FittedTurns | None, names: Collection[str]
    ) -> Mapping[str, bytes]:
        """PNG bytes of a row's pictures in this project's schema."""
        view = schema.split_uid(row["uid"])[1]
        try:
            planes = published.planes(published.decode(row, self.channels))
        except ValueError as error:
            raise SpecsiaError(f"the row {row['uid']} of {self.where} cannot be read: {error}") from error
        turn = None if placement is None else placement.turns[view]
        return {name: png.encode(image) for name, image in planes.pictures(turn).items() if name in names}


def stored_columns(columns: Sequence[str], stored: Collection[str]) -> tuple[str, ...]:
    """Published columns that are read for columns of this project's schema."""
    pictures = [name for name in columns if name in schema.IMAGE_COLUMNS]
    wanted = {"uid", *pictures, *(_NEEDED if pictures else ())}
    if missing := [name for name in columns if name not in {*stored, "character_id", "view"}]:
        raise SpecsiaError(f"the published schema has no column '{missing[0]}'")
    return tuple(name for name in stored if name in wanted)


def fit_rows(rows: Sequence[_Values], channels: Mapping[str, int], where: str) -> places.FittedTurns | None:
    """Fit how a character's positions are turned; None if too few, SpecsiaError if not as published."""
    views = {}
    for row in rows:
        view = parse_uid(row["uid"], where)[1]
        try:
            images = published.decode({name: row[name] for name in _Z}, channels)
            color, pos = published.z_of(images)
            if not 0 <= view < places.PUBLISHED_VIEWS:
                raise ValueError(f"view {view} is not between 0 and {places.PUBLISHED_VIEWS - 1}")
            if view in views:
                raise ValueError("it occurs twice")
            views[view] = read_view(view, pos, color[..., 3] > 0)
        except AxesError as error:
            problem = f"pos of the row {row['uid']} of {where} is not as published: {error}"
            raise SpecsiaError(problem) from error
        except ValueError as error:
            raise SpecsiaError(f"the row {row['uid']} of {where} cannot be read: {error}") from error
    if len(views) < places.FEWEST_VIEWS:
        return None
    if len({view.inside.shape for view in views.values()}) > 1:
        raise SpecsiaError(f"rows of one character of {where} differ in size: {rows[0]['uid']} and others")
    placement = places.fit_places(list(views.values()))
    if placement.agreeing >= places.LEAST_AGREEING:
        return placement
    if len(views) <= places.DIRECTIONS:
        return None
    character_id = parse_uid(rows[0]["uid"], where)[0]
    raise SpecsiaError(
        f"pos of {character_id} in {where} is not as published: its views do not agree where the surface "
        "lies, as they do if G grows away from the camera and the views are 36 degrees apart"
    )


def parse_uid(uid: str, where: str) -> tuple[str, int]:
    """Character and view of a uid; raises SpecsiaError if it does not name them."""
    try:
        return schema.split_uid(uid)
    except ValueError as error:
        raise SpecsiaError(f"{where}: {error}") from error


def _named(row: _Values, pictures: Mapping[str, bytes], columns: Sequence[str]) -> _Values:
    """A row with `columns`, and with its character and view."""
    character_id, view = schema.split_uid(row["uid"])
    values = {"uid": row["uid"], "character_id": character_id, "view": view, **pictures}
    return {name: values[name] for name in dict.fromkeys((*columns, "uid", "character_id", "view"))}
