"""`repair` and `enhance` where torch cannot be imported: the same bytes; what trains says what it needs."""

import os
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from specsia_build.dravie.runs import NAME
from specsia_build.extras import how_to_add
from tests.backends.drawings import figure, painted
from tests.commands import COMMAND, specsia
from tests.dravie.pairs import write_run


@pytest.fixture
def drawing(tmp_path: Path) -> Path:
    Image.fromarray(painted(*figure(160))).save(tmp_path / "drawing.png")
    return tmp_path / "drawing.png"


def without_torch(tmp_path: Path, *words: object) -> subprocess.CompletedProcess[str]:
    (tmp_path / "absent").mkdir(exist_ok=True)
    (tmp_path / "absent" / "torch.py").write_text("raise ImportError('absent')\n")
    paths = os.pathsep.join([str(tmp_path / "absent"), str(Path(__file__).parents[2])])
    environment = {**os.environ, "PYTHONPATH": paths}
    command = [*COMMAND, *map(str, words)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def frames_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.png")}


def test_same_bytes(drawing: Path, tmp_path: Path) -> None:
    options = ("--views", 3, "--size", 128, "--out")
    ran = without_torch(tmp_path, "repair", drawing, *options, tmp_path / "hero")
    assert ran.returncode == 0, ran.stderr
    specsia("repair", drawing, "--device", "cpu", *options, tmp_path / "here")
    frames = frames_in(tmp_path / "hero" / "repaired")
    assert len(frames) == 3 and frames == frames_in(tmp_path / "here" / "repaired")
    words = ("enhance", NAME, tmp_path / "hero", "--drawing", drawing, "--out")
    ran = without_torch(tmp_path, *words, tmp_path / "enhanced")
    assert ran.returncode == 0, ran.stderr
    specsia(*words, tmp_path / "enhanced-here", "--device", "cpu")
    frames = frames_in(tmp_path / "enhanced")
    assert len(frames) == 3 and frames == frames_in(tmp_path / "enhanced-here")


@pytest.mark.parametrize("options", [("--adapt",), ("--device", "cuda"), ("--model", "paper")])
def test_what_needs_torch(options: tuple[str, ...], drawing: Path, tmp_path: Path) -> None:
    write_run(tmp_path / "paper", architecture="paper")
    words = [tmp_path / word if word == "paper" else word for word in options]
    ran = without_torch(tmp_path, "repair", drawing, "--out", tmp_path / "hero", *words)
    assert ran.returncode == 2
    assert how_to_add("train") in ran.stderr and "Traceback" not in ran.stderr
