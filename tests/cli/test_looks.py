"""Output of a build on a narrow terminal and in a pipe, with hostile names."""

from pathlib import Path

import pytest
from rich.cells import cell_len as columns

from tests.commands import specsia
from tests.shapes import write_figure
from tests.terminal.pseudo_terminal import CODE, harmless, lines_of, on_terminal

NAMES = ("a\x1b]0;owned\x07\u202eb", "[red]b[link=x]", "騎士", "q" * 170)
BROKEN = ("one", "two", "three", "four")
SMALL = ("--size", "64", "--views", "4", "--workers", "1", "--max-failures", "4")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a run is to be; characters of hostile names, and four that are broken in one way, lie beside
    it."""
    folder = tmp_path_factory.mktemp("top") / "figures"
    for name in NAMES:
        write_figure(folder / "knight.obj").rename(folder / f"{name}.obj")
    for name in BROKEN:
        (folder / f"{name}.glb").write_text("garbage")
    return folder.parent / "out"


@pytest.fixture(scope="module")
def shown(run: Path) -> str:
    """What a build shows on a terminal of 60 columns."""
    arguments = ["build", str(run.parent / "figures"), "--out", str(run), *SMALL]
    return on_terminal(f"from specsia_build.cli import main; main({arguments!r}, prog_name='specsia')", 60)


def test_build_shows_stages_and_summary(run: Path, shown: str) -> None:
    harmless(shown)
    assert max(map(columns, lines_of(shown))) <= 60
    words = " ".join(CODE.sub("", shown).split())
    assert "✓ render 8/8" in words
    assert f"failed 4 characters ({', '.join(sorted(BROKEN)[:3])} and 1 more) at render" in words
    for label in ("built", "failed", "time", "dataset", "failures", "logs", "load", "next"):
        assert f"\x1b[1m{label}" in shown
    assert "specsia report" in words and "specsia verify" in words and "load_dataset(" in words
    assert f"16rowsoffiguresarein{run}/dataset" in "".join(words.split())


@pytest.mark.usefixtures("no_workers", "shown")
def test_pipe_gets_one_line_per_artefact(run: Path) -> None:
    ran = specsia("build", "--out", run, *SMALL)
    assert len(ran.stdout.splitlines()) == 1
    assert ran.stdout.endswith(f" are in {run}/dataset\n")
    told = ran.stderr.splitlines()
    assert "\x1b" not in ran.stderr
    assert all(line.isprintable() for line in told)
    assert any(line.startswith("  up to date") for line in told)
