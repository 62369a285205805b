"""Procedural characters are made by the workers that read them, and never because they are planned."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from specsia_build.pipeline.layout import layout_of
from tests.pipeline.test_build import build, made

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
