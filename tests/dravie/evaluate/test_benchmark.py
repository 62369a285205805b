"""`specsia benchmark` on a small set: what it is made of, frames of another method, and files that differ."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from specsia_build import png
from specsia_build.dravie.benchmark import frozen
from specsia_build.dravie.benchmark.frozen import FrozenCharacter, frozen_set
from specsia_build.files.digests import file_digest
from tests.clips import at_once, write_figures
from tests.commands import specsia


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The folder of a benchmark of one figure and one procedural character, by `fusion`, and the figures."""
    top = tmp_path_factory.mktemp("bench")
    figures = write_figures(top / "figures")
    digest = str(file_digest(figures / "a.glb"))
    entry = {"path": "a.glb", "license": "CC0-1.0", "source": "us"}
    character = FrozenCharacter("figure", "https://example.com", entry, {"a.glb": digest})
    small = replace(frozen_set(), size=64, views=2, backends=("fusion", "relief"), characters=(character,))
    small = replace(small, samples={"count": 1, "seed": 5})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frozen, "frozen_set", lambda: small)
        patch.setattr("specsia_build.pipeline.build.open_executor", at_once)
        patch.setattr("specsia_build.dravie.adapt.adapt.WITHHELD", 1)
        specsia("benchmark", "--characters", figures, "--out", top / "bench")
        yield top / "bench", figures


def score(frames: Path, bench: Path, *more: object, code: int = 0) -> Any:
    return specsia("benchmark", frames, "--out", bench, *more, code=code)


def test_set_and_own_model(bench: tuple[Path, Path]) -> None:
    out, _ = bench
    specsia("verify", out / "run" / "dataset")
    card = (out / "benchmark.md").read_text()
    assert "https://example.com" in card and "CC0-1.0" in card
    scores = json.loads((out / "scores-pretrained" / "scores.json").read_text())
    assert {view["character"] for view in scores["views"]} == {"figure", "sample-0"}
    labels = [method["label"] for method in scores["methods"]]
    assert labels[:3] == ["raw", "line", "look-up"] and all("DraViE" in label for label in labels[3:])


def test_frames_of_another_method(bench: tuple[Path, Path], tmp_path: Path) -> None:
    out, figures = bench
    truth, frames = out / "scores-pretrained", tmp_path / "theirs"
    for picture in truth.rglob("gt/*.png"):
        config, character = picture.parts[-4:-2]
        place = frames / config / "test" / f"{character}_{picture.stem}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, place)
    score(frames, out)
    scores = json.loads((out / "scores-theirs" / "scores.json").read_text())
    of = {
        (m["config"], m["method"]): m["mean"]
        for m in scores["means"]
        if (m["views"], m["score"]) == ("novel", "l1")
    }
    assert of["relief", "theirs"] == of["fusion", "theirs"] == 0 < of["relief", "raw"]
    assert {"theirs"} == {difference["method"] for difference in scores["differences"]}
    assert "give --name" in score(frames.rename(tmp_path / "raw"), out, code=2).stderr
    (tmp_path / "raw" / "relief" / "test" / "figure_01.png").unlink()
    assert "relief/test/figure_01.png first" in score(tmp_path / "raw", out, "--name", "n", code=2).stderr
    (tmp_path / "raw" / "relief" / "test" / "figure_01.png").write_bytes(
        png.encode(png.decode(picture.read_bytes(), 4)[:9])
    )
    assert "64 x 9 pixels" in score(tmp_path / "raw", out, "--name", "n", code=1).stderr
    (figures / "a.glb").write_bytes(b"other")
    refused = specsia("benchmark", "--characters", figures, "--out", out, code=2).stderr
    assert "a.glb is another file" in refused
    (figures / "a.glb").unlink()
    refused = specsia("benchmark", "--characters", figures, "--out", out, code=2).stderr
    assert "get it from https://example.com" in refused
    assert "no benchmark" in specsia("benchmark", "--out", figures, code=2).stderr
