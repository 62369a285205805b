"""Artefacts on disk."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from specsia_build.errors import SpecsiaError
from specsia_build.pipeline.store import read_artefact, read_meta, sweep, write_artefact
from specsia_build.stages.artefact import Artefact, seal, sha256


def artefact() -> Artefact:
    made = Artefact("ähnlich-7", {"gt_01.png": b"two", "gt_00.png": b"one"}, {"views": 2})
    return seal(made, "render", "mark", {"a.obj": None})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_artefact(tmp_path / "x" / "a.tar", artefact())
    found = read_artefact(tmp_path / "x" / "a.tar", "ähnlich-7")
    assert found == artefact()
    assert found.meta["files"]["gt_00.png"] == {"sha256": sha256(b"one"), "bytes": 3}
    assert read_meta(tmp_path / "x" / "a.tar") == found.meta


def test_it_is_a_webdataset_sample_with_the_same_bytes_each_time(tmp_path: Path) -> None:
    write_artefact(tmp_path / "a.tar", artefact())
    write_artefact(tmp_path / "b.tar", artefact())
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    with tarfile.open(tmp_path / "a.tar") as archive:
        assert archive.getnames() == ["ähnlich-7.meta.json", "ähnlich-7.gt_00.png", "ähnlich-7.gt_01.png"]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_cut_file_is_no_artefact(tmp_path: Path, share: float) -> None:
    path = tmp_path / "a.tar"
    write_artefact(path, artefact())
    whole = path.read_bytes()[:3500]
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(SpecsiaError, match=r"a\.tar"):
        read_artefact(path, "ähnlich-7")


def test_what_is_not_there_has_no_meta(tmp_path: Path) -> None:
    assert read_meta(tmp_path / "none.tar") is None
    (tmp_path / "junk.tar").write_bytes(b"junk" * 1000)
    assert read_meta(tmp_path / "junk.tar") is None


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    left = [
        tmp_path / "run" / ".0123456789abcdef.tmp",
        tmp_path / "run" / "artefacts" / "render" / ".fedcba9876543210.tmp",
        tmp_path / "run" / "artefacts" / ".00000000000000aa.tmp" / "half.png",
    ]
    kept = [
        tmp_path / "run" / "notes.tmp",
        tmp_path / "run" / "artefacts" / "render" / "0.tar",
        tmp_path / "run" / "artefacts" / ".hidden.tmp",
        elsewhere / ".0123456789abcdef.tmp",
    ]
    for path in (*left, *kept):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (tmp_path / "run" / "artefacts" / "link").symlink_to(elsewhere)
    sweep(tmp_path / "run")
    sweep(tmp_path / "nowhere")
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in kept)
