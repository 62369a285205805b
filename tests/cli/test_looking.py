"""`specsia report`, `turntable`, `sheet` and `verify` as a user types them."""

from pathlib import Path

import pytest
from PIL import Image

from specsia_build.look.open import smooth
from specsia_build.look.run import gallery_of_run
from tests.commands import specsia
from tests.dataset.small import VIEWS, build_small
from tests.look.tiny_run import tiny_run


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three characters, one of them of the split test."""
    return build_small(tmp_path_factory.mktemp("drawn") / "dataset", ("a", "b", "c"))


def test_turntable_of_a_dataset(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "turn.webp"
    for _ in range(2):
        result = specsia("turntable", dataset, "--size", 32, "--seconds", 2, "--out", out)
    with Image.open(out) as opened:
        assert getattr(opened, "n_frames", 1) == VIEWS
        assert f"{VIEWS} frames in 2.0 s, {opened.width} x {opened.height} pixels\n" in result.stdout


def test_sheet_of_a_split(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    options = ("--split", "test", "--views", "0, 2", "--show", "Y*", "--show", "fat:Zpos", "--no-labels")
    specsia("sheet", dataset, *options, "--size", 32, "--background", "transparent", "--out", out)
    with Image.open(out) as opened:
        assert (opened.mode, opened.size) == ("RGBA", (2 * 32 + 3 * 2, 2 * 32 + 3 * 2))


@pytest.mark.parametrize(
    "words",
    [
        ["turntable", "--out", "a.mp4", "--background", "transparent"],
        ["turntable", "b", "--split", "test", "--out", "a.webp"],
        ["sheet", "--out", "a.png", "--views", "0,two"],
        ["sheet", "--out", "mine.png"],
        ["sheet", "--out", "a.png", "--background", "mauv"],
        ["report", "--out", "mine.html"],
        ["report", "--out", "mine.png/page.html"],
        ["report", "--out", "page.png"],
    ],
)
def test_wrong_command_lines(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("mine.png", "mine.html"):
        Path(name).write_bytes(b"a drawing")
    result = specsia(words[0], dataset, *words[1:], code=2)
    assert (result.stdout, result.stderr.find("specsia: ")) == ("", 0)
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {b"a drawing"}


def test_turntable_of_a_run(tmp_path: Path) -> None:
    config, paths = tiny_run(tmp_path)
    gallery, _ = gallery_of_run(config, paths)
    turned = smooth(gallery, config, paths)
    for side, layer in (
        ("Y*", "gt"),
        ("Y*", "gt_mask"),
        ("relief", "color"),
        ("relief", "pos"),
        ("relief", "edge"),
    ):
        there = gallery.reader.read("0", side, [layer], [0, 1, 2, 3])
        assert turned.reader.read("0", side, [layer], [0, 9, 18, 27]) == there
    options = ("0", "--size", 32, "--out", tmp_path / "turn.webp")
    assert "36 frames" in specsia("turntable", paths.root, *options).stdout
    Path(config.source).unlink()
    assert "4 frames" in specsia("turntable", paths.root, *options).stdout
    for _ in range(2):
        specsia("report", paths.root, "--out", tmp_path / "page.html")
    assert f"did you mean {paths.dataset}?" in specsia("verify", paths.root, code=2).stderr
