"""How commands look on a terminal, narrow or wide, and what a pipe gets of them; names are hostile."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len as columns

from specsia_build.cli.main import main
from tests.commands import specsia
from tests.shapes import write_figure
from tests.terminal.typed import CODE, harmless, lines_of

pytestmark = pytest.mark.usefixtures("no_workers")

NAMES = ("a\x1b]0;owned\x07\u202eb", "[red]b[link=x]", "騎士", "q" * 170)
BROKEN = ("one", "two", "three", "four")
SMALL = ("--size", "64", "--views", "4", "--workers", "1", "--max-failures", "4")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        """It is."""
        return True


def seen(monkeypatch: pytest.MonkeyPatch, width: int, *arguments: object, **more: str) -> tuple[str, str]:
    """What a command writes to a terminal of that width, on standard output and on standard error."""
    out, err = Terminal(), Terminal()
    for name, value in {"COLUMNS": str(width), "TERM": "xterm-256color", "NO_COLOR": "", **more}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments], prog_name="specsia")
    monkeypatch.undo()
    assert ended.value.code == 0, err.getvalue()
    for shown in (out.getvalue(), err.getvalue()):
        harmless(shown)
        assert more or max(map(columns, lines_of(shown)), default=0) <= width, shown
    return out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Characters of hostile names, and four that are broken in one way."""
    folder = tmp_path_factory.mktemp("top") / "figures"
    for name in NAMES:
        write_figure(folder / "knight.obj").rename(folder / f"{name}.obj")
    for name in BROKEN:
        (folder / f"{name}.glb").write_text("garbage")
    return folder


@pytest.fixture(scope="module")
def built(figures: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A run of them, and what its build showed on a terminal of 60 columns."""
    run = tmp_path_factory.mktemp("run") / "out"
    with pytest.MonkeyPatch.context() as monkeypatch:
        return run, *seen(monkeypatch, 60, "build", figures, "--out", run, *SMALL)


def test_a_build_shows_its_stages_and_closes_with_all_that_is_to_be_known(built: tuple[Path, str, str]) -> None:
    run, out, err = built
    words = " ".join(CODE.sub("", err).split())
    assert "✓ render 8/8" in words
    folded = f"4 characters ({', '.join(sorted(BROKEN)[:3])} and 1 more) at render"
    assert f"failed {folded}" in words
    for label in ("built", "failed", "time", "dataset", "failures", "logs", "load", "next"):
        assert f"\x1b[1m{label}" in err
    assert "specsia report" in words and "specsia verify" in words and "load_dataset(" in words
    assert "".join(out.split()) == f"16rowsoffiguresarein{run}/dataset"


def test_a_pipe_gets_one_line_for_each_thing_made(built: tuple[Path, str, str]) -> None:
    ran = specsia("build", "--out", built[0], *SMALL)
    assert len(ran.stdout.splitlines()) == 1
    assert ran.stdout.endswith(f" are in {built[0]}/dataset\n")
    told = ran.stderr.splitlines()
    assert "\x1b" not in ran.stderr
    assert all(line.isprintable() for line in told)
    assert any(line.startswith("  up to date") for line in told)
