"""The common form of all galleries: items with sides, and a reader of their pictures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Literal, Protocol

from specsia_build.dataset.layers import LINE
from specsia_build.dataset.schema import COLOR, EDGE, GT, GT_MASK, MASK, POS

LayerPngs = dict[str, list[bytes]]  # Pictures of frames as PNGs, by layer
TARGET = "Y*"  # Name of the side that shows the clean target

LAYER_TITLES = {
    GT: ("Y*", "the clean target with its contour"),
    COLOR: ("Z", "the reconstruction, rendered"),
    MASK: ("Zmask", "its silhouette"),
    POS: ("Zpos", "position on its surface as colour"),
    EDGE: ("edge", "edges of Zpos"),
    GT_MASK: ("silhouette", "of Y*, without its contour"),
    LINE: ("lines", "of Y*"),
}
"""Name and meaning of each layer, in the order in which they are shown."""

TARGET_LAYERS, RESULT_LAYERS = (GT, GT_MASK), (COLOR, MASK, POS, EDGE)
"""Layers of a character's views, and of its reconstruction."""


@dataclass(frozen=True)
class Measure:
    """A score of each frame of a side; `better` is the better end, and `note` explains it."""

    key: str
    name: str
    better: Literal["high", "low"]
    digits: int
    note: str


IOU = Measure("iou", "IoU", "high", 3, "of Zmask and the silhouette of Y*")


@dataclass(frozen=True)
class Side:
    """One item by one maker: the clean target, a backend or a model."""

    name: str
    layers: tuple[str, ...]
    # One per frame, by measure; None where it could not be computed
    values: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    # Such as the parameters of its registration
    facts: Mapping[str, float | str] = field(default_factory=dict)

    def present(self, measure: str) -> list[float]:
        """Values of the frames that have one."""
        return [value for value in self.values.get(measure, ()) if value is not None]

    def mean(self, measure: str) -> float | None:
        """Mean over the frames that have a value; None if none has."""
        values = self.present(measure)
        return fmean(values) if values else None


def layers_of(sides: Iterable[Side]) -> dict[str, tuple[str, str]]:
    """Name and meaning of each layer of some sides, in the order in which they are shown."""
    combinations, names = {side.layers for side in sides}, dict(LAYER_TITLES)
    if any(COLOR in layers and GT_MASK in layers for layers in combinations):
        names |= {COLOR: ("colour", "without a contour"), POS: ("position", "on the surface as colour")}
    elif any(COLOR in layers and MASK not in layers for layers in combinations):
        names |= {COLOR: ("result", "what a method made of Z")}
    there = set[str]().union(*combinations)
    return {key: name for key, name in names.items() if key in there}


@dataclass(frozen=True)
class Item:
    """A character in its views, or a clip."""

    id: str
    character: str
    split: str
    frames: int
    sides: Mapping[str, Side]  # By name, the target first
    yaws: tuple[float, ...] | None = None  # Turn of the camera in each view in degrees; None for a clip
    # fps, action: of a clip; None for views
    fps: float | None = None
    action: str | None = None
    # license, credit: as the source states them
    license: str | None = None
    credit: str | None = None
    warnings: tuple[str, ...] = ()
    # To sort by, such as `seconds`, `fit`, `outline_px`
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class FailedItem:
    """A character or clip that failed or was quarantined."""

    # key, id: of the clip or character, and of the character
    key: str
    id: str
    stage: str
    backend: str | None
    reason: str
    details: str | None = None  # A file or folder with more, relative to the run
    command: str | None = None  # Command that fixes it or tries again
    # side, frames: whose pictures the reader has, if any, and their number
    side: Side | None = None
    frames: int = 0


class Reader(Protocol):
    """Reads the pictures of a gallery; used from several threads."""

    def read(self, item: str, side: str, layers: Sequence[str], frames: Sequence[int]) -> LayerPngs:
        """Read PNGs of some frames, by layer."""
        ...


@dataclass(frozen=True)
class Gallery:
    """Everything to look at of one run, dataset, source, evaluation, or of repairs."""

    kind: Literal["run", "dataset", "source", "evaluation", "repair"]
    where: str  # Place, as the user gave it
    # title, lead: its name, and a sentence about it
    title: str
    lead: str
    moving: bool  # Whether its items are clips
    items: tuple[Item, ...]  # In the order of their ids
    reader: Reader
    failed: tuple[FailedItem, ...] = ()
    measures: tuple[Measure, ...] = ()  # The main one first
    missing: tuple[str, ...] = ()  # Sentences on what a complete run would also have
    go_on: str | None = None  # Command that continues it

    @property
    def noun(self) -> str:
        """Word for an item."""
        return "clip" if self.moving else "character"

    @property
    def side_names(self) -> list[str]:
        """Names of all sides, the target first."""
        names = dict.fromkeys(name for item in self.items for name in item.sides)
        return sorted(names, key=lambda name: name != TARGET)

    @property
    def makers(self) -> list[str]:
        """Names of all sides but the target."""
        return [name for name in self.side_names if name != TARGET]
