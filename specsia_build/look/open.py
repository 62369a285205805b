"""Opens whatever there is to look at: runs, packed datasets, evaluations, sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from specsia_build.characters.survey import CharacterFacts
from specsia_build.dataset.places import HUB_ID
from specsia_build.dataset.reading import open_dataset
from specsia_build.dataset.schema import GT
from specsia_build.errors import UsageError, plural
from specsia_build.look.dataset import gallery_of_dataset
from specsia_build.look.evaluation import gallery_of_evaluation, holds_evaluation
from specsia_build.look.items import TARGET, Gallery, Item, Lost, Side
from specsia_build.look.run import open_run
from specsia_build.pipeline.layout import RunLayout, layout_of
from specsia_build.pipeline.settings import existing_run


def is_evaluation(where: str) -> bool:
    """Whether a folder is one that `specsia evaluate` wrote."""
    return "://" not in where and holds_evaluation(Path(where))


def is_run(where: str) -> bool:
    """Whether a run is meant: its folder or URL, or a folder without any Parquet file, which is reported as no run.

    Raises:
        UsageError: if there is no such folder, and the name cannot be one of the Hub.
    """
    if "://" in where:
        return layout_of(where).config.is_file()
    folder = Path(where)
    if not folder.exists() and not where.startswith("~") and not HUB_ID.fullmatch(where):
        raise UsageError(
            f"there is no folder {where}: give that of a run, a dataset or an evaluation, or OWNER/NAME on the Hub"
        )
    if holds_evaluation(folder):
        return False
    return RunLayout(folder).config.is_file() or (folder.is_dir() and not any(folder.rglob("*.parquet")))


def open_gallery(where: str) -> Gallery:
    """Open what there is to look at.

    Args:
        where: folder of a run or an evaluation, or a packed dataset: its folder, an fsspec URL, or ``OWNER/NAME``.

    Raises:
        UsageError: if there is no such folder.
        SpecsiaError: if it holds none of them, or its records cannot be read.
    """
    if is_evaluation(where):
        return gallery_of_evaluation(where)
    return open_run(*existing_run(where))[0] if is_run(where) else gallery_of_dataset(open_dataset(where))


@dataclass(frozen=True)
class SourceReader:
    """Has one picture of each character, by id."""

    pictures: Mapping[str, bytes]

    def read(self, item: str, side: str, layers: Sequence[str], frames: Sequence[int]) -> dict[str, list[bytes]]:
        """See `Reader`."""
        return {GT: [self.pictures[item]]}


def gallery_of_source(name: str, facts: Sequence[CharacterFacts], views: Sequence[bytes]) -> Gallery:
    """The gallery of a source before anything is built.

    Args:
        name: of the source.
        facts, views: of each character; those without a picture are the gallery's lost ones.
    """
    items, lost, troubled = [], [], 0
    for one, view in zip(facts, views, strict=True):
        warnings = (*(() if one.problem is None else (one.problem,)), *one.warnings)
        troubled += bool(warnings)
        if not view:
            reason = "; ".join(warnings) or "nothing can be drawn of it"
            lost.append(Lost(key=one.id, id=one.id, stage="read", backend=None, reason=reason))
            continue
        told: dict[str, float | str] = {"format": one.format, "faces": one.faces}
        sides = {TARGET: Side(TARGET, (GT,), {}, told)}
        numbers = {"triangles": one.triangles, "vertices": one.vertices}
        items.append(Item(one.id, one.id, "", 1, sides, (0.0,), warnings=warnings, numbers=numbers))
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
