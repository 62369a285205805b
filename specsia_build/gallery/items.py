"""The terms in which everything that can be looked at is told: items with sides, and a reader of their pictures."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Literal, Protocol

from specsia_build.dataset.layers import LINE
from specsia_build.dataset.schema import COLOR, EDGE, GT, GT_MASK, MASK, POS

TARGET = "Y*"
"""Name of the side that shows the clean target."""

LAYERS = {
    GT: ("Y*", "the clean target with its contour"),
    COLOR: ("Z", "the reconstruction, rendered"),
    MASK: ("Zmask", "its silhouette"),
    POS: ("Zpos", "position on its surface as colour"),
    EDGE: ("edge", "edges of Zpos"),
    GT_MASK: ("silhouette", "of Y*, without its contour"),
    LINE: ("lines", "of Y*"),
}
"""Name and meaning of each layer, in the order in which they are shown; see `layers_of`."""

_CLEAN = {COLOR: ("colour", "without a contour"), POS: ("position", "on the surface as colour")}
"""Of those that the character itself has, too, where its frames are not drawn as Y*."""

_RESULTS = {COLOR: ("result", "what a method made of Z")}
"""Of those of an evaluation."""

Kind = Literal["run", "dataset", "source", "evaluation"]


@dataclass(frozen=True)
class Measure:
    """A figure of each frame of a side.

    Attributes:
        key, name: for programs, for people.
        better: which end of it is good.
        digits: after the point.
        note: what it says, in a few words.
    """

    key: str
    name: str
    better: Literal["high", "low"]
    digits: int
    note: str


IOU = Measure("iou", "IoU", "high", 3, "of Zmask and the silhouette of Y*")

MADE = (COLOR, MASK, POS, EDGE)
"""Layers of a reconstruction."""

CLEAN = (GT, GT_MASK)
"""Layers of a character's views."""


@dataclass(frozen=True)
class Side:
    """One item as one maker shows it: the clean target, a backend, a trained model.

    Attributes:
        name: of the maker, `TARGET` of the target.
        layers: that the reader has of it, names of columns.
        values: by key of the measure, one a frame; None where it could not be computed.
        facts: what else is known of it, such as the parameters of its registration.
    """

    name: str
    layers: tuple[str, ...]
    values: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    facts: Mapping[str, float | str] = field(default_factory=dict)

    def mean(self, measure: str) -> float | None:
        """Over the frames that have it; None where none has."""
        known = [value for value in self.values.get(measure, ()) if value is not None]
        return fmean(known) if known else None


def layers_of(sides: Iterable[Side]) -> dict[str, tuple[str, str]]:
    """Name and meaning of each layer that some sides have, in the order in which they are shown."""
    held = {side.layers for side in sides}
    named = dict(LAYERS)
    if any(COLOR in layers and GT_MASK in layers for layers in held):
        named |= _CLEAN
    elif any(COLOR in layers and MASK not in layers for layers in held):
        named |= _RESULTS
    return {key: found for key, found in named.items() if any(key in layers for layers in held)}


@dataclass(frozen=True)
class Item:
    """A character seen from its views, or a clip.

    Attributes:
        id: of the character or the clip.
        character: id of its character.
        split: that it belongs to.
        frames: how many views or frames it has.
        sides: by name, the target first where there is one.
        yaws: the camera's turn in each frame in degrees; None of a clip.
        fps: frames a second of a clip; None of views.
        action: of a clip.
        license, credit: as its source states them.
        warnings: sentences about it.
        numbers: what can be sorted by, such as `seconds`, `fit`, `outline_px`.
    """

    id: str
    character: str
    split: str
    frames: int
    sides: Mapping[str, Side]
    yaws: tuple[float, ...] | None = None
    fps: float | None = None
    action: str | None = None
    license: str | None = None
    credit: str | None = None
    warnings: tuple[str, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Lost:
    """What could not be made of a character, or of a clip.

    Attributes:
        key: of the clip, or of the character.
        id: of the character.
        stage, backend: where it was lost.
        reason: a sentence.
        details: a file or folder with more, relative to where the gallery lies.
        command: that would mend it, or would try again.
        side: under which the reader has its pictures, with `frames` of them; None where there are none.
    """

    key: str
    id: str
    stage: str
    backend: str | None
    reason: str
    details: str | None = None
    command: str | None = None
    side: Side | None = None
    frames: int = 0


class Reader(Protocol):
    """Reads the pictures of a gallery's items, some at a time; can be sent to another process."""

    def read(self, item: str, side: str, layer: str, frames: Sequence[int]) -> list[bytes]:
        """PNGs of some frames of one layer.

        Args:
            item: its id (or a lost one's key).
            side, layer: as the item's `sides` name them.
            frames: numbers of them.

        Raises:
            SpecsiaError: if they cannot be read.
        """
        ...

    def only(self, items: Collection[str]) -> Reader:
        """The reader of some items alone, which is less to send."""
        ...


@dataclass(frozen=True)
class Gallery:
    """All that there is to look at in one place.

    Attributes:
        kind: what lies there.
        where: as the user calls it.
        title, lead: its name, and what it is in a sentence.
        moving: whether its items are clips.
        items: in the order of their ids.
        lost: what is not among them, and why.
        measures: that sides have values of, the main one first.
        reader: of pictures.
        missing: sentences on what a whole one would have besides.
        go_on: command that would go on with it.
    """

    kind: Kind
    where: str
    title: str
    lead: str
    moving: bool
    items: tuple[Item, ...]
    lost: tuple[Lost, ...]
    measures: tuple[Measure, ...]
    reader: Reader
    missing: tuple[str, ...] = ()
    go_on: str | None = None

    @property
    def noun(self) -> str:
        """What one of its items is called."""
        return "clip" if self.moving else "character"

    @property
    def side_names(self) -> list[str]:
        """Of all sides, in the order in which items have them."""
        return list(dict.fromkeys(name for item in self.items for name in item.sides))

    @property
    def makers(self) -> list[str]:
        """Names of all sides but the target's."""
        return [name for name in self.side_names if name != TARGET]
