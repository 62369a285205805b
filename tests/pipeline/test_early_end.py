"""A build that was told how many failures to put up with ends as soon as more have failed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.pipeline.test_build import build, specsia
from tests.shapes import write_folder


def with_broken(folder: Path, broken: int, sound: int = 3) -> Path:
    """A folder of figures, and of files before them that are none."""
    write_folder(folder, sound)
    for number in range(broken):
        (folder / f"-broken{number:02d}.glb").write_bytes(b"glTF and nothing more")
    return folder


def test_it_ends_early_with_what_most_have_in_common_and_goes_on(tmp_path: Path) -> None:
    source, out = with_broken(tmp_path / "figures", 12), tmp_path / "out"
    found = build(source, out, "--workers", "1", "--max-failures", "2", code=1)
    assert 3 <= found["failed"] <= 4
    assert [stage["made"] for stage in found["stages"]] == [3, 3, 3]
    assert f"{found['failed']} of 15 characters failed, 2 may" in found["stopped"]
    assert "all of them fail in render alike" in found["stopped"]
    assert "raise --max-failures" in found["stopped"]
    assert len((out / "failures.jsonl").read_text().splitlines()) == found["failed"]
    again = build(source, out, "--max-failures", "80%")
    assert (again["failed"], again["rows"]) == (12, 12)


def test_all_are_tried_where_nothing_was_told(tmp_path: Path) -> None:
    source, out = with_broken(tmp_path / "figures", 4), tmp_path / "out"
    found = build(source, out, "--workers", "1", code=1)
    assert (found["failed"], found["allowed_failures"]) == (4, 1)
    assert {stage["stage"]: stage["made"] for stage in found["stages"]} == {"render": 3, "reconstruct": 3, "project": 3}
    assert "go on without them with --max-failures 4" in found["stopped"]
    assert json.loads((out / "failures.jsonl").read_text().splitlines()[0])["stage"] == "render"
    assert "4 of 7 characters failed" in specsia("build", "--out", out, code=1)["error"]


@pytest.mark.usefixtures("no_workers")
def test_it_ends_where_the_server_of_its_backend_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specsia_build.backends.http.TRIES", 1)
    source, out = write_folder(tmp_path / "figures", 5), tmp_path / "out"
    told = build(source, out, "--backend", "http://127.0.0.1:9/away", code=1)["error"]
    assert "for 3 pictures in a row: see that the server runs, and give the same command again" in told
    assert len((out / "failures.jsonl").read_text().splitlines()) == 2


@pytest.mark.usefixtures("no_workers")
def test_other_backends_are_finished_where_the_server_of_one_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("specsia_build.backends.http.TRIES", 1)
    source, out = write_folder(tmp_path / "figures", 5), tmp_path / "out"
    # A backend counts in a process what it asks in vain, and that of the test before is another one's.
    told = build(source, out, "--backend", "http://127.0.0.1:9/gone", "--backend", "inflate", code=1)["error"]
    assert "for 3 pictures in a row: see that the server runs, and give the same command again" in told
    assert len(list((out / "artefacts" / "project" / "inflate").rglob("*.tar"))) == 5
    assert not (out / "dataset").exists()
    assert {json.loads(line)["backend"] for line in (out / "failures.jsonl").read_text().splitlines()} == {"http"}
