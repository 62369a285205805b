"""Procedural characters are made by the workers that read them, and never because they are planned."""

from __future__ import annotations

import shutil
from pathlib import Path
from unittest.mock import patch

import pytest

from specsia_build.characters.samples import VERSION
from specsia_build.pipeline.layout import layout_of
from tests.pipeline.test_build import build, made, specsia

pytestmark = pytest.mark.usefixtures("no_workers")

SMALL = ("--stage", "render", "--limit", "1", "--size", "64", "--views", "1")


def test_samples_are_made_where_they_are_read_and_needed_no_more_once_they_are_rendered(tmp_path: Path) -> None:
    out = tmp_path / "run"
    samples = layout_of(out).source / "sample-42"
    build("sample:1000", out, *SMALL)
    assert [path.name for path in samples.iterdir()] == ["0"]
    shutil.rmtree(samples)
    (out / "state" / "index.sqlite").unlink()
    assert made(build("sample:1000", out, *SMALL)) == {"render": (0, 1)}
    assert not samples.exists()
    assert made(build("sample:1000", out, *SMALL, "--look", "lit")) == {"render": (1, 0)}
    assert [path.name for path in samples.iterdir()] == ["0"]


def test_a_new_generator_makes_samples_anew_and_another_seed_is_another_source(tmp_path: Path) -> None:
    out = tmp_path / "run"
    build("sample:1", out, *SMALL)
    with patch("specsia_build.characters.sources.VERSION", VERSION + 1):
        found = specsia("status", out, "--json")
    assert [stage["stale"] for stage in found["stages"] if stage["stage"] == "render"] == [1]
    refused = build("sample:1@7", out, *SMALL, code=2)
    assert "another source" in refused["error"]
