"""`specsia report` and `specsia verify`: what they print, and their exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from specsia_build.cli.main import main
from tests.look.tiny_run import tiny_run


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    return tiny_run(tmp_path_factory.mktemp("cli"))[1].root


@pytest.fixture
def damaged(built: Path, tmp_path: Path) -> Path:
    """A dataset one of whose files has changed since it was packed."""
    folder = tmp_path / "dataset"
    shutil.copytree(built / "dataset", folder)
    card = folder / "README.md"
    card.write_text(card.read_text(encoding="utf-8") + "\none more line\n", encoding="utf-8")
    return folder


def specsia(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("where", ["run", "dataset"])
def test_report_replaces_its_own_page_and_nothing_else(built: Path, tmp_path: Path, where: str) -> None:
    page, about = tmp_path / "page.html", built if where == "run" else built / "dataset"
    for _ in range(2):
        assert specsia("report", about, "--out", page).exit_code == 0
    page.write_text("my own page")
    ran = specsia("report", about, "--out", page)
    assert ran.exit_code == 2
    assert ran.stderr == f"specsia: {page} is there already and is no report of specsia: name another file\n"
    assert page.read_text() == "my own page"


def test_report_that_cannot_be_written(built: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for where, out in ((tmp_path, "page.html"), (built, "file/page.html"), (built, ""), (built, "page.png")):
        result = specsia("report", where, "--out", tmp_path / out)
        assert result.exit_code == 2 and result.stderr.startswith("specsia: ")


def test_verify_names_what_has_changed(damaged: Path) -> None:
    result = specsia("verify", damaged, "--workers", 1)
    assert result.exit_code == 1
    assert "README.md" in result.stdout
    failed = json.loads(specsia("verify", damaged, "--workers", 1, "--json").stdout)
    assert failed["ok"] is False
    assert {problem["where"] for problem in failed["problems"]} == {"README.md"}


def test_verify_of_no_dataset_is_one_sentence(built: Path, tmp_path: Path) -> None:
    missing = specsia("verify", tmp_path / "missing")
    assert missing.exit_code == 2
    assert missing.stderr.startswith("specsia: ")
    run = specsia("verify", built)
    assert run.exit_code == 2
    assert f"did you mean {built / 'dataset'}?" in run.stderr
