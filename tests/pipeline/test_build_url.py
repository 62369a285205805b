"""Building to a URL, and what a build leaves for its report."""

from __future__ import annotations

import json
from pathlib import Path

import fsspec
import pytest
from click.testing import CliRunner

from specsia_build.cli import main
from specsia_build.pipeline.run import layout_of
from tests.shapes import lines_of, write_folder

pytestmark = pytest.mark.usefixtures("no_workers")

SMALL = ("--size", "64", "--views", "2", "--workers", "1", "--limit", "2", "--json")


@pytest.mark.slow
def test_a_url_gets_the_dataset_and_a_rerun_sends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_folder(tmp_path / "figures", 3)
    monkeypatch.chdir(tmp_path)
    url = "memory://bucket/run"
    try:
        ran = CliRunner().invoke(main, ["build", str(source), "--out", url, *SMALL])
        assert ran.exit_code == 0, ran.output
        work = layout_of(url).root
        assert f"the work is kept in {work}" in ran.stderr
        assert json.loads(ran.stdout)["dataset"] == f"{url}/dataset"
        store = fsspec.filesystem("memory")
        for path in (p for p in (work / "dataset").rglob("*") if p.is_file()):
            assert store.cat_file(f"/bucket/run/dataset/{path.relative_to(work / 'dataset')}") == path.read_bytes()
        again = CliRunner().invoke(main, ["build", "--out", url, *SMALL])
        assert "0 files (0.0 MB) sent" in again.stderr
        assert [line["stage"] for line in lines_of(work / "logs" / "tasks.jsonl")].count("pack") == 1
        # The third character is missing.
        assert "packed, but not as a build would" in CliRunner().invoke(main, ["status", url]).stdout
        assert CliRunner().invoke(main, ["report", url]).exit_code == 0
        page = (work / "report.html").read_text()
        assert "1 character of the source left out by --limit" in page
        assert "not rendered" not in page
        assert f'"go_on":"specsia build --out {url}"' in page
    finally:
        fsspec.filesystem("memory").store.clear()
