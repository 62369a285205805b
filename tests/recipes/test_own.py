"""A recipe of one's own: the documented example, and what one may do wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specsia_build.errors import SpecsiaError
from specsia_build.recipes.folder import keys, place, read_parts
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


def _write(name: str, facts: Mapping[str, Any], out: Path) -> Mapping[str, Any]:
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).write_bytes(b"x")
    return facts


def _link(out: Path) -> Mapping[str, Any]:
    (out / "a.png").symlink_to("/etc/hostname")
    return {}


@pytest.mark.parametrize(
    "write",
    [
        _link,
        lambda out: {},
        partial(_write, ".specsia/a.png", {}),
        partial(_write, "README.md", {}),
        partial(_write, "a.png", {"frames": 1, "box": np.zeros(3)}),
        partial(_write, "a.png", {"frames": -1}),
        partial(_write, "theirs.png", {}),
    ],
)
def test_mistakes_of_a_recipe_are_errors_and_change_nothing(
    tmp_path: Path, write: Callable[[Path], Mapping[str, Any]]
) -> None:
    def put(key: str, write: Callable[[Path], Mapping[str, Any]]) -> None:
        place(tmp_path, Written(key, "a", "train", (key,), None, None, {}, {}), write)

    put("b-go-00", partial(_write, "theirs.png", {}))
    with pytest.raises(SpecsiaError):
        put("a-go-00", write)
    assert keys(tmp_path) == ["b-go-00"]
    assert {path.name for path in tmp_path.iterdir()} == {".specsia", "theirs.png"}
    assert (tmp_path / "theirs.png").read_bytes() == b"x"
