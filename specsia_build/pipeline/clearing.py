"""Forgetting an earlier build: what it wrote and can be named is removed, everything else stays."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import PurePosixPath

from specsia_build.config import in_shard
from specsia_build.dataset import exchange, splits
from specsia_build.errors import SpecsiaError
from specsia_build.ownership import bears, listed_below, remove_empty
from specsia_build.pipeline.layout import REPORT_MARK, WHY, RunLayout
from specsia_build.pipeline.objects import Place, Remote
from specsia_build.pipeline.pages import pictures_of, sweep
from specsia_build.pipeline.store import read_meta
from specsia_build.stages.registry import character_stages
from specsia_build.stages.stage import character_of

_VIEW = re.compile(r"(.+)_\d{2,3}\.png")


def _is_own(name: PurePosixPath, place: Place, ids: Collection[str]) -> bool:
    """Whether a file of a run is one that builds write; `name` is relative to the run, `place` where it lies."""
    kind, *folders, last = name.parts
    if kind == "logs" and (name == PurePosixPath("logs/tasks.jsonl") or folders == ["workers"]):
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
    return of in ids or (read_meta(place) or {}).get("stage") == stage.name


def _character(name: PurePosixPath) -> str:
    """Id of the character whose artefact has a name, if it is one."""
    per_clip = any(stage.name == name.parts[0] and stage.per_clip for stage in character_stages())
    return character_of(name.stem) if per_clip else name.stem


def forget_shown(layout: RunLayout, stage: str, backend: str | None, key: str) -> None:
    """Remove what there is to look at of a character or clip that failed or was quarantined, as it is tried again."""
    layout.details(stage, backend, key).unlink(missing_ok=True)
    folder = layout.pictures(stage, backend, key)
    for path in sorted(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else ():
        if _is_own(PurePosixPath(path.relative_to(layout.root)), path, {key}):
            path.unlink()
    remove_empty(folder)


def forget(layout: RunLayout, shard: str | None = None) -> list[str]:
    """Remove what an earlier build left in the folder, but for its settings and procedural characters.

    `shard` is the share that the build is about: of artefacts behind a URL, others' stay.

    Returns:
        What was found beside it and stays, by name relative to the run.
    """
    try:
        ids = set(splits.from_json(layout.splits))
    except (SpecsiaError, OSError):
        ids = set()
    foreign = []
    for folder in (layout.root / "artefacts", layout.root / "logs", layout.root / "quarantine"):
        for below in listed_below(folder):
            name = PurePosixPath(folder.name, below)
            path = layout.root / name
            if path.is_dir() and not path.is_symlink():
                continue
            if _is_own(name, path, ids):
                path.unlink()
            else:
                foreign.append(str(name))
        remove_empty(folder)
    if isinstance(layout.artefacts, Remote):
        foreign += _forget_remote(layout.artefacts, ids, shard)
    foreign += [f"{layout.dataset.name}/{name}" for name in exchange.remove(layout.dataset)]
    if bears(layout.report, REPORT_MARK):
        layout.report.unlink()
        sweep(pictures_of(layout.report))
    for path in (layout.failures, layout.splits):
        path.unlink(missing_ok=True)
    return foreign


def _forget_remote(artefacts: Remote, ids: Collection[str], shard: str | None) -> list[str]:
    """Remove the artefacts behind a URL, of a shard only its own, as others may lie there; returns what else does."""
    own, foreign = list[str](), list[str]()
    for name, _ in artefacts.below():
        if shard is not None and not in_shard(_character(PurePosixPath(name)), shard):
            continue
        mine = _is_own(PurePosixPath("artefacts", name), artefacts / name, ids)
        (own if mine else foreign).append(name)
    artefacts.remove_below(own)
    return [str(artefacts / name) for name in foreign]
