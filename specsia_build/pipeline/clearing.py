"""Forgetting an earlier build: what it wrote and can be named is removed, everything else stays."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from specsia_build.dataset import exchange, splits
from specsia_build.errors import SpecsiaError
from specsia_build.ownership import bears, listed_below, remove_empty
from specsia_build.pipeline.layout import REPORT_MARK, WHY, RunLayout
from specsia_build.pipeline.pages import pictures_of, sweep
from specsia_build.pipeline.store import read_meta
from specsia_build.stages.registry import character_stages
from specsia_build.stages.stage import character_of

_VIEW = re.compile(r"(.+)_\d{2,3}\.png")


def _is_own(name: PurePosixPath, root: Path, ids: Collection[str]) -> bool:
    """Whether a file of a run is one that builds write of characters of some ids; `name` is relative to the run."""
    kind, *folders, last = name.parts
    if kind == "logs" and (folders == ["workers"] or not folders):
        return name.suffix in (".jsonl", ".log")
    stage = next((stage for stage in character_stages() if folders[:1] == [stage.name]), None)
    if stage is None:
        return False
    depth, of = 1 + stage.per_backend, character_of(name.stem) if stage.per_clip else name.stem
    if kind == "quarantine":
        picture = _VIEW.fullmatch(last)
        expected = last == WHY or (picture is not None and picture[1] in stage.pictures)
        return expected and len(folders) == depth + 1 and folders[depth] in ids
    if kind == "logs":
        return len(folders) == depth and name.suffix == ".txt" and of in ids
    if len(folders) != depth + 1 or name.suffix != ".tar":
        return False
    # A damaged one is known by its character, one of a character that the source lost by its content.
    return of in ids or (read_meta(root / name) or {}).get("stage") == stage.name


def _ids(layout: RunLayout) -> set[str]:
    try:
        return set(splits.from_json(layout.splits))
    except (SpecsiaError, OSError):
        return set()


def forget_shown(layout: RunLayout, stage: str, backend: str | None, key: str) -> None:
    """Remove the log and the pictures of a character or clip that failed, as it is tried again."""
    layout.details(stage, backend, key).unlink(missing_ok=True)
    folder = layout.pictures(stage, backend, key)
    for path in sorted(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else ():
        if _is_own(PurePosixPath(path.relative_to(layout.root)), layout.root, {key}):
            path.unlink()
    remove_empty(folder)


def forget(layout: RunLayout) -> list[str]:
    """Remove what an earlier build left in the folder, but for its settings and procedural characters.

    Returns:
        Names relative to the run of what was found beside it and stays.
    """
    foreign, ids = [], _ids(layout)
    for folder in (layout.artefacts, layout.root / "logs", layout.root / "quarantine"):
        for below in listed_below(folder):
            name = PurePosixPath(folder.name, below)
            path = layout.root / name
            if path.is_dir() and not path.is_symlink():
                continue
            if _is_own(name, layout.root, ids):
                path.unlink()
            else:
                foreign.append(str(name))
        remove_empty(folder)
    foreign += [f"{layout.dataset.name}/{name}" for name in exchange.remove(layout.dataset)]
    if bears(layout.report, REPORT_MARK):
        layout.report.unlink()
        sweep(pictures_of(layout.report))
    for path in (layout.failures, layout.splits):
        path.unlink(missing_ok=True)
    return foreign


def remove_artefacts(layout: RunLayout) -> int:
    """Remove all artefacts, as `--keep none` asks; returns the bytes that are free now."""
    freed, ids = 0, _ids(layout)
    for below in listed_below(layout.artefacts):
        path: Path = layout.artefacts / below
        name = PurePosixPath(layout.artefacts.name, below)
        if path.is_file() and not path.is_symlink() and _is_own(name, layout.root, ids):
            freed += path.stat().st_size
            path.unlink()
    remove_empty(layout.artefacts)
    return freed
