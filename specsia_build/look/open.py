"""Opens runs, packed datasets, evaluations and sources as galleries."""

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
from specsia_build.look.evaluation import REPORT, gallery_of_evaluation, holds_evaluation
from specsia_build.look.items import TARGET, Gallery, Item, Lost, Side
from specsia_build.look.markup import Sections
from specsia_build.look.run import open_run
from specsia_build.look.sections import sections_of_dataset, sections_of_evaluation, sections_of_run
from specsia_build.pipeline.layout import RunLayout, layout_of
from specsia_build.pipeline.settings import existing_run


def _is_evaluation(where: str) -> bool:
    return "://" not in where and holds_evaluation(Path(where))


def _is_run(where: str) -> bool:
    """Whether a place is a run: its folder or URL, or a folder without any Parquet file, which is refused as a run.

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
    return RunLayout(folder).config.is_file() or (folder.is_dir() and not any(folder.rglob("*.parquet")))


def page_of(where: str) -> Path:
    """Where the report of a place goes by default.

    Raises:
        UsageError: if there is no such place, or it is not in a folder of this machine.
    """
    if _is_evaluation(where):
        return Path(where) / REPORT
    if _is_run(where):
        return existing_run(where)[1].report
    folder = Path(where).absolute()
    if "://" in where or not folder.is_dir():
        raise UsageError(f"{where} is not in a folder here: say where the page goes with --out page.html")
    return folder.with_name(f"{folder.name}-report.html")


def open_with_sections(where: str) -> tuple[Gallery, Sections]:
    """Open a gallery with the tables of its report; see `open_gallery`."""
    if _is_evaluation(where):
        gallery = gallery_of_evaluation(where)
        return gallery, sections_of_evaluation(Path(where))
    if _is_run(where):
        gallery, facts = open_run(*existing_run(where))
        return gallery, sections_of_run(facts, gallery)
    dataset = open_dataset(where)
    gallery = gallery_of_dataset(dataset)
    return gallery, sections_of_dataset(dataset, gallery)


def open_gallery(where: str) -> Gallery:
    """Open what there is to look at.

    Args:
        where: folder of a run or an evaluation, or a packed dataset: its folder, an fsspec URL, or ``OWNER/NAME``.

    Raises:
        UsageError: if there is no such folder.
        SpecsiaError: if it holds none of them, or its records cannot be read.
    """
    if _is_evaluation(where):
        return gallery_of_evaluation(where)
    return open_run(*existing_run(where))[0] if _is_run(where) else gallery_of_dataset(open_dataset(where))


@dataclass(frozen=True)
class SourceReader:
    """Holds one picture of each character, by id."""

    pictures: Mapping[str, bytes]

    def read(self, item: str, side: str, layers: Sequence[str], frames: Sequence[int]) -> dict[str, list[bytes]]:
        """See `Reader`."""
        return {GT: [self.pictures[item]]}


def gallery_of_source(name: str, facts: Sequence[CharacterFacts], views: Sequence[bytes]) -> Gallery:
    """Make the gallery of a source before anything is built.

    Args:
        name: of the source.
        facts, views: of each character; those without a picture are listed as lost.
    """
    pictures = {one.id: view for one, view in zip(facts, views, strict=True) if view}
    warnings = {one.id: (*([one.problem] if one.problem else []), *one.warnings) for one in facts}
    items = [
        Item(
            id=one.id,
            character=one.id,
            split="",
            frames=1,
            sides={TARGET: Side(TARGET, (GT,), facts={"format": one.format, "faces": one.faces})},
            yaws=(0.0,),
            warnings=warnings[one.id],
            numbers={"triangles": one.triangles, "vertices": one.vertices},
        )
        for one in facts
        if one.id in pictures
    ]
    lost = [
        Lost(one.id, one.id, "read", None, "; ".join(warnings[one.id]) or "nothing can be drawn of it")
        for one in facts
        if one.id not in pictures
    ]
    warned = sum(map(bool, warnings.values()))
    return Gallery(
        kind="source",
        where=name,
        title=name,
        lead=f"View 0 of {plural(len(facts), 'character')}, {warned} with warnings or problems.",
        moving=False,
        items=tuple(items),
        lost=tuple(lost),
        measures=(),
        reader=SourceReader(pictures),
    )
