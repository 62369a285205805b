"""Output on terminals of several widths, without colours, and in a pipe; repeated sentences are folded."""

import subprocess
import sys

import pytest
from rich.cells import cell_len as columns

from specsia_build.cli.closing import Coded, by_code
from specsia_build.terminal import Table, shortened
from tests.terminal.pseudo_terminal import CODE, harmless, lines_of, on_terminal

ALL = """
from specsia_build.terminal import Table, bar, close, complain, say, show, stages

nasty = "\\x1b]0;owned\\x07\\n\\x9b2J\\u202eeno[red]x[/red][link=http://x]\\u2028" + "y" * 5000
with stages():
    with bar("render", 1400, "char", kept=98) as live:
        live(700)
        say("said " + nasty)
        live(700)
    with bar("reconstruct", 1498, "char", "drawingspinup") as live:
        live(3)
    with bar(nasty, None, "B", nasty) as live:
        live(1_000_000)
        live.note(nasty)
with bar("alone " + nasty, 10, "char") as live:
    live(1)
    live.note(nasty)
warnings = ["a warning of many words " * 9, nasty]
close("title " + nasty, {"warnings": warnings, "next": ["specsia report my-run"]})
table = Table(("id", "count"), [(nasty, 1), ("knight", 2)], right=(1,))
show(table, "warning: " + nasty, "240 rows are in x")
complain("this is wrong with " + nasty, "specsia build --help")
"""


@pytest.mark.parametrize("width", [60, 200])
def test_lines_fit_the_terminal(width: int) -> None:
    output = on_terminal(ALL, width)
    harmless(output)
    lines = lines_of(output)
    assert max(map(columns, lines)) <= width
    text = "".join(CODE.sub("", output).split())
    for said in ("✓render", "[red]x[/red]", "specsia:thisiswrong", "seespecsiabuild--help", "240rowsareinx"):
        assert said in text
    assert "\x1b[?25l" not in output or output.rindex("\x1b[?25h") > output.rindex("\x1b[?25l")
    assert len(text) < 40_000


def test_no_colours() -> None:
    output = on_terminal(ALL, 60, {"NO_COLOR": "1"})
    assert "\x1b" not in output
    harmless(output)
    assert "━" not in output


def test_pipe_gets_whole_lines() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", ALL], capture_output=True, text=True, encoding="utf-8", check=True
    )
    assert "\x1b" not in ran.stdout + ran.stderr
    head, nasty, knight, warning, rows = ran.stdout.splitlines()
    assert head.split() == ["id", "count"]
    assert nasty.count("y") == warning.count("y") == 5000
    assert knight.split() == ["knight", "2"]
    assert rows == "240 rows are in x"
    told = ran.stderr.splitlines()
    assert [line.split(" ")[0] for line in told] == ["said", "title", "", "", "", "specsia:", ""]
    assert told[-2].startswith("specsia: this is wrong with ")
    assert all(line.isprintable() for line in told)


def test_unwritable_letters() -> None:
    code = "from specsia_build.terminal import show; show('騎士 é')"
    environment = {"PYTHONIOENCODING": "ascii", "PYTHONPATH": ":".join(sys.path)}
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert ran.stdout == "\\u9a0e\\u58eb \\xe9\n"


def test_long_words_and_control_characters() -> None:
    text = shortened(f"{'a' * 5000} is \x1b[2J\u202e no [bold]name[/bold]")
    assert len(text) < 400 and text.isprintable() and "[bold]name[/bold]" in text
    lines = Table(("a\nb",), [("\x1b]0;x\x07",)]).lines()
    assert len(lines) == 2 and all(line.isprintable() for line in lines)


def test_sentences_are_grouped_by_code() -> None:
    sentences = [Coded("odd", "flat", "it is flat"), Coded("other", "flat", "it is flat")]
    for count, name in enumerate("abcdefghijklmnopqrst"):
        sentences.append(Coded(name, "file-missing", f"{name} has {count} textures that are not there"))
    assert by_code(sentences, "clips", " at draw") == [
        "20 clips (a, b, c and 17 more) at draw, such as: a has 0 textures that are not there [file-missing]",
        "2 clips (odd, other) at draw: it is flat [flat]",
    ]
    twice = [Coded("one", "flat", "it is flat"), Coded("one", "flat", "its cape is flat")]
    assert by_code(twice) == ["one, such as: it is flat [flat]"]
    assert by_code([]) == []
