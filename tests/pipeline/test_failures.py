"""The record of quarantined characters."""

from __future__ import annotations

from pathlib import Path

import pytest

from specsia_build.errors import SpecsiaError
from specsia_build.pipeline.failures import Failure, concerning, read_failures, write_failures

ODD = "it has a line\u2028separator, a next\x85line and an \u00e4"


def test_each_failure_is_one_line_and_all_are_written_in_order(tmp_path: Path) -> None:
    path = tmp_path / "run" / "failures.jsonl"
    write_failures(path, [Failure(number, "render", None, ODD) for number in "312"])
    assert path.read_bytes().count(b"\n") == 3
    assert read_failures(path) == [Failure(number, "render", None, ODD) for number in "123"]


def test_a_line_that_was_cut_is_left_out_and_a_damaged_one_is_said(tmp_path: Path) -> None:
    path = tmp_path / "failures.jsonl"
    assert read_failures(path) == []
    whole = [Failure("a", "render", None, "why"), Failure("b", "project", "relief", "why", "quarantine/b")]
    write_failures(path, whole)
    path.write_bytes(path.read_bytes() + b'{"id": "c", "sta')
    assert read_failures(path) == whole
    for line in (
        '{"id": "c"}',
        "[]",
        '{"id": "c", "stage": "cook", "backend": null, "reason": "x"}',
        "[" * 100_000,
        "5",
    ):
        path.write_text(line + "\n")
        with pytest.raises(SpecsiaError, match=r"failures\.jsonl cannot be read"):
            read_failures(path)


def test_failures_of_other_characters_and_backends_are_not_a_builds_own() -> None:
    own = [Failure("a", "render", None, "x"), Failure("b", "project", "relief", "x")]
    others = [Failure("z", "render", None, "x"), Failure("a", "reconstruct", "fusion", "x")]
    assert concerning([*others, *reversed(own)], {"a", "b"}, {"relief"}) == own
