"""A run's folder: ownership, locks, and what stopped or refused builds leave."""

import json
import shutil
from pathlib import Path

import pytest

from specsia_build.cli.runs import STAGE_NAMES
from specsia_build.config import BuildConfig
from specsia_build.dataset import splits
from specsia_build.errors import UsageError, WriteError
from specsia_build.files.writing import write_bytes
from specsia_build.pipeline import build as building
from specsia_build.pipeline.folder import check_folder, forget, locked, write_mark
from specsia_build.pipeline.run import RunPaths, effective
from specsia_build.pipeline.store import write_artefact
from specsia_build.stages import render
from specsia_build.stages.stage import Artefact, seal
from tests.artefacts import contents
from tests.shapes import write_figure


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("name", ["report.html", "artefacts/a.tar"])
def test_foreign_folder_is_refused(tmp_path: Path, name: str, fresh: bool) -> None:
    home = tmp_path / "home"
    write_bytes(home / name, b"mine: 1")
    config = BuildConfig(source=str(write_figure(tmp_path / "a.obj")))
    with pytest.raises(UsageError, match="name another --out"):
        building.build(config, RunPaths(home), STAGE_NAMES, fresh)
    assert contents(home) == {name: b"mine: 1"}


def test_folder_is_marked(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path / "run")
    check_folder(paths)
    write_mark(paths, "sample:3")
    check_folder(paths)
    mark = json.loads(paths.mark.read_text())
    assert (mark["kind"], mark["format"], mark["source"]) == ("specsia run", 1, "sample:3")
    paths.mark.write_text(json.dumps(mark | {"format": 2}))
    with pytest.raises(UsageError, match="newer version"):
        check_folder(paths)
    # A damaged mark is a run's all the same, and written anew.
    paths.mark.write_text("{")
    check_folder(paths)
    paths.mark.rename(paths.root / "notes.json")
    with pytest.raises(UsageError, match="holds no build"):
        check_folder(paths)


def test_stopped_first_build_keeps_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, out = write_figure(tmp_path / "a.obj"), tmp_path / "run"
    config, paths = effective(str(source), out, None, {"views": 6}, False)

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(building, "compile_once", stopped)
    with pytest.raises(KeyboardInterrupt):
        building.build(config, paths, STAGE_NAMES, False)
    assert effective(None, out, None, {}, False) == (config, paths)


@pytest.mark.parametrize("source", ["typo", "a.obj"])
def test_refused_first_build_leaves_nothing(tmp_path: Path, source: str) -> None:
    write_figure(tmp_path / "a.obj")
    paths = RunPaths(tmp_path / "run")
    with pytest.raises(UsageError, match=r"there is no|nothing to start from"):
        building.build(BuildConfig(source=str(tmp_path / source)), paths, ["project"], False)
    assert paths.root.exists() == (source == "a.obj")
    check_folder(paths)
    assert not paths.mark.exists()


def test_fresh_removes_what_builds_write(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path / "run")
    write_mark(paths, "sample:3")
    paths.splits.write_text(splits.to_json({"0": "train", "1": "train"}))
    own = (
        "artefacts/render/5f/0.tar", "artefacts/project/relief/6b/1.tar", "logs/tasks.jsonl",
        "logs/render/1.txt", "logs/draw/0-walk-00.txt", "logs/workers/gpu0.log",
        "quarantine/project/relief/1/color_00.png", "failures.jsonl", "dataset/README.md",
    )  # fmt: skip
    foreign = (
        "artefacts/mine.tar", "artefacts/render/deep/er/0.tar", "logs/diary.txt",
        "artefacts/render/0.tar", "quarantine/project/relief/1/holiday.png",
        "dataset/raw/photos.txt",
    )  # fmt: skip
    for name in (*own, *foreign, "notes.txt", "report.html", "source/sample-42/0/metadata.json"):
        write_bytes(paths.root / name, b"x")
    made = seal(Artefact("lost", {}, {}), "render", "mark", {})
    write_artefact(paths.artefact(render.RENDER, None, "lost"), made)
    write_bytes(paths.dataset / "SHA256SUMS", f"{'0' * 64}  README.md\n".encode())
    assert sorted(forget(paths)) == sorted(foreign)
    kept = {"notes.txt", "report.html", "source/sample-42/0/metadata.json", "specsia-run.json"}
    assert set(contents(paths.root)) == {*foreign, *kept}
    shutil.rmtree(paths.root)
    assert forget(paths) == []


def enter(paths: RunPaths) -> None:
    with locked(paths):
        pass


def test_locked_folder(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path / "out")
    with locked(paths), pytest.raises(UsageError):
        enter(paths)
    enter(paths)
    paths.lock.unlink()
    paths.lock.mkdir()
    with pytest.raises(WriteError, match="state/lock"):
        enter(paths)
