"""Options of a build: settings by name, procedural characters, `--keep none`, and URLs as `--out`."""

import json
import shutil
from pathlib import Path

import fsspec
import pytest

from specsia_build.pipeline.run import effective, named_settings, paths_of
from tests import commands
from tests.clips import write_figures
from tests.pipeline.test_build import build, made, specsia
from tests.shapes import lines_of, write_folder

pytestmark = pytest.mark.usefixtures("no_workers")

SMALL = ("--stage", "render", "--limit", "1", "--size", "64", "--views", "1")


def test_settings_file_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("specsia-15k").write_text("size: 96\n")
    assert effective(None, None, named_settings("specsia-15k"), {}, fresh=True)[0].size == 96
    for name in ("no-such", "backends/crm", "../manifests/sample"):
        assert "sample, specsia-15k" in specsia("build", "--config", name, code=2)["error"]


def test_samples_are_temporary(tmp_path: Path) -> None:
    out = tmp_path / "run"
    samples = paths_of(out).source / "sample-42"
    build("sample:1000", out, *SMALL)
    assert [path.name for path in samples.iterdir()] == ["0"]
    shutil.rmtree(samples)
    (out / "state" / "index.sqlite").unlink()
    assert made(build("sample:1000", out, *SMALL)) == {"render": (0, 1)}
    assert not samples.exists()
    assert made(build("sample:1000", out, *SMALL, "--look", "lit")) == {"render": (1, 0)}
    build("sample:1", out, "--size", "64", "--views", "1", "--keep", "none")
    assert not list(paths_of(out).source.rglob("*.obj"))


def test_clips_are_kept_for_layouts(tmp_path: Path) -> None:
    out, figures = tmp_path / "clips", write_figures(tmp_path / "figures", 1)
    asked = ("--layout", "frames", "--size", "64", "--views", "1", "--frames", "2")
    specsia("clips", figures, "--out", out, *asked, "--keep", "none")
    assert not list((out / "artefacts").rglob("*.tar"))
    before = {path: path.read_bytes() for path in (out / "frames").rglob("*.png")}
    next(iter(before)).unlink()
    specsia("clips", figures, "--out", out, *asked)
    assert {path: path.read_bytes() for path in before} == before


TWO = ("--size", "64", "--views", "2", "--workers", "1", "--limit", "2", "--json")


def test_url_output_and_rerun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_folder(tmp_path / "figures", 3)
    monkeypatch.chdir(tmp_path)
    url = "memory://bucket/run"
    try:
        ran = commands.specsia("build", source, "--out", url, *TWO)
        work = paths_of(url).root
        assert f"the work is kept in {work}" in ran.stderr
        assert json.loads(ran.stdout)["dataset"] == f"{url}/dataset"
        store = fsspec.filesystem("memory")
        for path in (p for p in (work / "dataset").rglob("*") if p.is_file()):
            there = f"/bucket/run/dataset/{path.relative_to(work / 'dataset')}"
            assert store.cat_file(there) == path.read_bytes()
        assert "upload: 0 files sent" in commands.specsia("build", "--out", url, *TWO).stderr
        assert [line["stage"] for line in lines_of(work / "logs" / "tasks.jsonl")].count("pack") == 1
        # The third character is missing.
        assert "not as a build would" in commands.specsia("status", url).stdout
        commands.specsia("report", url)
        page = (work / "report.html").read_text()
        assert "left out by --limit" in page
        assert "not rendered" not in page
        assert f'"go_on":"specsia build --out {url}"' in page
    finally:
        fsspec.filesystem("memory").store.clear()
