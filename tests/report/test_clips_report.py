"""The pages about a run of clips and about a packed dataset of clips."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from specsia_build.cli.main import main
from specsia_build.config import read_settings, with_settings
from specsia_build.pipeline.layout import RunLayout, layout_of
from specsia_build.pipeline.mark import told_before
from specsia_build.pipeline.settings import existing_run

_PICTURE = re.compile(r'<img src="data:image/webp;base64,([^"]+)" alt="([^"]+), playing"')


@pytest.fixture
def run(clips_run: RunLayout, tmp_path: Path) -> RunLayout:
    return layout_of(shutil.copytree(clips_run.root, tmp_path / "run"))


@pytest.mark.parametrize("command", ["build", "clips"])
def test_a_folder_of_the_other_kind_is_refused(clips_run: RunLayout, tmp_path: Path, command: str) -> None:
    out = clips_run.root
    if command == "clips":
        out = tmp_path / "stills"
        out.mkdir()
        shutil.copy(clips_run.mark, out)
        text = clips_run.config.read_text(encoding="utf-8")
        (out / clips_run.config.name).write_text(text[: text.index("clips:")], encoding="utf-8")
    done = CliRunner().invoke(main, [command, "--out", str(out)])
    other = {"build": "clips", "clips": "build"}[command]
    assert done.exit_code != 0
    assert f"go on with `specsia {other}`, or name another --out" in done.output
    assert "Traceback" not in done.output


def test_status_counts_clips(clips_run: RunLayout) -> None:
    done = CliRunner().invoke(main, ["status", str(clips_run.root), "--json"])
    assert done.exit_code == 0, done.output
    counts = {(one["stage"], one["backend"]): one["done"] for one in json.loads(done.output)["stages"]}
    assert counts["motions", None] == 3
    assert counts["draw", None] == counts["move", "inflate"] == 15


def test_what_a_change_of_settings_costs_is_told_without_a_guess(clips_run: RunLayout) -> None:
    config, layout = existing_run(clips_run.root)
    changed = with_settings(config, {"size": 80}, "a test")
    lines = told_before(read_settings(layout.config), changed, layout, 3, True)
    assert "size 64 -> 80" in lines[0]
    assert lines[1:] == ["its dataset of 84 rows is replaced"]
    assert told_before(read_settings(layout.config), config, layout, 3, True) == []


def test_the_published_schema_has_no_clips(clips_run: RunLayout, tmp_path: Path) -> None:
    out = tmp_path / "published"
    done = CliRunner().invoke(main, ["convert", str(clips_run.dataset), "--to", "published", "--out", str(out)])
    assert done.exit_code != 0
    assert "holds frames of clips" in done.output
    assert not out.exists()


def test_diff_names_the_frames_that_differ(clips_run: RunLayout, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["diff", str(clips_run.dataset), str(clips_run.dataset)])
    assert done.exit_code == 0, done.output
    assert "the datasets are equal" in done.output
