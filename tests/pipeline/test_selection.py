"""Splits of a source: those of the published settings, and characters that are in several."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from specsia_build.characters.character import Entry
from specsia_build.config import BuildConfig, read_settings, with_settings
from specsia_build.dataset import schema
from specsia_build.frame import view_yaws
from specsia_build.pipeline.run import RunLayout
from specsia_build.pipeline.selection import _split

pytestmark = pytest.mark.usefixtures("no_workers")

MANIFEST = Path(__file__).resolve().parents[2] / "manifests" / "specsia-15k.yaml"


def entries(*ids: str) -> list[Entry]:
    return [Entry(i, "glb", Path(f"{i}.glb")) for i in ids]


def test_the_published_settings_draw_the_published_splits(tmp_path: Path) -> None:
    settings = {k: v for k, v in read_settings(MANIFEST).items() if k != "out"}
    config = with_settings(BuildConfig(), settings, "the manifest")
    assert (config.views, config.size, config.seed) == (10, 512, 42)
    ids = [str(i) for i in range(1500) if i not in (77, 1203)]
    found, _ = _split(RunLayout(tmp_path), entries(*sorted(ids)), {})
    assert Counter(found.values()) == {"train": 1298, "validation": 100, "test": 100}
    assert view_yaws(config.views) == tuple(36.0 * k for k in range(10))
    assert set(schema.PUBLISHED_COLUMNS) <= set(schema.COLUMNS)
