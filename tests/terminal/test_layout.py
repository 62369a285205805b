"""Text in columns: shortened, wrapped, laid out and folded, whatever the names are."""

from __future__ import annotations

from specsia_build.terminal.folding import folded, most
from specsia_build.terminal.screen import Table, shortened

LONG = "a" * 5000


def test_a_word_without_end_is_cut_and_nothing_steers() -> None:
    said = shortened(f"{LONG} is \x1b[2J\u202e no [bold]name[/bold]")
    assert len(said) < 400
    assert said.isprintable()
    assert "[bold]name[/bold]" in said


def test_cells_are_made_printable() -> None:
    lines = Table(("a\nb",), [("\x1b]0;x\x07",)]).lines()
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)


def test_sentences_that_repeat_themselves_are_folded() -> None:
    found = [(f"c{k}", f"c{k}.glb has {k} textures that are not there") for k in range(20)]
    found += [("odd", "it floats"), ("other", "it floats")]
    first, second = folded(found)
    said = first.line()
    assert said == "20 characters (c0, c1, c2 and 17 more), such as: c0.glb has 0 textures that are not there"
    assert second.line() == "2 characters (odd, other): it floats"
    assert folded([("one", "it floats")])[0].line() == "one: it floats"
    unsure = [(k, f"nothing is sure about {k} (as {why})") for k, why in (("a", "it is flat"), ("b", "it lies down"))]
    assert len(folded(unsure)) == 1, "and so is evidence"
    assert folded([]) == []
    assert len(folded([(k, "exit code 2: [Errno 2]") for k in "123"])) == 1, "a number is a name, too"
    assert len(folded([(k, "one end is not there") for k in ("e", "n", "knight")])) == 1, "and so is a letter"


def test_of_many_kinds_the_first_are_shown_and_where_the_others_are() -> None:
    assert most(["a"] * 8, "specsia status run") == ["a"] * 8
    shown = most([str(k) for k in range(20)], "specsia status run")
    assert shown == [*"01234567", "and 12 more of other kinds: specsia status run"]


def test_columns_are_aligned() -> None:
    table = Table(("method", "L1"), [("raw", "0.1"), ("ours", "0.02")], right=(1,))
    assert table.lines() == ["method    L1", "raw      0.1", "ours    0.02"]
