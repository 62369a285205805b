"""The pages about a run of clips and about a packed dataset of clips."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from specsia_build.cli.main import main
from specsia_build.config import BuildConfig, read_settings, with_settings, write_settings
from specsia_build.pipeline.failures import Failure, write_failures
from specsia_build.pipeline.layout import RunLayout, layout_of
from specsia_build.pipeline.mark import told_before
from specsia_build.pipeline.settings import existing_run
from specsia_build.report.playing import MOST_FRAMES, shown_frames
from tests.clips import FPS, SIZE

_PICTURE = re.compile(r'<img src="data:image/webp;base64,([^"]+)" alt="([^"]+), playing"')


def page_of(where: Path, out: Path) -> str:
    done = CliRunner().invoke(main, ["report", str(where), "--out", str(out)])
    assert done.exit_code == 0, done.output
    return out.read_text(encoding="utf-8")


def playing(page: str) -> dict[str, Any]:
    """The clips that a page plays, by their names."""
    return {name: Image.open(io.BytesIO(base64.b64decode(data))) for data, name in _PICTURE.findall(page)}


@pytest.fixture
def run(clips_run: RunLayout, tmp_path: Path) -> RunLayout:
    return layout_of(shutil.copytree(clips_run.root, tmp_path / "run"))


@pytest.mark.parametrize("of_run", [True, False], ids=["run", "dataset"])
def test_clips_play_z_beside_the_target(clips_run: RunLayout, tmp_path: Path, of_run: bool) -> None:
    page = page_of(clips_run.root if of_run else clips_run.dataset, tmp_path / "page.html")
    clips = playing(page)
    assert len(clips) == 15
    shown = clips["a-sway-00"]
    assert (shown.n_frames, shown.height) == (FPS, SIZE)
    assert shown.width > 2 * SIZE
    shown.load()
    assert shown.info["duration"] == 1000 / FPS
    assert "10 views" not in page
    assert "84 frames" in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)


def test_the_page_of_a_run_counts_clips_and_times_their_stages(clips_run: RunLayout, tmp_path: Path) -> None:
    page = page_of(clips_run.root, tmp_path / "page.html")
    assert "15 clips of 3 characters, 84 frames of 64×64 px at 4 frames a second, moved by inflate." in page
    stages = page[page.index('id="times"') :]
    names = ("motions", "draw", "carry inflate", "move inflate", "pack")
    assert all(re.search(rf"<tr><td>{name}</td>", stages) for name in names)
    assert "not exactly what is made now" not in page
    assert "To go on" not in page


def test_a_run_of_frames_alone_plays_the_characters(run: RunLayout, tmp_path: Path) -> None:
    settings = read_settings(run.config)
    settings["clips"] |= {"recipes": ["frames"], "reconstructed": False}
    write_settings(with_settings(BuildConfig(), settings, "a test"), run.config)
    page = page_of(run.root, tmp_path / "page.html")
    clips = playing(page)
    assert len(clips) == 15
    assert {clip.width for clip in clips.values()} == {SIZE}
    assert "moved" not in page
    assert 'id="quality"' not in page


def test_failures_are_told_with_their_clips_and_what_is_missing_with_them(run: RunLayout, tmp_path: Path) -> None:
    artefacts = sorted(run.artefacts.rglob("a-sway-01.tar"))
    assert len(artefacts) == 2
    for path in artefacts:
        path.unlink()
    page = page_of(run.root, tmp_path / "page.html")
    assert "1 clip not drawn" in page
    assert "specsia clips --out" in page
    assert "not exactly what is made now" in page
    failed = Failure("a", "draw", None, "'sway' takes vertices to places that are no numbers", clip="a-sway-01")
    write_failures(run.failures, [failed])
    page = page_of(run.root, tmp_path / "page.html")
    assert "<td>a-sway-01</td><td>draw</td>" in page
    assert "1 clip not drawn" not in page


def test_pictures_that_cannot_be_read_are_told(run: RunLayout, tmp_path: Path) -> None:
    (path,) = [path for path in run.artefacts.rglob("a-sway-01.tar") if "move" in path.parts]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    page = page_of(run.root, tmp_path / "page.html")
    assert "its pictures cannot be read" in page or "Damaged" in page


def test_a_long_clip_is_thinned_out_evenly() -> None:
    for count in (1, 2, MOST_FRAMES, MOST_FRAMES + 1, 1000):
        found = shown_frames(count)
        assert len(found) <= MOST_FRAMES
        assert found[0] == 0
    assert shown_frames(48).step == 2


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
