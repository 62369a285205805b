"""Text in columns: shortened, wrapped, laid out and folded, whatever the names are."""

from __future__ import annotations

import pytest

from specsia_build.terminal.layout import Table, columns, folded, most, sayable, shortened, table_of, wrapped

WIDE = "騎士" * 40
LONG = "a" * 5000


@pytest.mark.parametrize("text", ["knight", "k" * 90, WIDE, "é" * 90, "", LONG])
@pytest.mark.parametrize("most", [8, 21, 80])
def test_a_text_is_shortened_in_its_middle(text: str, most: int) -> None:
    found = shortened(text, most)
    assert columns(found) <= most
    if columns(text) <= most:
        assert found == text
    else:
        begin, end = found.split("…")
        assert begin and end
        assert text.startswith(begin) and text.endswith(end)


@pytest.mark.parametrize("width", [20, 60, 80, 200])
@pytest.mark.parametrize("line", ["", "short", "word " * 60, LONG, WIDE, "warning: x: " + "a-b " * 90, "  " + LONG])
def test_lines_are_wrapped_between_words_and_nothing_is_lost(line: str, width: int) -> None:
    found = wrapped(line, width, "  ")
    assert all(columns(one) <= width for one in found)
    assert "".join(found).replace(" ", "") == line.replace(" ", "")
    assert wrapped(line, None) == [line]


def test_a_word_without_end_is_cut_and_nothing_steers() -> None:
    said = sayable(f"{LONG} is \x1b[2J\u202e no [bold]name[/bold]")
    assert len(said) < 400
    assert said.isprintable()
    assert "[bold]name[/bold]" in said


HEAD = ("id", "format", "vertices", "triangles", "textures", "faces", "pose", "rig")
ROW = ("knight_of_the_" + "very_" * 12 + "long_name", "gltf", "123,456", "234,567", "2048x2048", "-y", "T-pose", "skin")


@pytest.mark.parametrize("width", [60, 80, 200, None])
def test_a_table_fits_its_width_and_keeps_its_numbers(width: int | None) -> None:
    table = Table(HEAD, [ROW, ("騎士", "obj", "1", "2", "-", "-y?", "-", "no skin")], right=(2, 3))
    lines = table.lines(width)
    assert width is None or max(map(columns, lines)) <= width
    text = "\n".join(lines)
    assert all(word in text for word in (*HEAD, *ROW[1:]))
    assert (ROW[0] in text) == (width in (None, 200))
    assert text.count("…") == (0 if width in (None, 200) else 1)
    assert len(lines) == (6 if width == 60 else 3)


def test_cells_are_made_printable() -> None:
    lines = Table(("a\nb",), [("\x1b]0;x\x07",)]).lines(80)
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


def test_tables_of_markdown_become_tables() -> None:
    rows = ["| method | L1 | who |", "| --- | ---: | --- |", "| raw | 0.1 | all |", "| ours | 0.02 | all |"]
    markdown = ["Scores.", "", *rows, "", "End."]
    first, gap, table, *rest = table_of(markdown)
    assert (first, gap, rest) == ("Scores.", "", ["", "End."])
    assert isinstance(table, Table)
    assert table.lines(80) == ["method    L1  who", "raw      0.1  all", "ours    0.02  all"]
    assert table.lines() == rows
    assert table_of([*rows, "| a | b |"]) == [*rows, "| a | b |"]
