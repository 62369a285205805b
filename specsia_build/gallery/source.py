"""A source as a gallery before anything is built: view 0 of each character, with what is said of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from specsia_build.characters.survey import CharacterFacts
from specsia_build.dataset.schema import GT
from specsia_build.errors import plural
from specsia_build.gallery.items import TARGET, Gallery, Item, Lost, Side


@dataclass(frozen=True)
class SourceReader:
    """Has the pictures by id."""

    pictures: Mapping[str, bytes]

    def read(self, item: str, side: str, layer: str, frames: Sequence[int]) -> list[bytes]:
        """The one picture there is; see `Reader`."""
        return [self.pictures[item]]

    def only(self, items: Collection[str]) -> SourceReader:
        """See `Reader`."""
        return SourceReader({key: self.pictures[key] for key in items if key in self.pictures})


def gallery_of_source(name: str, facts: Sequence[CharacterFacts], views: Sequence[bytes]) -> Gallery:
    """The gallery of a source.

    Args:
        name: of the source.
        facts, views: of each character, pictures as PNG; those without one are the gallery's lost ones.
    """
    items, lost, troubled = [], [], 0
    for one, view in zip(facts, views, strict=True):
        warnings = (*(() if one.problem is None else (one.problem,)), *one.warnings)
        troubled += bool(warnings)
        if view:
            items.append(_item(one, warnings))
        else:
            reason = "; ".join(warnings) or "nothing can be drawn of it"
            lost.append(Lost(key=one.id, id=one.id, stage="read", backend=None, reason=reason))
    return Gallery(
        kind="source",
        where=name,
        title=name,
        lead=f"View 0 of {plural(len(facts), 'character')}, {troubled} with warnings or problems.",
        moving=False,
        items=tuple(items),
        lost=tuple(lost),
        measures=(),
        reader=SourceReader({one.id: view for one, view in zip(facts, views, strict=True) if view}),
    )


def _item(one: CharacterFacts, warnings: tuple[str, ...]) -> Item:
    facts: dict[str, float | str] = {"format": one.format, "faces": one.faces, "pose": one.pose or "not known"}
    return Item(
        id=one.id,
        character=one.id,
        split="",
        frames=1,
        sides={TARGET: Side(TARGET, (GT,), {}, facts)},
        yaws=(0.0,),
        warnings=warnings,
        numbers={"triangles": one.triangles, "vertices": one.vertices},
    )
