"""A run that is looked at while it is built: what is told of it, and what is served."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from click.testing import CliRunner
from PIL import Image

from specsia_build.cli import main
from specsia_build.config import BuildConfig
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.store import read_meta
from specsia_build.report import pace, watch
from specsia_build.report.serving import Answer
from specsia_build.report.watch import Held, Watched
from tests.report.shown import item_of
from tests.report.tiny_run import STRANGE_ID, config_of, run, write_manifest


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[BuildConfig, Path]:
    """A build that was stopped after one character; one more of its source is broken."""
    top = tmp_path_factory.mktemp("begun")
    config = config_of(write_manifest(top, ("0", STRANGE_ID)))
    run(replace(config, limit=1), top / "run")
    return config, top / "run"


@pytest.fixture
def running(begun: tuple[BuildConfig, Path], tmp_path: Path) -> tuple[BuildConfig, Path]:
    """A copy of it to go on with."""
    config, folder = begun
    return config, Path(shutil.copytree(folder, tmp_path / "run"))


def looked(watched: Watched, since: str = "") -> dict[str, Any]:
    answer = watched.find("document", f"since={since}")
    assert answer is not None and answer.kind == "application/json" and not answer.lasting
    found: dict[str, Any] = json.loads(answer.content) if answer.content else {}
    return found


def picture(watched: Watched, address: str) -> Image.Image:
    answer = watched.find(address, "")
    assert answer is not None and answer.lasting
    return Image.open(io.BytesIO(answer.content))


def test_a_character_appears_once_it_is_made(running: tuple[BuildConfig, Path]) -> None:
    config, folder = running
    watched = Watched(str(folder), rest=0)
    first = looked(watched)
    assert [item["id"] for item in first["items"]] == ["0"] and first["live"] and not first["failures"]
    assert {stage["name"]: (stage["done"], stage["of"]) for stage in first["progress"]["stages"]} == {
        "render": (1, 1),
        "reconstruct inflate": (1, 1),
        "project inflate": (1, 1),
    }
    assert looked(watched, first["version"]) == {}, "nothing is sent of what has not changed"
    run(config, folder)
    second = looked(watched, first["version"])
    assert [item["id"] for item in second["items"]] == ["0", STRANGE_ID]
    assert item_of(second, "0") == item_of(first, "0")
    render = second["progress"]["stages"][0]
    assert (render["done"], render["of"], render["failed"]) == (2, 3, 1)
    assert [failure["id"] for failure in second["failures"]] == ["bröken"]
    assert second["progress"]["trouble"] is None


def test_it_says_how_long_the_rest_takes(running: tuple[BuildConfig, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(watch, "monotonic", lambda: now)
    monkeypatch.setattr(pace, "LEAST_ENDED", 1)
    layout = RunLayout(running[1])
    layout.left_out.unlink()
    watched = Watched(str(layout.root), rest=0)
    assert looked(watched)["progress"]["left"] is None
    (made,) = (layout.root / "artefacts" / "project" / "inflate").rglob("*.tar")
    aside = made.rename(layout.root / "aside")
    looked(watched)
    now = 20.0
    aside.rename(made)
    progress = looked(watched)["progress"]
    told = map(json.loads, layout.log.read_text().splitlines())
    cost = {one["stage"]: one["seconds"] for one in told if one["stage"] != "pack"}
    assert [stage["waiting"] for stage in progress["stages"]] == [2, 2, 2]
    assert progress["left"]["seconds"] == pytest.approx(20 * 2 * sum(cost.values()) / cost["project"], abs=0.51)
    assert progress["left"]["until"] == pytest.approx(progress["changed"] + 100)


def test_pictures_are_made_once_they_are_asked_for(
    begun: tuple[BuildConfig, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(str(begun[1]), rest=0)
    sides = item_of(looked(watched), "0")["sides"]
    with picture(watched, sides["Y*"]["strips"]["gt"]) as strip, picture(watched, sides["Y*"]["cover"]) as cover:
        assert (strip.format, strip.size, cover.size) == ("WEBP", (4 * 64, 64), (64, 64))
    with picture(watched, sides["inflate"]["strips"]["mask"]) as mask:
        assert mask.format == "PNG"
    monkeypatch.setattr(watch, "strip_of", None)
    with picture(watched, sides["Y*"]["strips"]["gt"]) as strip:
        assert strip.size == (4 * 64, 64)


def test_the_target_has_larger_frames_where_others_are_small(
    begun: tuple[BuildConfig, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "large" not in item_of(looked(Watched(str(begun[1]), rest=0)), "0")["sides"]["Y*"]
    monkeypatch.setattr(watch, "LARGEST_TILE", 40)
    watched = Watched(str(begun[1]), rest=0)
    sides = item_of(looked(watched), "0")["sides"]
    assert "large" not in sides["inflate"]
    with picture(watched, sides["Y*"]["strips"]["gt"]) as strip, picture(watched, sides["Y*"]["large"]) as large:
        assert (strip.size, large.size) == ((4 * 40, 40), (4 * 64, 64))


def test_what_is_made_anew_has_another_address(running: tuple[BuildConfig, Path]) -> None:
    config, folder = running
    watched = Watched(str(folder), rest=0)
    before = item_of(looked(watched), "0")["sides"]
    run(replace(config, limit=1, look="lit"), folder)
    after = item_of(looked(watched), "0")["sides"]
    assert before["Y*"]["strips"]["gt"] != after["Y*"]["strips"]["gt"]
    with picture(watched, before["Y*"]["strips"]["gt"]) as old, picture(watched, after["Y*"]["strips"]["gt"]) as new:
        assert old.size == new.size, "a page that has not heard of it yet finds it, too"


def test_only_what_has_changed_is_read_again(
    running: tuple[BuildConfig, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, folder = running
    read: list[Path] = []

    def counted(path: Path) -> dict[str, Any] | None:
        read.append(path)
        return read_meta(path)

    monkeypatch.setattr(watch, "read_meta", counted)
    watched = Watched(str(folder), rest=0)
    looked(watched)
    looked(watched)
    assert len(read) == len(set(read)) >= 3
    layout = RunLayout(folder)
    changed = next((layout.root / "artefacts" / "render").rglob("*.tar"))
    beside = changed.with_name(".0123456789abcdef.tmp")
    beside.write_bytes(changed.read_bytes())
    beside.replace(changed)
    read.clear()
    looked(watched)
    assert read == [changed]


def test_a_build_that_begins_anew_is_followed(running: tuple[BuildConfig, Path]) -> None:
    config, folder = running
    watched = Watched(str(folder), rest=0)
    first = looked(watched)
    layout = RunLayout(folder)
    layout.splits.write_text("{")
    torn = looked(watched)
    assert torn["items"] == first["items"] and "splits.json" in torn["progress"]["trouble"]
    shutil.rmtree(layout.root / "artefacts")
    layout.splits.unlink()
    empty = looked(watched)
    assert empty["items"] == [] and empty["progress"] == {"stages": [], "left": None, "trouble": None, "changed": None}
    layout.failures.unlink(missing_ok=True)
    run(replace(config, limit=1), folder)
    assert looked(watched)["items"][0]["id"] == "0"
    shutil.rmtree(folder)
    assert "holds no build" in looked(watched)["progress"]["trouble"]


@pytest.mark.parametrize(
    "path", ["pictures/", "pictures/../../config.yaml", "config.yaml", "pictures", "document/", "/etc/passwd", "."]
)
def test_nothing_else_is_there(begun: tuple[BuildConfig, Path], path: str) -> None:
    watched = Watched(str(begun[1]), rest=0)
    looked(watched)
    assert watched.find(path, "") is None


def test_pictures_that_are_gone_are_not_there(running: tuple[BuildConfig, Path]) -> None:
    watched = Watched(str(running[1]), rest=0)
    address = item_of(looked(watched), "0")["sides"]["Y*"]["strips"]["gt"]
    shutil.rmtree(running[1] / "artefacts")
    assert watched.find(address, "") is None


def test_few_bytes_are_held() -> None:
    held = Held(most=100)
    for name in ("one", "two"):
        held.keep(name, Answer(40 * b"a", "image/webp"))
    assert held.get("one") is not None
    held.keep("three", Answer(40 * b"a", "image/webp"))
    held.keep("large", Answer(101 * b"a", "image/webp"))
    held.keep("none", None)
    assert [name for name in ("one", "two", "three", "large", "none") if held.get(name)] == ["one", "three"]


def test_a_run_is_watched_until_it_is_interrupted(begun: tuple[BuildConfig, Path]) -> None:
    command = [sys.executable, "-c", "from specsia_build.cli import main; main()", "report", str(begun[1]), "--watch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        url = served.stdout.readline().removesuffix("\n")
        try:
            with urlopen(url) as answer:
                page = answer.read().decode()
                assert answer.status == 200 and answer.headers["Cache-Control"] == "no-store"
            with urlopen(f"{url}document") as answer:
                address = json.load(answer)["items"][0]["sides"]["Y*"]["cover"]
            with urlopen(url + address) as answer:
                assert answer.headers["Content-Type"] == "image/webp"
            with pytest.raises(HTTPError, match="403"):
                urlopen(url.rstrip("/")[:-1] + "/")
        finally:
            os.kill(served.pid, signal.SIGINT)
        rest, said = served.communicate(timeout=300)
    assert page.startswith("<!DOCTYPE html>") and "connect-src 'self'" in page
    assert (served.returncode, rest) == (0, "")
    assert said == f"no longer served; `specsia report {begun[1]}` writes the page as a file\n"


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("RUN",), "--watch shows one run: leave out the other, or --watch"),
        (("--out", "page.html"), "--watch serves the page and writes none: leave out --out, or --watch"),
    ],
)
def test_what_cannot_be_watched_is_one_sentence(
    begun: tuple[BuildConfig, Path], more: tuple[str, ...], sentence: str
) -> None:
    done = CliRunner().invoke(main, ["report", str(begun[1]), *more, "--watch"])
    assert done.exit_code == 2 and sentence in done.stderr


def test_a_dataset_cannot_be_watched(begun: tuple[BuildConfig, Path]) -> None:
    done = CliRunner().invoke(main, ["report", str(begun[1] / "dataset"), "--watch"])
    assert done.exit_code == 2 and "is no run, which alone can be watched" in done.stderr
