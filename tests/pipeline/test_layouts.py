"""Layouts write their parts independently of one another."""

import errno
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from specsia_build.errors import CharacterError, WriteError
from specsia_build.layouts import writing
from specsia_build.layouts.layout import Layout
from specsia_build.layouts.packing import Packed, PackTarget, in_processes, pack
from specsia_build.layouts.part import Part, read_parts
from specsia_build.layouts.writing import NotWritten
from tests.clips import clips_config, run_clips, write_figures
from tests.layouts.clip_frames import FACTS, clip_frames, disc, part_of


class Picky(Layout):
    """Takes some parts only."""

    name = "picky"
    title = "a file for each clip"
    loading = "read it"
    layers = ()

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        if part.key == "odd":
            raise ZeroDivisionError("division by zero")
        if part.key == "short":
            raise CharacterError("short has too few frames")
        (out / f"{part.key}.txt").write_text(part.key)
        if part.key == "large":
            raise OSError(errno.ENOSPC, "No space left on device")
        return {"frames": 1}


def keys(folder: Path) -> list[str]:
    return [part.key for part in read_parts(folder / "parts.jsonl")]


def test_clips_without_pairs(tmp_path: Path) -> None:
    source = write_figures(tmp_path / "figures", 1)
    config = clips_config(source, layouts=["frames"], reconstructed=True, views=1, frames=2, turntable=False)
    paths, summary = run_clips(tmp_path / "run", config)
    assert (summary.stopped, summary.layouts) == (None, {"frames": 4})
    assert keys(paths.root / "frames-relief") == keys(paths.root / "frames") == ["a-sway-00", "a-walk-00"]


def pack_picky(names: Sequence[str], top: Path, monkeypatch: pytest.MonkeyPatch) -> Packed:
    monkeypatch.setattr(writing, "load_layout", lambda _: Picky())
    clip = clip_frames("a-go-00", {"color": [disc(8, 3)]})
    parts = [(part_of(name, [clip]), name) for name in names]
    target = PackTarget(Picky(), top / "picky", top / "state")
    return pack(target, parts, in_processes(1, lambda _: None), FACTS)


def test_failed_part_costs_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = pack_picky(("a", "odd", "short", "z"), tmp_path, monkeypatch)
    assert (packed.written, packed.kept) == (2, 0)
    odd = "the layout picky cannot write odd: ZeroDivisionError: division by zero"
    short = NotWritten("short has too few frames", suits=False)
    assert packed.missed == {"odd": NotWritten(odd, suits=True), "short": short}
    assert keys(tmp_path / "picky") == ["a", "z"]
    again = pack_picky(("a", "odd", "short", "z"), tmp_path, monkeypatch)
    assert again == packed._replace(written=0, kept=2)


def test_full_disk_keeps_the_old_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack_picky(("a",), tmp_path, monkeypatch)
    with pytest.raises(WriteError, match="the disk is full"):
        pack_picky(("b", "large"), tmp_path, monkeypatch)
    assert keys(tmp_path / "picky") == ["a"]
    assert {path.name for path in tmp_path.iterdir()} == {"picky", "state"}
