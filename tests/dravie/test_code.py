"""That whatever decides a result is part of its key."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from specsia_build.dravie.code import PAINTING, TOP, TURNING, code_digest, files_of

HARMLESS = {
    "caches.py",  # Where things are kept.
    "clock.py",  # How much of a wait counts.
    "config.py",  # Checks of settings.
    "dataset/images.py",  # Writing, and what `verify` looks for.
    "dataset/layers.py",  # Names of files.
    "dataset/reading.py",
    "dataset/schema.py",
    "deflate.py",
    "dravie/network/checkpoint.py",  # A method's key has the digest of the weights that were read.
    "dravie/code.py",
    "dravie/enhance.py",
    "dravie/seen.py",
    "dravie/stopping.py",  # When a training ends, not what it makes until then.
    "dravie/train.py",
    "errors.py",
    "files/content.py",  # Words about what cannot be read.
    "films.py",  # What a picture is.
    "files/listing.py",
    "files/locking.py",
    "files/names.py",
    "files/plain_yaml.py",
    "files/records.py",
    "files/sources.py",
    "files/trouble.py",
    "files/writing.py",
    "shown.py",  # What a notebook prints.
    "folders.py",
    "memory.py",  # Whether a character is refused.
    "ownership.py",
    "gallery/evaluation.py",  # Names of files and of methods.
    "gallery/items.py",
    "frame.py",  # What `verify` asks of positions.
    "pipeline/layout.py",
    "pipeline/progress.py",
    "pipeline/store.py",
    "backends/base.py",
    "backends/gate.py",
    "stages/reconstruct.py",  # The name of its artefacts; these are read as they are.
    "stages/artefact.py",
    "stages/doubts.py",  # What is said of a reconstruction.
    "stages/looks.py",  # Pictures of what is quarantined.
    "stages/stage.py",  # When a stage is done, not what it makes.
    "stages/tiny.py",
    "stages/stopwatch.py",
    "dataset/pairs.py",
}
"""What decisive modules import for other reasons than a pixel."""


def imported(path: Path) -> Iterator[str]:
    """The modules of this project that a file imports, wherever in it, as paths below the package."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{name.name}" for name in node.names] + [node.module]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            file = f"{rest.replace('.', '/')}.py"
            if package == TOP.name and (TOP / file).is_file():
                yield file


@pytest.mark.parametrize("names", [PAINTING, TURNING], ids=["painting", "turning"])
def test_every_import_of_what_decides_decides_or_is_harmless(names: tuple[str, ...]) -> None:
    own = files_of(names)
    assert own and all(path.is_file() for path in own)
    inside = {path.relative_to(TOP).as_posix() for path in own}
    for path in own:
        forgotten = set(imported(path)) - inside - HARMLESS
        assert not forgotten, f"{path} imports {forgotten}: name them in specsia_build/dravie/code.py, or here"


def test_what_paints_and_turns_is_among_it() -> None:
    assert {"dravie/evaluation/methods.py", "dravie/evaluation/results.py"} <= set(PAINTING)
    assert "dravie/evaluation/turntable.py" in TURNING


def test_any_edit_moves_the_digest(tmp_path: Path) -> None:
    names = ("one.py", "all")
    files = [tmp_path / name for name in ("one.py", "all/two.py", "all/in/three.py")]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("A = 1\n")
    found = {code_digest(names, tmp_path)}
    for file in files:
        file.write_text("A = 2\n")
        code_digest.cache_clear()
        found.add(code_digest(names, tmp_path))
    files[2].rename(files[2].with_name("four.py"))
    code_digest.cache_clear()
    found.add(code_digest(names, tmp_path))
    assert len(found) == 5
