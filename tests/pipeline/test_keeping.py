"""`--keep`: what a run drops once all is packed, and what brings it back."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from specsia_build.pipeline import index, keeping
from specsia_build.pipeline.executors import Lost
from specsia_build.pipeline.layout import layout_of
from specsia_build.pipeline.store import drop_files, is_dropped, is_intact, read_meta
from tests.clips import at_once, write_figures
from tests.pipeline.test_build import SMALL, build, made, specsia, sums
from tests.shapes import write_folder

pytestmark = pytest.mark.usefixtures("no_workers")

FIGURES = 3
DONE = {"render": (0, 3), "reconstruct": (0, 3), "project": (0, 3), "pack": (0, 3)}


@pytest.fixture(scope="module")
def whole(no_workers: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of figures and a run of it."""
    top = tmp_path_factory.mktemp("kept")
    source = write_folder(top / "figures", FIGURES)
    build(source, top / "run")
    return source, top / "run"


@pytest.fixture
def run(whole: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """That folder, and a copy of the run."""
    shutil.copytree(whole[1], tmp_path / "run")
    return whole[0], tmp_path / "run"


def digests(out: Path) -> dict[str, str]:
    top = out / "artefacts"
    return {str(path.relative_to(top)): hashlib.sha256(path.read_bytes()).hexdigest() for path in top.rglob("*.tar")}


def dropped(out: Path) -> dict[str, int]:
    """How many artefacts of each stage have given their files up."""
    top = out / "artefacts"
    return {stage.name: sum(map(is_dropped, stage.rglob("*.tar"))) for stage in top.iterdir()}


def size(out: Path) -> int:
    return sum(path.stat().st_size for path in out.rglob("*.tar"))


def test_what_is_needed_to_pack_anew_stays_and_nothing_else_does(run: tuple[Path, Path]) -> None:
    source, out = run
    before, whole = sums(out), size(out)
    told = build(source, out, "--keep", "needed")
    assert dropped(out) == {"render": 0, "reconstruct": FIGURES, "project": 0}
    assert told["freed"] == whole - size(out) > whole / 2
    again = build(source, out, "--keep", "needed")
    assert (made(again), again["freed"]) == (DONE, 0)
    build(source, out, "--exclude", str(_ids(out, "0")))
    build(source, out)
    assert sums(out) == before
    assert dropped(out)["reconstruct"] == FIGURES


def sums_of(folder: Path) -> str:
    return (folder / "SHA256SUMS").read_text()


def _ids(out: Path, *ids: str) -> Path:
    path = out.with_name("exclude.txt")
    path.write_text("\n".join(ids))
    return path


def test_a_run_that_keeps_nothing_is_done_and_says_what_it_cannot_show(run: tuple[Path, Path]) -> None:
    source, out = run
    before, whole = digests(out), size(out)
    metas = {path: read_meta(path) for path in out.rglob("*.tar")}
    assert build(source, out, "--keep", "none")["freed"] == whole - size(out)
    told = specsia("build", source, "--out", out, *SMALL, "--keep", "none")["error"]
    assert re.findall("specsia (report|verify) (.*)", told) == [
        (what, f"{out}/dataset") for what in ("report", "verify")
    ]
    assert dropped(out) == {"render": FIGURES, "reconstruct": FIGURES, "project": FIGURES}
    assert size(out) < 8_000 * len(before)
    assert {path: read_meta(path) for path in out.rglob("*.tar")} == metas
    (out / "state" / "index.sqlite").unlink()
    assert made(build(source, out)) == DONE
    assert specsia("status", out, "--json")["next"] == "all stages are up to date"
    specsia("report", out)
    assert "3 characters not shown, as --keep had dropped the pictures" in (out / "report.html").read_text()
    assert "--keep all makes them again" in specsia("sheet", out, "--out", out / "sheet.png", code=2)["error"]
    told = build(source, out, "--keep", "all")
    assert "made again, as --keep had dropped it" in told["error"]
    assert "damaged" not in told["error"]
    assert digests(out) == before


def test_what_needs_dropped_files_has_them_made_again_and_no_others(run: tuple[Path, Path]) -> None:
    source, out = run
    before = sums(out)
    build(source, out, "--keep", "none")
    next((out / "dataset" / "data").glob("validation-*")).unlink()
    told = build(source, out, "--keep", "none")
    assert sums(out) == before
    assert told["error"].count("made again, as --keep had dropped it") == FIGURES
    assert {stage["stage"]: stage["made"] for stage in told["stages"] if stage["stage"] != "pack"} == {
        "render": 1,
        "reconstruct": 1,
        "project": 1,
    }
    assert dropped(out) == {"render": FIGURES, "reconstruct": FIGURES, "project": FIGURES}


def test_nothing_is_dropped_unless_what_was_packed_reads_as_it_was_written(run: tuple[Path, Path]) -> None:
    source, out = run
    before = digests(out)
    shard = next((out / "dataset" / "data").glob("train-*"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    assert "so nothing is dropped" in build(source, out, "--keep", "none", code=1)["error"]
    assert digests(out) == before
    shard.unlink()
    build(source, out, "--keep", "none")
    assert sum(dropped(out).values()) == 3 * FIGURES


def test_a_file_whose_reader_is_lost_is_not_called_damaged(
    run: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = run

    @contextmanager
    def losing(*_: Any) -> Iterator[Any]:
        with at_once() as run:
            yield lambda function, items, *rest: (
                (number, Lost("it was killed") if function is keeping._is_whole else found)
                for number, found in run(function, items, *rest)
            )

    monkeypatch.setattr("specsia_build.pipeline.build.open_executor", losing)
    error = build(source, out, "--keep", "none", code=1)["error"]
    assert "was not read, so nothing is dropped: it was killed; the same command goes on" in error
    assert "delete it" not in error
    assert sum(dropped(out).values()) == 0


def test_killed_while_it_drops_it_goes_on_and_foreign_files_stay(
    run: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = run
    foreign = out / "artefacts" / "render" / "mine.txt"
    foreign.write_text("mine")
    calls = []

    def killed(path: Path) -> object:
        calls.append(path)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return drop_files(path)

    monkeypatch.setattr(keeping, "drop_files", killed)
    build(source, out, "--keep", "none", code=1)
    assert sum(dropped(out).values()) == 4
    monkeypatch.setattr(keeping, "drop_files", drop_files)
    build(source, out, "--keep", "none")
    assert sum(dropped(out).values()) == 3 * FIGURES
    assert foreign.read_text() == "mine"


def test_what_failed_keeps_its_artefacts(run: tuple[Path, Path]) -> None:
    source, out = run
    told = build(source, out, "--min-iou", "0.999", "--keep", "none", "--max-failures", "3", code=1)
    assert told["freed"] == 0
    assert dropped(out) == {"render": 0, "reconstruct": 0, "project": 0}


def test_samples_go_with_their_artefacts(tmp_path: Path) -> None:
    out = tmp_path / "run"
    build("sample:1", out, "--size", "64", "--views", "1", "--keep", "needed")
    assert not list(layout_of(out).source.rglob("*.obj"))


def test_a_build_without_work_opens_no_artefact_to_see_what_was_dropped(
    run: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = run
    build(source, out, "--keep", "needed")
    monkeypatch.setattr(keeping, "drop_files", pytest.fail)
    monkeypatch.setattr(index, "read_meta", pytest.fail)
    assert made(build(source, out, "--keep", "needed")) == DONE
    # What is said of all together was reckoned anew by then.
    monkeypatch.setattr(index.Index, "meta", pytest.fail)
    assert made(build(source, out, "--keep", "needed")) == DONE


def test_clips_end_once_every_recipe_is_written(tmp_path: Path) -> None:
    out = tmp_path / "clips"
    figures = write_figures(tmp_path / "figures")
    asked = ("--recipe", "frames", "--recipe", "dravie", "--size", "64", "--views", "1", "--frames", "2")
    specsia("clips", figures, "--out", out, *asked, "--keep", "needed")
    found = dropped(out)
    assert found["draw"] == found["move"] == 0
    assert found["render"] == found["reconstruct"] == FIGURES
    specsia("clips", figures, "--out", out, *asked, "--keep", "none")
    assert dropped(out)["draw"] > 0
    before = {path: path.read_bytes() for path in (out / "frames").rglob("*.png")}
    lost = next(iter(before))
    lost.unlink()
    told = specsia("clips", figures, "--out", out, *asked)
    assert "draw: made again, as --keep had dropped it" in told["error"]
    assert {path: path.read_bytes() for path in before} == before


def test_a_part_of_several_clips_has_all_of_them_made_again(tmp_path: Path) -> None:
    out, figures = tmp_path / "clips", write_figures(tmp_path / "figures", 1)
    asked: tuple[str, ...] = (
        "--recipe",
        "frames",
        "--recipe",
        "conr",
        "--backend",
        "inflate",
        "--size",
        "64",
        "--views",
        "3",
    )
    asked += ("--frames", "2", "--keep", "none")
    specsia("clips", figures, "--out", out, *asked)
    layouts = [out / name for name in ("frames", "frames-inflate", "conr")]
    before = {folder: sums_of(folder) for folder in layouts}
    for gone in (layouts[2:], layouts):
        for folder in gone:
            shutil.rmtree(folder)
        told = specsia("clips", figures, "--out", out, *asked)
        assert {folder: sums_of(folder) for folder in layouts} == before
    assert re.search("^frames +12 built in ", told["error"], re.MULTILINE)


def test_a_husk_is_an_artefact_without_its_files(run: tuple[Path, Path]) -> None:
    path = next((run[1] / "artefacts" / "render").rglob("*.tar"))
    meta, key = read_meta(path), path.stem
    freed = drop_files(path)
    assert freed is not None
    assert freed[0] > 0
    assert (drop_files(path), drop_files(path.with_name("none.tar"))) == (None, None)
    assert (read_meta(path), is_intact((path, key)), is_dropped(path)) == (meta, False, True)
    path.write_bytes(path.read_bytes()[:-1100])
    assert read_meta(path) is None
