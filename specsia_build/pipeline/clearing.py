"""Forgetting an earlier build: files that bear the names of a run's are removed, everything else stays."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from specsia_build.dataset import exchange
from specsia_build.files.names import is_temporary
from specsia_build.files.writing import writing
from specsia_build.ownership import bears, listed_below, remove_empty
from specsia_build.pipeline.layout import REPORT_MARK, WHY, RunLayout
from specsia_build.stages.registry import character_stages

PICTURES_MARK = "specsia-report.txt"
"""In every folder of a page's pictures."""

_PICTURE = re.compile(r"[0-9a-f]{32}\.(webp|png)")

_ARTEFACT = r"artefacts/({stages})/[0-9a-f]{{2}}/[^/]+\.tar"

_LOOK = rf"quarantine/({{stages}})/[^/]+/({re.escape(WHY)}|[a-z_]+_\d{{{{2,3}}}}\.png)"

_LOG = r"logs/(({stages})/[^/]+\.txt|(workers/)?[^/]+\.(jsonl|log))"


def _remove(layout: RunLayout, folder: Path, pattern: str) -> tuple[list[str], int]:
    """Remove files below a folder of a run by their names; returns the names of others, and the bytes removed."""
    stages = "|".join(stage.name + ("/[^/]+" if stage.per_backend else "") for stage in character_stages())
    names = re.compile(pattern.format(stages=stages))
    others, freed = [], 0
    for below in listed_below(folder):
        path = folder / below
        name = path.relative_to(layout.root).as_posix()
        if names.fullmatch(name) and path.is_file() and not path.is_symlink():
            freed += path.stat().st_size
            path.unlink()
        elif path.is_symlink() or not path.is_dir():
            others.append(name)
    remove_empty(folder)
    return others, freed


def forget_shown(layout: RunLayout, stage: str, backend: str | None, key: str) -> None:
    """Remove the log and the pictures of a character or clip that failed, as it is tried again."""
    layout.details(stage, backend, key).unlink(missing_ok=True)
    folder = layout.pictures(stage, backend, key)
    if folder.is_dir() and not folder.is_symlink():
        _remove(layout, folder, _LOOK)


def forget(layout: RunLayout) -> list[str]:
    """Remove what an earlier build left in the folder, but for its settings and procedural characters.

    Returns:
        Names relative to the run of what was found beside it and stays.
    """
    folders = {layout.artefacts: _ARTEFACT, layout.root / "logs": _LOG, layout.root / "quarantine": _LOOK}
    foreign = [name for folder, names in folders.items() for name in _remove(layout, folder, names)[0]]
    foreign += [f"{layout.dataset.name}/{name}" for name in exchange.remove(layout.dataset)]
    if bears(layout.report, REPORT_MARK):
        layout.report.unlink()
        sweep_pictures(pictures_of(layout.report))
    for path in (layout.failures, layout.splits):
        path.unlink(missing_ok=True)
    return foreign


def remove_artefacts(layout: RunLayout) -> int:
    """Remove all artefacts, as `--keep none` asks; returns the bytes that are free now."""
    return _remove(layout, layout.artefacts, _ARTEFACT)[1]


def pictures_of(page: Path) -> Path:
    """Folder of the pictures of a page that would be too large with them."""
    return page.with_name(f"{page.stem}_files")


def sweep_pictures(folder: Path, kept: Collection[str] = ()) -> None:
    """Remove the pictures that a page no longer shows, and the folder where it shows none and nothing else is in it.

    A folder without our mark, and files of other names, stay as they are.

    Raises:
        WriteError: if something cannot be removed.
    """
    if not (folder / PICTURES_MARK).is_file():
        return
    with writing(folder):
        for path in sorted(folder.iterdir()):
            ours = _PICTURE.fullmatch(path.name) or is_temporary(path.name)
            if ours and path.name not in kept and (path.is_file() or path.is_symlink()):
                path.unlink()
        if not kept:
            (folder / PICTURES_MARK).unlink()
            remove_empty(folder)
