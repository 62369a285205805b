"""`specsia clips`: folders and a dataset of characters in motion."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from specsia_build.dataset.schema import MOVING_COLUMNS
from tests.artefacts import artefact
from tests.pipeline.moving import SECONDS, write_moving_figure
from tests.pipeline.test_build import made, specsia
from tests.shapes import write_figure

SMALL = ("--size", "64", "--views", "2", "--fps", "8", "--workers", "1")

FRAMES = int(SECONDS * 8)


def clips(source: str | Path, out: Path, *more: str | Path, code: int = 0) -> dict[str, Any]:
    return specsia("clips", source, "--out", out, *SMALL, "--json", *more, code=code)


def pictures(folder: Path, layer: str) -> list[np.ndarray[Any, Any]]:
    return [np.asarray(Image.open(path)) for path in sorted((folder / layer).iterdir())]


def folders(top: Path) -> list[Path]:
    """Of clips."""
    return sorted(path.parent for path in top.glob("*/clip.json"))


def record(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "clip.json").read_text())
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    """A folder of three figures, one with faults, its clips in both layouts, and what was printed."""
    top = tmp_path_factory.mktemp("clips with spaces")
    for name in ("one", "two"):
        write_moving_figure(top / "figures" / f"{name}.glb")
    write_moving_figure(top / "figures" / "odd.glb", spoilt=True)
    more = ("--layout", "frames", "--layout", "pairs", "--turntable", "--preview", "--workers", "2")
    return top / "figures", top / "out", clips(top / "figures", top / "out", *more)


def test_every_playable_clip(run: tuple[Path, Path, dict[str, Any]]) -> None:
    _, out, document = run
    names = {path.name for path in folders(out / "frames")}
    usual = {"go-00", "go-01", "wave-00", "wave-01", "turntable-00"}
    more = {"______etc_passwd-00", "______etc_passwd-01", "still-00", "still-01"}
    assert names == {f"{i}-{n}" for i in ("one", "two", "odd") for n in usual} | {f"odd-{n}" for n in more}
    assert document["clips"] == len(names)
    assert document["layouts"] == {"frames": 2 * len(names)}
    assert any(told.startswith("'nothing' cannot be played") for told in document["warnings"]["odd"])
    assert not any("nothing" in told for told in document["warnings"].get("one", []))


def test_clip_is_framed_as_a_whole(run: tuple[Path, Path, dict[str, Any]]) -> None:
    _, out, _ = run
    assert record(out / "frames" / "one-wave-01")["width"] == 1.35
    assert record(out / "frames" / "one-go-00")["width"] > 2
    for folder in folders(out / "frames"):
        for mask in pictures(folder, "mask"):
            assert not (mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any()), folder


def test_row_per_frame(run: tuple[Path, Path, dict[str, Any]]) -> None:
    _, out, document = run
    tables = [pq.read_table(path) for path in sorted((out / "dataset" / "data").glob("*.parquet"))]
    rows = [r for table in tables for r in table.drop_columns(["color", "mask", "pos", "edge"]).to_pylist()]
    assert tables[0].column_names == list(MOVING_COLUMNS)
    assert len(rows) == document["rows"]
    by_clip: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_clip.setdefault(row["clip"], []).append(row)
        assert row["uid"] == f"{row['clip']}_{row['frame']:04d}"
    for name, found in by_clip.items():
        assert [row["frame"] for row in found] == list(range(len(found))), name
        assert len({(row["character_id"], row["view"], row["action"]) for row in found}) == 1
        assert np.mean([row["iou"] for row in found]) > 0.6
    assert {row["action"] for row in rows} == {"wave", "go", "still", "../../etc/passwd", "turntable"}


def test_rerun_does_nothing(run: tuple[Path, Path, dict[str, Any]], tmp_path: Path) -> None:
    source, out, document = run
    before = [(out / folder).stat().st_ino for folder in ("dataset", "frames", "frames-relief")]
    again = specsia("clips", "--out", out, "--json")
    assert [(out / folder).stat().st_ino for folder in ("dataset", "frames", "frames-relief")] == before
    assert {stage: kept for stage, (new, kept) in made(again).items() if new} == {}
    more = ("--layout", "frames", "--layout", "pairs", "--turntable", "--preview")
    clips(source, tmp_path / "b", *more)
    assert (tmp_path / "b/dataset/SHA256SUMS").read_bytes() == (out / "dataset/SHA256SUMS").read_bytes()
    for folder in ("frames/one-wave-00", "frames-relief/odd-still-01"):
        for path in sorted((out / folder).rglob("*.png")):
            assert path.read_bytes() == (tmp_path / "b" / path.relative_to(out)).read_bytes()
    assert document["failures"] == []


def test_damage_is_remade_and_strangers_refused(tmp_path: Path) -> None:
    write_moving_figure(tmp_path / "a.glb")
    out = tmp_path / "out"
    clips(tmp_path / "a.glb", out)
    artefact(out, "draw", "a-wave-00").write_bytes(b"damage")
    (out / "frames/a-wave-00/pos/0001.png").unlink()
    shutil.rmtree(out / "frames/a-go-01")
    (out / "frames/mine").mkdir()
    (out / "frames/mine/note.txt").write_text("mine")
    refused = clips(tmp_path / "a.glb", out, "--clip", "wave", code=1)
    assert "frames holds mine/note.txt, " in refused["error"]
    assert (out / "frames/mine/note.txt").read_text() == "mine"
    shutil.rmtree(out / "frames/mine")
    clips(tmp_path / "a.glb", out, "--clip", "wave")
    assert [path.name for path in folders(out / "frames")] == ["a-wave-00", "a-wave-01"]
    assert len(pictures(out / "frames/a-wave-00", "pos")) == FRAMES


def test_clip_ids_are_unique(tmp_path: Path) -> None:
    """Neither of two characters whose ids and motions run together, nor motions that differ in case alone."""
    write_moving_figure(tmp_path / "a" / "a.glb", names=("b-wave", "go"))
    write_moving_figure(tmp_path / "a" / "a-b.glb", names=("wave", "WAVE"))
    document = clips(tmp_path / "a", tmp_path / "out", "--frames", "1", "--views", "1")
    names = {path.name for path in folders(tmp_path / "out/frames")}
    assert names == {"a-b_wave-00", "a-go-00", "a-b-wave-00", "a-b-WAVE_2-00"}
    assert document["clips"] == len(names)


def test_clips_and_builds_do_not_mix(tmp_path: Path) -> None:
    write_moving_figure(tmp_path / "a.glb")
    clips(tmp_path / "a.glb", tmp_path / "out", "--frames", "1")
    for wrong in (("--motion", "moonwalk"), ("--fps", "0"), ("--layout", "flipsketch", "--preview")):
        clips(tmp_path / "a.glb", tmp_path / "other", *wrong, code=2)
    none = clips(tmp_path / "a.glb", tmp_path / "none", "--clip", "fly*", code=1)
    assert "no character has a clip" in none["stopped"]
    assert "specsia clips" in specsia("build", "--out", tmp_path / "out", code=2)["error"]
    assert "all stages are up to date" in specsia("status", tmp_path / "out")["text"]


def test_status_of_layouts(tmp_path: Path) -> None:
    write_moving_figure(tmp_path / "two" / "goes.glb")
    write_figure(tmp_path / "two" / "still.obj")
    out = tmp_path / "out"
    document = clips(tmp_path / "two", out, "--layout", "paintbucket", "--frames", "3", "--views", "1")
    assert document["layouts"] == {"paintbucket": 1}

    def told() -> list[str]:
        return [" ".join(line.split()) for line in specsia("status", out)["text"].splitlines()[-2:]]

    assert told() == ["pack all is packed", "all stages are up to date"]
    next((out / "paintbucket").rglob("*.png")).unlink()
    assert told() == ["pack packed, but not as a build would pack it now", "a build would do: pack"]
    clips(tmp_path / "two", out, "--layout", "paintbucket", "--frames", "3", "--views", "1")
    assert told()[1] == "all stages are up to date"
    (out / "paintbucket" / "specsia.json").unlink()
    assert told()[1] == "a build would do: pack"
    (out / "paintbucket" / "SHA256SUMS").unlink()
    assert told() == ["pack nothing is packed yet", "a build would do: pack"]


def test_backends_own_clips_are_kept(tmp_path: Path) -> None:
    """The character's own file given as its reconstruction moves exactly as the character."""
    write_moving_figure(tmp_path / "figures" / "a.glb")
    write_moving_figure(tmp_path / "made" / "a.glb")
    more = ("--recipe", "dravie", "--backend", f"mesh-dir:{tmp_path / 'made'}", "--clip", "wave")
    clips(tmp_path / "figures", tmp_path / "out", *more)
    (shard,) = (tmp_path / "out/dataset/data").glob("*.parquet")
    ious = pq.read_table(shard)["iou"].to_pylist()
    assert len(ious) == 2 * FRAMES
    assert min(ious) > 0.98
