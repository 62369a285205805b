"""`push` of a recipe's folder against a local Hub."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from specsia_build.cli.main import main
from specsia_build.recipes import verify as publish
from tests.hub_server import HubServer, logged_in
from tests.recipes.test_verify import change_parts

REPO = "tester/frames"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with logged_in(tmp_path, monkeypatch) as running:
        yield running


@pytest.fixture
def folder(frames_run: Path, tmp_path: Path) -> Path:
    """With what the run knows of it, and a file of somebody's."""
    shutil.copytree(frames_run / "frames", tmp_path / "frames")
    (tmp_path / "frames/notes.txt").write_text("mine")
    return tmp_path / "frames"


def push(folder: Path, *more: str) -> Result:
    done = CliRunner().invoke(main, ["push", str(folder), "--repo", REPO, *more])
    assert "Traceback" not in done.output
    return done


def test_what_is_listed_arrives_once_and_nothing_else(server: HubServer, folder: Path) -> None:
    done = push(folder)
    assert done.exit_code == 0, done.output
    listed = [line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()]
    remote = server.store.repo(REPO).files("main")
    assert remote.keys() - {".gitattributes"} == {*listed, "SHA256SUMS"}
    received = server.received
    again = push(folder)
    assert "nothing to push" in again.stdout
    assert server.received == received


def test_a_licence_that_is_unknown_is_not_made_public(server: HubServer, folder: Path) -> None:
    assert push(folder, "--public").exit_code == 1
    text = (folder / "parts.jsonl").read_text().replace('"license":null', '"license":"CC-BY-ND-4.0"')
    (folder / "parts.jsonl").write_text(text)
    change_parts(folder, lambda part: part.update(license="MIT"))
    assert push(folder, "--public").exit_code == 1
    assert not server.store.repos


def test_more_files_than_a_hub_takes_are_refused(
    server: HubServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MOST_FILES", "MOST_ENTRIES"):
        with monkeypatch.context() as patch:
            patch.setattr(publish, name, 1)
            assert push(folder).exit_code == 1
    assert not server.store.repos
