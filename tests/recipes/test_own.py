"""A recipe of one's own: the documented example, and what one may do wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specsia_build.errors import SpecsiaError
from specsia_build.recipes.folder import Files, keys, place
from specsia_build.recipes.parts import read_parts
from specsia_build.recipes.recipe import Written
from tests.clips import write_figure

ROOT = Path(__file__).parents[2]


def test_the_documented_example_works(tmp_path: Path) -> None:
    text = (ROOT / "docs/recipes.md").read_text()
    (code,), (point,) = re.findall(r"```python\n(.*?)```", text, re.S), re.findall(r"\n(silhouettes = .*)\n", text)
    (tmp_path / "silhouettes.py").write_text(code)
    info = tmp_path / "silhouettes-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: silhouettes\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[specsia.recipes]\n{point.replace(chr(34), '')}\n")
    write_figure(tmp_path / "hero.glb", 0)

    def specsia(*arguments: str | Path) -> str:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
        command = [sys.executable, "-c", "from specsia_build.cli import main; main()", *map(str, arguments)]
        done = subprocess.run(
            [*command, "--workers", "1"], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    specsia("clips", tmp_path / "hero.glb", "--recipe", "silhouettes", "--out", tmp_path / "run")
    folder = tmp_path / "run" / "silhouettes"
    (part, *_) = read_parts(folder)
    (name,) = part.files
    assert np.load(folder / name).shape == (part.facts["frames"], 64, 64)
    assert "ok     layout" in specsia("verify", folder)


def _written(files: Files, facts: Any) -> Written:
    return Written("a-go-00", "a", "train", ("a-go-00",), None, None, files, facts)


def _link(out: Path) -> dict[str, Any]:
    (out / "a.png").symlink_to("/etc/hostname")
    return {}


def _nothing(out: Path) -> dict[str, Any]:
    return {}


def _odd_name(out: Path) -> dict[str, Any]:
    (out / ".specsia").mkdir()
    (out / ".specsia/a.png").write_bytes(b"x")
    return {}


def _over_all(out: Path) -> dict[str, Any]:
    (out / "README.md").write_bytes(b"x")
    return {}


def _array(out: Path) -> dict[str, Any]:
    (out / "a.png").write_bytes(b"x")
    return {"frames": 1, "box": np.zeros(3)}


def _others(out: Path) -> dict[str, Any]:
    (out / "theirs.png").write_bytes(b"mine")
    return {}


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (_link, "it wrote a.png, which is no file but a link"),
        (_nothing, "it wrote no file"),
        (_odd_name, "cannot be a file name"),
        (_over_all, "is the name of a file over all parts"),
        (_array, "it gives facts that are no JSON"),
        (_others, "is no file of this part"),
    ],
)
def test_what_a_recipe_does_wrong_is_told_and_changes_nothing(
    tmp_path: Path, write: Callable[[Path], dict[str, Any]], words: str
) -> None:
    def theirs(out: Path) -> dict[str, Any]:
        (out / "theirs.png").write_bytes(b"theirs")
        return {}

    place(tmp_path, "b-go-00", theirs, lambda files, facts: replace(_written(files, facts), key="b-go-00"))
    with pytest.raises(SpecsiaError, match=words):
        place(tmp_path, "a-go-00", write, _written)
    assert keys(tmp_path) == ["b-go-00"]
    assert {path.name for path in tmp_path.iterdir()} == {".specsia", "theirs.png"}
    assert (tmp_path / "theirs.png").read_bytes() == b"theirs"
