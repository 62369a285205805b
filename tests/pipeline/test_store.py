"""Artefacts and records of failures on disk."""

import os
from pathlib import Path

import pytest

from specsia_build.errors import DamagedError, SpecsiaError
from specsia_build.files.digests import sha256
from specsia_build.pipeline.failures import Failure, concerning, read_failures, write_failures
from specsia_build.pipeline.store import discard, read_artefact, read_meta, sweep, write_artefact
from specsia_build.stages.stage import Artefact, seal
from specsia_build.warning import Warning, recorded


def is_intact(path: Path, key: str) -> bool:
    try:
        read_artefact(path, key)
    except DamagedError:
        return False
    return True


def artefact() -> Artefact:
    unsealed = Artefact("ähnlich-7", {"gt_01.png": b"two", "gt_00.png": b"one"}, {"views": 2})
    return seal(unsealed, "render", "mark", {"a.obj": None})


def test_round_trip(tmp_path: Path) -> None:
    write_artefact(tmp_path / "x" / "a.tar", artefact())
    stored = read_artefact(tmp_path / "x" / "a.tar", "ähnlich-7")
    assert stored == artefact()
    assert stored.meta["files"]["gt_00.png"] == {"sha256": sha256(b"one"), "bytes": 3}
    assert read_meta(tmp_path / "x" / "a.tar") == stored.meta


def test_changed_byte_is_harmless_or_detected(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    write_artefact(path, artefact())
    whole = path.read_bytes()
    told = 0
    for at in range(6 * 512):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1, 0x80)[at % 2]]) + whole[at + 1 :])
        meta = read_meta(path)
        assert meta is None or meta == artefact().meta
        if is_intact(path, "ähnlich-7"):
            assert read_artefact(path, "ähnlich-7") == artefact()
        else:
            told += 1
    assert told > 100


def test_damaged_files(tmp_path: Path) -> None:
    sound, path = artefact(), tmp_path / "a.tar"
    first, second = sound.files["gt_00.png"], sound.files["gt_01.png"]
    for files in (
        {"gt_00.png": first},
        {"gt_00.png": first, "gt_01.png": second, "gt_02.png": second},
        {"gt_00.png": second, "gt_01.png": first},
        {"gt_00.png": first, "gt_01.png": b"TWO"},
    ):
        write_artefact(path, Artefact(sound.key, files, sound.meta))
        assert not is_intact(path, sound.key)
    write_artefact(path, Artefact(sound.key, sound.files, {**sound.meta, "views": 3}))
    assert not is_intact(path, sound.key)
    assert read_meta(path) is None
    write_artefact(path, sound)
    assert is_intact(path, sound.key)
    assert not is_intact(path, "other")
    path.write_bytes(path.read_bytes()[: 5 * 512])
    assert read_meta(path) is None


def test_foreign_objects_stay(tmp_path: Path) -> None:
    (tmp_path / "folder.tar").mkdir()
    os.mkfifo(tmp_path / "pipe.tar")
    for path in (tmp_path / "folder.tar", tmp_path / "pipe.tar", tmp_path / "none.tar"):
        assert read_meta(path) is None
        assert not is_intact(path, "a")
    discard(tmp_path / "folder.tar")
    assert (tmp_path / "folder.tar").is_dir()


def test_leftovers_are_removed(tmp_path: Path) -> None:
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    hidden = (".0123456789abcdef.tmp", "artefacts/render/.fedcba9876543210.tmp")
    left = [run / name for name in (*hidden, "artefacts/.00000000000000aa.tmp/half.png")]
    kept = [run / name for name in ("notes.tmp", "artefacts/render/0.tar", "artefacts/.hidden.tmp")]
    kept.append(elsewhere / ".0123456789abcdef.tmp")
    for path in (*left, *kept):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (tmp_path / "run" / "artefacts" / "link").symlink_to(elsewhere)
    sweep(tmp_path / "run")
    sweep(tmp_path / "nowhere")
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in kept)


ODD = "it has a line\u2028separator, a next\x85line and an \u00e4"


def test_failures_are_lines_in_order(tmp_path: Path) -> None:
    path = tmp_path / "run" / "failures.jsonl"
    write_failures(path, [Failure(number, "render", None, ODD) for number in "312"])
    assert path.read_bytes().count(b"\n") == 3
    assert read_failures(path) == [Failure(number, "render", None, ODD) for number in "123"]


def test_truncated_and_damaged_lines(tmp_path: Path) -> None:
    path = tmp_path / "failures.jsonl"
    assert read_failures(path) == []
    whole = [Failure("a", "render", None, "why"), Failure("b", "project", "relief", "why", "quarantine/b")]
    write_failures(path, whole)
    path.write_bytes(path.read_bytes() + b'{"id": "c", "sta')
    assert read_failures(path) == whole
    # Earlier versions wrote no codes.
    path.write_text('{"id": "a", "stage": "render", "backend": null, "reason": "why"}\n')
    assert read_failures(path) == whole[:1] and whole[0].code == "uncoded"
    warnings = (Warning("uncoded", "it is flat", ""), Warning("flat", "it is flat", "hero.obj"))
    assert recorded(["it is flat", warnings[1].record()]) == warnings
    unknown = '{"id": "c", "stage": "cook", "backend": null, "reason": "x"}'
    for line in ('{"id": "c"}', "[]", unknown, "[" * 100_000, "5"):
        path.write_text(line + "\n")
        with pytest.raises(SpecsiaError, match=r"failures\.jsonl"):
            read_failures(path)


def test_failures_of_others() -> None:
    own = [Failure("a", "render", None, "x"), Failure("b", "project", "relief", "x")]
    others = [Failure("z", "render", None, "x"), Failure("a", "reconstruct", "fusion", "x")]
    assert concerning([*others, *reversed(own)], {"a", "b"}, {"relief"}) == own
