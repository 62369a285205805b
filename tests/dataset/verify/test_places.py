"""Verify on URLs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from specsia_build.dataset.verify.check import verify
from tests.dataset.small import shard


def test_url_is_verified_like_a_folder(dataset: Path, upload: Callable[[Path], str]) -> None:
    path = shard(dataset)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    here, there = verify(dataset), verify(upload(dataset))
    assert (there.checks, there.rows, there.notes) == (here.checks, here.rows, here.notes)
    assert {(p.check, p.where) for p in there.problems} == {(p.check, p.where) for p in here.problems}
    assert not here.ok
