"""The record of quarantined characters."""

from __future__ import annotations

from pathlib import Path

import pytest

from specsia_build.errors import SpecsiaError
from specsia_build.pipeline.failures import Failure, add_failure, concerning, read_failures, write_failures

ODD = "it has a line\u2028separator, a next\x85line and an \u00e4"


def test_one_more_failure_is_readable_at_once_and_writes_nothing_anew(tmp_path: Path) -> None:
    path = tmp_path / "run" / "failures.jsonl"
    before = b""
    for number in (3, 1, 2):
        add_failure(path, Failure(str(number), "render", None, ODD))
        now = path.read_bytes()
        assert now.startswith(before)
        assert now.count(b"\n") == before.count(b"\n") + 1
        assert len(now) < len(before) + 200
        assert read_failures(path)[-1] == Failure(str(number), "render", None, ODD)
        before = now
    write_failures(path, read_failures(path))
    assert [failure.id for failure in read_failures(path)] == ["1", "2", "3"]


def test_a_line_that_was_cut_is_left_out_and_a_damaged_one_is_said(tmp_path: Path) -> None:
    path = tmp_path / "failures.jsonl"
    assert read_failures(path) == []
    whole = [Failure("a", "render", None, "why"), Failure("b", "project", "inflate", "why", "quarantine/b")]
    write_failures(path, whole)
    path.write_bytes(path.read_bytes() + b'{"id": "c", "sta')
    assert read_failures(path) == whole
    for line in ('{"id": "c"}', "[]", '{"id": "c", "stage": "cook", "backend": null, "reason": "x"}', "[" * 100_000):
        path.write_text(line + "\n")
        with pytest.raises(SpecsiaError, match=r"failures\.jsonl cannot be read"):
            read_failures(path)


def test_failures_of_other_characters_and_backends_are_not_a_builds_own() -> None:
    own = [Failure("a", "render", None, "x"), Failure("b", "project", "inflate", "x")]
    others = [Failure("z", "render", None, "x"), Failure("a", "reconstruct", "fusion", "x")]
    assert concerning([*others, *reversed(own)], {"a", "b"}, {"inflate"}) == own


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"5", "it holds a line that is no failure"),
        (b"{", "it holds a line that is no failure"),
        (b'{"id": "a", "colour": "red"}', "it holds a line that is no failure"),
        (b"\xff", "it is no UTF-8 text"),
    ],
)
def test_a_damaged_record_is_told_in_words(tmp_path: Path, line: bytes, why: str) -> None:
    path = tmp_path / "failures.jsonl"
    path.write_bytes(line + b"\n")
    with pytest.raises(SpecsiaError) as told:
        read_failures(path)
    assert str(told.value) == f"{path} cannot be read ({why}): delete it and build again"
