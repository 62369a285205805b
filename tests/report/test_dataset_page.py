"""The page about a packed dataset without its run."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from specsia_build.cli import main
from specsia_build.dataset.convert.write import to_published
from specsia_build.dataset.reading import open_dataset
from tests.dataset.small import VIEWS, build_small


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("page") / "dataset", ("0", "1", "2"))


def page_of(dataset: Path | str, out: Path) -> tuple[Result, str]:
    result = CliRunner().invoke(main, ["report", str(dataset), "--out", str(out)])
    assert "Traceback" not in result.output
    return result, out.read_text(encoding="utf-8") if out.is_file() else ""


def test_it_shows_every_character_and_its_quality(dataset: Path, tmp_path: Path) -> None:
    result, page = page_of(dataset, tmp_path / "page.html")
    assert result.exit_code == 0, result.output
    assert page.count("<article") == 3
    assert page.count("<img") == 3 * VIEWS * 5
    for found in ("the schema of specsia", "CC0-1.0", open_dataset(dataset).digest(), "<h3>validation</h3>", "<svg"):
        assert found in page


def test_the_published_schema_is_shown_without_what_it_lacks(dataset: Path, tmp_path: Path) -> None:
    to_published(open_dataset(dataset), tmp_path / "published")
    result, page = page_of(tmp_path / "published", tmp_path / "page.html")
    assert result.exit_code == 0, result.output
    assert page.count("<img") == 3 * VIEWS * 5
    assert "the published schema" in page
    assert "<svg" not in page


def test_it_is_written_here_unless_told(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(main, ["report", str(dataset)]).output == "the report is in report.html\n"
    assert (tmp_path / "report.html").is_file()


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    result, _ = page_of("memory://nowhere", tmp_path / "page.html")
    assert (result.exit_code, result.stderr) == (2, "specsia: there is no folder memory://nowhere\n")
