"""The page: a gallery's document and pictures, and the sections beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from specsia_build.config import BuildConfig
from specsia_build.dataset.parallel import results
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.errors import plural
from specsia_build.gallery.dataset import gallery_of_dataset
from specsia_build.gallery.evaluation import gallery_of_evaluation
from specsia_build.gallery.items import Gallery
from specsia_build.gallery.run import look_at
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.progress import Progress
from specsia_build.report.document import document, failure_of, flags_of, item_of
from specsia_build.report.measured import sections_of_evaluation
from specsia_build.report.sections import Sections, sections_of_dataset, sections_of_run
from specsia_build.report.shell import shell
from specsia_build.report.strips import Made, make, tile_of, wanted_of
from specsia_build.report.writing import Pictures, refuse_other_file

AT_ONCE = 8
"""Items that a worker makes before it answers."""

PROCESSORS = os.cpu_count() or 1

MOST_TRIED = 20_000
"""Items that a page was made for and opened with."""

WORTH = 2000
"""Pictures that are worth a process of their own: about two seconds, in which one begins."""

Names = Mapping[str, Mapping[str, str]]
"""Of pictures, by side and layer."""


@dataclass(frozen=True)
class Page:
    """A page that was written.

    Attributes:
        gallery: that it shows.
        unreadable: ids of items with pictures that cannot be read.
        pictures: the folder that they are in; None where the page holds them itself.
    """

    gallery: Gallery
    unreadable: tuple[str, ...]
    pictures: Path | None


def write_report(config: BuildConfig, layout: RunLayout, path: Path, progress: Progress) -> Page:
    """Write the page about a run.

    Args:
        config: of the run.
        layout: of the run.
        path: of the page.
        progress: where a bar goes.

    Raises:
        UsageError: if something else is in the page's place.
        SpecsiaError: if the run's records cannot be read, or the page cannot be written.
    """
    refuse_other_file(path)
    found = look_at(config, layout)
    return write_page(found.gallery, sections_of_run(found.facts, found.gallery), path, progress)


def write_dataset_report(dataset: OpenedDataset, path: Path, progress: Progress) -> Page:
    """Write the page about a packed dataset; pictures are read a few rows at a time.

    Raises:
        UsageError: if something else is in the page's place.
        SpecsiaError: if a shard cannot be read, or the page cannot be written.
    """
    refuse_other_file(path)
    gallery = gallery_of_dataset(dataset)
    return write_page(gallery, sections_of_dataset(dataset, gallery), path, progress)


def write_evaluation_report(where: str, path: Path, progress: Progress) -> Page:
    """Write the page about an evaluation's folder, with its tables.

    Raises:
        UsageError: if something else is in the page's place, or an earlier version wrote the folder.
        SpecsiaError: if it cannot be read, or the page cannot be written.
    """
    refuse_other_file(path)
    return write_page(gallery_of_evaluation(where), sections_of_evaluation(Path(where)), path, progress)


def write_page(gallery: Gallery, sections: Sections, path: Path, progress: Progress) -> Page:
    """Write the page about a gallery: one file, or pictures in a folder beside it where they are many.

    Args:
        gallery: to show; what cannot be read of it is told on the page.
        sections: of words and numbers besides.
        path: of the page.
        progress: where a bar goes.

    Raises:
        UsageError: if something else is in the place of the page or its folder.
        WriteError: if it cannot be written.
    """
    refuse_other_file(path)
    if len(gallery.items) > MOST_TRIED:
        every = plural(len(gallery.items), gallery.noun)
        progress.say(
            f"note: the page names all of {every}, and was tried with {MOST_TRIED:,} at most: where a browser "
            "does not open it, report on shards of the source"
        )
    pictures, tile, flags = Pictures(path), tile_of(gallery), flags_of(gallery)
    shown: list[tuple[Made, Names]] = []
    with progress.bar("report", len(gallery.items) + len(gallery.lost)) as advance:
        for made in _made(gallery, tile):
            names = {side: {k: pictures.add(strip) for k, strip in of.items()} for side, of in made.strips.items()}
            shown.append((replace(made, strips={}), names))
            advance(1)

    def render() -> str:
        items, failures = [], []
        for item, (made, names) in zip(gallery.items, shown, strict=False):
            told = (*flags.get(item.id, ()), *(["unreadable"] if made.problems else []))
            items.append(item_of(item, pictures.sources(names), made, told))
        for lost, (_, names) in zip(gallery.lost, shown[len(gallery.items) :], strict=True):
            failures.append(failure_of(lost, pictures.sources(names)))
        return shell(document(gallery, tile, items, failures, sections))

    pictures.publish(render)
    unreadable = tuple(made.key for made, _ in shown if made.problems)
    return Page(gallery, unreadable, pictures.folder)


def _made(gallery: Gallery, tile: int) -> Iterator[Made]:
    """Strips of all items, and of those lost, in their order, from as many processes as help."""
    every = wanted_of(gallery)
    parts = [every[k : k + AT_ONCE] for k in range(0, len(every), AT_ONCE)]
    calls = ((make, (gallery.reader.only([one.key for one in part]), tuple(part), tile)) for part in parts)
    pictures = sum(len(one.frames) * len(layers) for one in every for layers in one.sides.values())
    for found in results(calls, min(PROCESSORS, pictures // WORTH)):
        yield from found
