"""Two galleries beside each other as one, what changed most told by a number."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TypeVar

from specsia_build import png
from specsia_build.characters.character import id_order_key
from specsia_build.dataset import schema
from specsia_build.errors import SpecsiaError, UsageError, plural, some
from specsia_build.gallery.items import TARGET, Gallery, Item, Lost, Measure, Reader, Side
from specsia_build.gallery.matching import Frames, matching, pace

CHANGE = "change"
"""Of an item's numbers: the largest change of the main measure in any frame of any maker of both, without sign."""

DIFFERENCE = "difference"
"""The same with its sign: what the second has less what the first has."""

_Told = TypeVar("_Told")


@dataclass(frozen=True)
class ComparedReader:
    """Reads the pictures of two galleries.

    Attributes:
        readers: of the first and of the second.
        sides: by name which of them has it, and under which name; what is in neither is the first's target.
        added: ids that only the second has.
        frames: by id those that are compared, where they are not all of both.
    """

    readers: tuple[Reader, Reader]
    sides: Mapping[str, tuple[int, str]]
    added: frozenset[str]
    frames: Mapping[str, Frames]

    def read(self, item: str, side: str, layer: str, frames: Sequence[int]) -> list[bytes]:
        """PNGs; see `Reader`."""
        which, name = self.sides.get(side, (int(item in self.added), side))
        if item in self.frames:
            frames = [self.frames[item][which][frame] for frame in frames]
        return self.readers[which].read(item, name, layer, frames)

    def only(self, items: Collection[str]) -> ComparedReader:
        """As `Reader` says."""
        frames = {item: found for item, found in self.frames.items() if item in items}
        one, two = self.readers
        return replace(self, readers=(one.only(items), two.only(items)), frames=frames)


@dataclass(frozen=True)
class Compared:
    """Two galleries as one.

    Attributes:
        gallery: both; its `missing` says what is not compared, and what is compared unfairly.
        labels: what the first and the second are called in it.
    """

    gallery: Gallery
    labels: tuple[str, str]


def compared(one: Gallery, two: Gallery) -> Compared:
    """Lay two galleries beside each other.

    Of a character or clip in both, the frames that show the same are compared: views of one angle, frames of one time.
    Its target is shown once where all of these are the same bytes, else twice. What only one of them has is shown, too.

    Raises:
        UsageError: if one has clips and the other stills, or one is an evaluation and the other is none.
    """
    _refuse_unlike(one, two)
    joining = _Joining(labels(one.where, two.where), (one, two), _paired_makers(one, two), _main(one, two))
    here, there = ({item.id: item for item in gallery.items} for gallery in (one, two))
    joined = [
        joining.joined(here[key], there[key])
        if key in here and key in there
        else joining.alone(int(key in there), here.get(key) or there[key])
        for key in sorted(here.keys() | there.keys(), key=id_order_key)
    ]
    names = joining.names
    gallery = Gallery(
        kind="comparison",
        where=f"{one.where} {two.where}",
        title=" and ".join(joining.labels),
        lead=f"{plural(len(here.keys() & there.keys()), one.noun)} in both, {' beside '.join(joining.labels)}.",
        moving=one.moving,
        items=tuple(found.item for found in joined),
        lost=tuple(_lost(joining)),
        measures=_measures(one, two),
        reader=ComparedReader(
            (one.reader, two.reader),
            names,
            frozenset(there.keys() - here.keys()),
            {found.item.id: found.frames for found in joined if found.frames is not None},
        ),
        missing=tuple(_caveats(joining, joined, here.keys(), there.keys())),
        sides=_shown((TARGET, *names), [found.item for found in joined]),
        twins=tuple((joining.name(0, a), joining.name(1, b)) for a, b in ((TARGET, TARGET), *joining.makers)),
    )
    return Compared(gallery, joining.labels)


def _shown(names: Iterable[str], items: Iterable[Item]) -> tuple[str, ...]:
    """Of some names those that items have a side of."""
    there = {name for item in items for name in item.sides}
    return tuple(name for name in names if name in there)


def labels(one: str, two: str) -> tuple[str, str]:
    """The shortest parts of two paths that tell them apart, the last that differ; `A` and `B` of one and the same."""
    here, there = _parts(one), _parts(two)
    if here == there:
        return "A", "B"
    last = next(k for k in count(1) if here[-k:] != there[-k:])
    if last <= min(len(here), len(there)):
        return here[-last], there[-last]
    return "/".join(here[-last:]), "/".join(there[-last:])


def _parts(where: str) -> list[str]:
    local = "://" not in where and Path(where).exists()
    return [part for part in (str(Path(where).absolute()) if local else where).split("/") if part]


def _refuse_unlike(one: Gallery, two: Gallery) -> None:
    if one.moving != two.moving:
        moving, still = (one, two) if one.moving else (two, one)
        raise UsageError(f"{moving.where} holds clips and {still.where} stills: only what is alike can be compared")
    if (one.kind == "evaluation") != (two.kind == "evaluation"):
        measured, other = (one, two) if one.kind == "evaluation" else (two, one)
        raise UsageError(
            f"{measured.where} is an evaluation and {other.where} is none: name two evaluations, or two of the others"
        )


def _paired_makers(one: Gallery, two: Gallery) -> tuple[tuple[str, str], ...]:
    """Makers of one name; two galleries that have but one each are compared whatever its name."""
    here, there = one.makers, two.makers
    if len(here) == len(there) == 1:
        return ((here[0], there[0]),)
    return tuple((name, name) for name in here if name in there)


def _main(one: Gallery, two: Gallery) -> Measure | None:
    """The first measure that both have."""
    known = {measure.key for measure in two.measures}
    return next((measure for measure in one.measures if measure.key in known), None)


def _measures(one: Gallery, two: Gallery) -> tuple[Measure, ...]:
    """Of both, those that both have first."""
    every = {measure.key: measure for measure in (*two.measures, *one.measures)}
    shared = [m.key for m in one.measures if m.key in {other.key for other in two.measures}]
    return tuple(every[key] for key in dict.fromkeys((*shared, *(m.key for m in (*one.measures, *two.measures)))))


@dataclass(frozen=True)
class _Joined:
    """An item of both, or of one of them.

    Attributes:
        frames: that are compared, where they are not all of both.
        sizes: pixels on a side of the pictures of both, where they are known.
        same_target: whether the target is the same to the byte; None of what is in one alone.
    """

    item: Item
    frames: Frames | None = None
    sizes: tuple[int, int] | None = None
    same_target: bool | None = None


@dataclass(frozen=True)
class _Joining:
    """How two galleries are laid beside each other.

    Attributes:
        labels: what each is called.
        galleries: both.
        makers: of each, by the names there, those that are compared.
        main: the measure that says how much something changed.
    """

    labels: tuple[str, str]
    galleries: tuple[Gallery, Gallery]
    makers: tuple[tuple[str, str], ...]
    main: Measure | None

    def name(self, which: int, name: str) -> str:
        """What a side of one of them is called."""
        return f"{self.labels[which]}: {name}"

    @property
    def names(self) -> dict[str, tuple[int, str]]:
        """Whose each side is, and its name there, in the order in which they are shown."""
        return {
            self.name(which, name): (which, name)
            for which, gallery in enumerate(self.galleries)
            for name in (TARGET, *gallery.makers)
        }

    def alone(self, which: int, item: Item) -> _Joined:
        """An item that only one of them has."""
        renamed = [
            side if name == TARGET else replace(side, name=self.name(which, name)) for name, side in item.sides.items()
        ]
        warnings = (f"only in {self.labels[which]}", *item.warnings)
        return _Joined(replace(item, sides={side.name: side for side in renamed}, warnings=warnings))

    def joined(self, a: Item, b: Item) -> _Joined:
        """An item of both."""
        frames = matching(a, b)
        whole = frames == (tuple(range(a.frames)), tuple(range(b.frames)))
        same, sizes = self._targets(a, b, frames)
        sides = dict(self._sides(a, b, frames, same))
        change = self._change(sides)
        numbers = {key: value for key, value in a.numbers.items() if b.numbers.get(key) == value}
        item = replace(
            a,
            frames=len(frames[0]),
            sides=sides,
            yaws=None if a.yaws is None else tuple(a.yaws[frame] for frame in frames[0]),
            fps=pace(a, frames[0]),
            action=_agreed(a.action, b.action),
            license=_agreed(a.license, b.license),
            credit=_agreed(a.credit, b.credit),
            warnings=tuple(self._warnings(a, b, same, whole)),
            numbers=numbers | ({} if change is None else {CHANGE: abs(change), DIFFERENCE: change}),
        )
        return _Joined(item, None if whole else frames, sizes, same)

    def _targets(self, a: Item, b: Item, frames: Frames) -> tuple[bool, tuple[int, int] | None]:
        """Whether both show the same target to the byte, and the sizes of both."""
        if not all(TARGET in item.sides and schema.GT in item.sides[TARGET].layers for item in (a, b)):
            return False, None
        try:
            here, there = (
                gallery.reader.read(item.id, TARGET, schema.GT, numbers)
                for gallery, item, numbers in zip(self.galleries, (a, b), frames, strict=True)
            )
        except SpecsiaError:
            # Whoever draws them says what is wrong with them.
            return False, None
        return here == there, (_size(here[0]), _size(there[0])) if here and there else None

    def _sides(self, a: Item, b: Item, frames: Frames, same: bool) -> Iterator[tuple[str, Side]]:
        """All of the first, then all of the second; a target that is the same stands first, alone."""
        if same:
            yield TARGET, a.sides[TARGET]
        for which, item in enumerate((a, b)):
            for name, side in item.sides.items():
                if name == TARGET and same:
                    continue
                values = {key: tuple(of[k] for k in frames[which]) for key, of in side.values.items() if of}
                yield self.name(which, name), replace(side, name=self.name(which, name), values=values)

    def _change(self, sides: Mapping[str, Side]) -> float | None:
        """The largest change of the main measure, the second's value less the first's."""
        found = []
        for one, two in self.makers:
            before, after = sides.get(self.name(0, one)), sides.get(self.name(1, two))
            if self.main is not None and before is not None and after is not None:
                values = zip(*(side.values.get(self.main.key, ()) for side in (before, after)), strict=False)
                found += [new - old for old, new in values if old is not None and new is not None]
        return max(found, key=abs, default=None)

    def _warnings(self, a: Item, b: Item, same: bool, whole: bool) -> Iterator[str]:
        one, two = self.labels
        if not whole:
            yield f"{plural(a.frames, 'frame')} in {one} and {b.frames} in {two}: those that show the same are compared"
        if not same:
            yield f"Y* differs between {one} and {two}"
        for what, here, there in (("split", a.split, b.split), ("licence", a.license, b.license)):
            if here != there:
                yield f"its {what} is {here or 'not stated'} in {one} and {there or 'not stated'} in {two}"
        yield from (said for said in a.warnings if said in b.warnings)
        yield from (f"{one}: {said}" for said in a.warnings if said not in b.warnings)
        yield from (f"{two}: {said}" for said in b.warnings if said not in a.warnings)


def _size(picture: bytes) -> int:
    """Pixels from left to right, 0 of what is no PNG."""
    return int(struct.unpack_from(">I", picture, 16)[0]) if picture[:8] == png.SIGNATURE and len(picture) > 24 else 0


def _agreed(one: _Told | None, two: _Told | None) -> _Told | None:
    return one if one == two else None


def _lost(joining: _Joining) -> Iterator[Lost]:
    """What is lost in both by the same reason once, all else with where it is lost."""

    def alike(lost: Lost) -> tuple[str, str, str | None, str]:
        return lost.key, lost.stage, lost.backend, lost.reason

    here, there = ({alike(lost) for lost in gallery.lost} for gallery in joining.galleries)
    shared = here & there
    for which, gallery in enumerate(joining.galleries):
        for lost in gallery.lost:
            if alike(lost) in shared and which == 1:
                continue
            side = None if lost.side is None else replace(lost.side, name=joining.name(which, lost.side.name))
            reason = lost.reason if alike(lost) in shared else joining.name(which, lost.reason)
            yield replace(lost, side=side, reason=reason)


def _caveats(joining: _Joining, joined: Sequence[_Joined], here: Set[str], there: Set[str]) -> Iterator[str]:
    """What is not compared, and what is compared unfairly, in sentences."""
    (one, two), gallery = joining.labels, joining.galleries[0]
    for name, ids in ((one, here - there), (two, there - here)):
        if ids:
            yield f"{plural(len(ids), gallery.noun)} only in {name}: {some(sorted(ids, key=id_order_key))}."
    if joining.main is None:
        yield "No measure is in both: what changed is told by pixels alone."
    for which in (0, 1):
        yield from _one_sided(joining, which)
    yield from (
        f"Compared unfairly: {a} of {one} with {b} of {two}, as each has but one." for a, b in joining.makers if a != b
    )
    pairs = [found for found in joined if found.same_target is not None]
    uneven = [found.item.id for found in pairs if found.frames is not None]
    if uneven:
        yield (
            f"Compared unfairly: {plural(len(uneven), gallery.noun)} with other "
            f"{'frames' if gallery.moving else 'views'} in {one} than in {two}, of which those that show the same are "
            f"compared: {some(uneven)}."
        )
    sizes = sorted({found.sizes for found in pairs if found.sizes is not None and found.sizes[0] != found.sizes[1]})
    if sizes:
        told = ", ".join(f"{a} and {b}" for a, b in sizes[:3])
        yield f"Compared unfairly: the pictures of {one} and {two} differ in size ({told} px)."
    others = [found.item.id for found in pairs if not found.same_target]
    if others and not sizes:
        yield (
            f"Compared unfairly: Y* differs in {len(others):,} of {len(pairs):,} that are in both, so that each is "
            f"measured against its own: {some(others)}."
        )


def _one_sided(joining: _Joining, which: int) -> Iterator[str]:
    """What only one of two galleries has or lacks."""
    name, gallery, other = joining.labels[which], joining.galleries[which], joining.galleries[1 - which]
    paired = {pair[which] for pair in joining.makers}
    alone = [side for side in gallery.makers if side not in paired]
    if alone:
        yield f"Only {name} has {some(alone)}."
    keys = {measure.key for measure in other.measures}
    measures = [measure.name for measure in gallery.measures if measure.key not in keys]
    if measures:
        yield f"Only {name} has the measure {some(measures)}."
    for said in gallery.missing:
        if said not in other.missing:
            yield joining.name(which, said)
        elif which == 0:
            yield said
