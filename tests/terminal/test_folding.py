"""Sentences that repeat themselves are folded, whatever the names are."""

from __future__ import annotations

import pytest

from specsia_build.cli.closing import folded, most
from specsia_build.terminal.screen import Table, shortened


def test_words_without_end_are_cut_and_nothing_steers() -> None:
    text = shortened(f"{'a' * 5000} is \x1b[2J\u202e no [bold]name[/bold]")
    assert len(text) < 400 and text.isprintable() and "[bold]name[/bold]" in text
    lines = Table(("a\nb",), [("\x1b]0;x\x07",)]).lines()
    assert len(lines) == 2 and all(line.isprintable() for line in lines)


def test_columns_are_aligned() -> None:
    table = Table(("method", "L1"), [("raw", "0.1"), ("ours", "0.02")], right=(1,))
    assert table.lines() == ["method    L1", "raw      0.1", "ours    0.02"]


def test_sentences_are_folded_the_most_frequent_first() -> None:
    sentences = [("odd", "it floats"), ("other", "it floats")]
    sentences += [(f"c{k}", f"c{k}.glb has {k} textures that are not there") for k in range(20)]
    assert folded(sentences, "clips", " at draw") == [
        "20 clips (c0, c1, c2 and 17 more) at draw, such as: c0.glb has 0 textures that are not there",
        "2 clips (odd, other) at draw: it floats",
    ]
    assert folded([("one", "it floats")]) == ["one: it floats"]
    assert folded([]) == []


@pytest.mark.parametrize(
    "sentences",
    [
        [(name, f"cannot tell where {name} faces (as {why})") for name, why in (("a", "it is flat"), ("b", "it lies"))],
        [(name, "exit code 2: [Errno 2]") for name in "123"],
        [(name, "one end is not there") for name in ("e", "n", "knight")],
    ],
)
def test_names_numbers_and_evidence_do_not_keep_sentences_apart(sentences: list[tuple[str, str]]) -> None:
    assert len(folded(sentences)) == 1


def test_of_many_kinds_the_first_are_shown_and_where_the_others_are() -> None:
    assert most(["a"] * 8, "specsia status run") == ["a"] * 8
    assert most(list("0123456789"), "specsia status run")[8:] == ["and 2 more of other kinds: specsia status run"]
