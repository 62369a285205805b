"""A build that was told how many failures to put up with ends as soon as more have failed."""

from __future__ import annotations

from pathlib import Path

from tests.pipeline.test_build import build
from tests.shapes import write_folder


def with_broken(folder: Path, broken: int, sound: int = 3) -> Path:
    """A folder of figures, and of files before them that are none."""
    write_folder(folder, sound)
    for number in range(broken):
        (folder / f"-broken{number:02d}.glb").write_bytes(b"glTF and nothing more")
    return folder


def test_it_ends_early_and_goes_on(tmp_path: Path) -> None:
    source, out = with_broken(tmp_path / "figures", 12), tmp_path / "out"
    found = build(source, out, "--workers", "1", "--max-failures", "2", code=1)
    assert 3 <= found["failed"] <= 4
    assert [stage["made"] for stage in found["stages"]] == [3, 3, 3]
    assert f"{found['failed']} of 15 characters failed, 2 may" in found["stopped"]
    assert "raise --max-failures" in found["stopped"]
    assert len((out / "failures.jsonl").read_text().splitlines()) == found["failed"]
    again = build(source, out, "--max-failures", "80%")
    assert (again["failed"], again["rows"]) == (12, 12)
