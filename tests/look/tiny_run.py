"""Runs that build in seconds: figures of boxes from a manifest, at a few small views."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from specsia_build.cli.runs import STAGE_NAMES
from specsia_build.config import BuildConfig
from specsia_build.pipeline.build import build
from specsia_build.pipeline.run import RunPaths
from tests.clips import at_once
from tests.shapes import write_figure

STRANGE_ID = "Ünï-魔女"
STRANGE_LICENCE = '<b onclick="x">CC0 & more</b>'
IDS = ("0", "1", "2", STRANGE_ID)


def write_manifest(folder: Path, ids: tuple[str, ...] = IDS, broken: tuple[str, ...] = ("bröken",)) -> Path:
    """Write a manifest of figures, and of files that are no characters."""
    lines = []
    for number, character_id in enumerate(ids):
        write_figure(folder / f"{number}.obj", 1 + 0.05 * number, 0.1 * number)
        lines.append({"id": character_id, "path": f"{number}.obj", "license": STRANGE_LICENCE})
    for number, character_id in enumerate(broken):
        (folder / f"broken{number}.glb").write_bytes(b"glTF and nothing more")
        lines.append({"id": character_id, "path": f"broken{number}.glb"})
    path = folder / "characters.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def tiny_run(top: Path, stages: Sequence[str] = STAGE_NAMES, **settings: Any) -> tuple[BuildConfig, RunPaths]:
    """A run of `IDS` and one broken file below a folder that is there."""
    stated = {"views": 4, "size": 64, "workers": 1, "max_failures": "100%", **settings}
    config, paths = BuildConfig(source=str(write_manifest(top)), **stated), RunPaths(top / "run")
    with patch("specsia_build.pipeline.build.open_executor", at_once):
        build(config, paths, stages, False)
    return config, paths
