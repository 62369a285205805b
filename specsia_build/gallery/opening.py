"""Opens whatever there is to look at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from specsia_build.dataset.places import HUB_ID
from specsia_build.dataset.reading import open_part
from specsia_build.errors import UsageError
from specsia_build.gallery.dataset import gallery_of_dataset
from specsia_build.gallery.evaluation import gallery_of_evaluation, holds_evaluation
from specsia_build.gallery.items import Gallery
from specsia_build.gallery.run import look_at
from specsia_build.pipeline.layout import RunLayout, layout_of
from specsia_build.pipeline.settings import existing_run


def is_evaluation(where: str) -> bool:
    """Whether a folder is one that `specsia evaluate` wrote."""
    return "://" not in where and holds_evaluation(Path(where))


def is_run(where: str) -> bool:
    """Whether a run is meant: its folder, or a URL that one sends its dataset to; or a folder that holds nothing else,
    which is told as a run that is missing.

    Raises:
        UsageError: if there is nothing of that name, and none can be on the Hub.
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


def open_gallery(where: str, say: Callable[[str], None] | None = None) -> Gallery:
    """Open what there is to look at.

    Args:
        where: folder of a run or an evaluation, or a packed dataset: its folder, an fsspec URL, or ``OWNER/NAME`` on
            the Hub.
        say: shows a line to the user, on what of a dataset is not here.

    Raises:
        UsageError: if there is no such folder.
        SpecsiaError: if it holds none of them, or its records cannot be read.
    """
    if is_evaluation(where):
        return gallery_of_evaluation(where)
    return look_at(*existing_run(where)).gallery if is_run(where) else gallery_of_dataset(open_part(where, say))
