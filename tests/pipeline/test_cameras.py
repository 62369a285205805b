"""`specsia build --cameras`: pairs seen by any cameras that look at the origin."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from specsia_build.cameras.records import read_cameras
from specsia_build.config import BuildConfig, with_settings
from specsia_build.dataset import truth
from specsia_build.dataset.pairs import decode_column
from specsia_build.dataset.schema import CAMERA_COLUMNS, LAYER_COLUMNS
from specsia_build.errors import UsageError
from specsia_build.frame import Camera
from specsia_build.stages.render import cameras_of
from tests import commands
from tests.shapes import write_folder

pytestmark = pytest.mark.usefixtures("no_workers")

LENS = "ring:4@elevation=25,fov=45,radius=2.2"


def build(source: Path, out: Path, *more: str | Path, code: int = 0) -> dict[str, Any]:
    shared = ("--size", "96", "--workers", "1", "--json")
    ran = commands.specsia("build", source, "--out", out, *shared, *more, code=code)
    return json.loads(ran.stdout) if ran.stdout.startswith("{") else {"error": ran.stderr}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("source") / "figures", 2)


def rows_of(out: Path) -> list[dict[str, Any]]:
    tables = [pq.read_table(path) for path in sorted((out / "dataset" / "data").glob("*.parquet"))]
    return [row for table in tables for row in table.to_pylist()]


def test_perspective_pairs(source: Path, tmp_path: Path) -> None:
    build(source, tmp_path / "out", "--cameras", LENS)
    rows = rows_of(tmp_path / "out")
    cameras = {(*(row[name] for name in CAMERA_COLUMNS), row["yaw_deg"]) for row in rows}
    assert cameras == {(25.0, 0.0, 45.0, 2.2, 90.0 * k) for k in range(4)}
    assert np.mean([row["iou"] for row in rows]) > 0.6
    # Reprojects every position through the row's own camera.
    commands.specsia("verify", tmp_path / "out" / "dataset")
    commands.specsia("export", tmp_path / "out", "--layout", "difix", "--out", tmp_path / "difix")
    for path in (tmp_path / "difix").glob("*/cameras/*/cameras.json"):
        assert [camera.fov_deg for camera in read_cameras(path).values()] == [45.0] * 4
    again = build(source, tmp_path / "out")
    assert {stage["built"] for stage in again["stages"] if stage["stage"] != "pack"} == {0}
    changed = build(source, tmp_path / "out", "--cameras", LENS.replace("25", "-10"))
    assert {stage["built"] for stage in changed["stages"] if stage["stage"] == "render"} == {2}
    plain = build(source, tmp_path / "out", "--views", "3")
    assert {stage["built"] for stage in plain["stages"] if stage["stage"] == "render"} == {2}
    assert {row["fov_deg"] for row in rows_of(tmp_path / "out")} == {None}


def test_the_first_view_is_nearest_to_the_front() -> None:
    cameras = cameras_of(BuildConfig(cameras="random:12", size=64), "somebody")
    towards = [camera.basis()[2][1] for camera in cameras]
    assert len(cameras) == 12 and towards[0] == max(towards)
    assert cameras != cameras_of(BuildConfig(cameras="random:12", size=64), "somebody else")


def test_a_plain_ring_is_that_of_views() -> None:
    assert BuildConfig(cameras="ring:7") == BuildConfig(views=7)


def test_published_layouts_refuse_other_cameras(source: Path, tmp_path: Path) -> None:
    build(source, tmp_path / "out", "--cameras", LENS)
    for where in (tmp_path / "out", tmp_path / "out" / "dataset"):
        commands.specsia("export", where, "--layout", "specsia-15k", "--out", tmp_path / "tree", code=1)


@pytest.mark.parametrize(
    "settings",
    [
        {"cameras": "ring:4@fov=180"},
        {"cameras": "ring:4@rows=60"},
        {"cameras": "sphere:4", "views": 3},
        {"cameras": "sphere:4", "frontal": "outlined"},
        {"cameras": "sphere:4", "clips": {}},
    ],
)
def test_cameras_that_pairs_cannot_have(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        with_settings(BuildConfig(size=96), settings, "test")


def test_layers_of_the_surface(source: Path, tmp_path: Path) -> None:
    names = "depth,normal,position,part,material,albedo,lit"
    build(source, tmp_path / "out", "--cameras", LENS, "--layers", names)
    commands.specsia("verify", tmp_path / "out" / "dataset")
    for row in rows_of(tmp_path / "out"):
        pictures = {name: decode_column(row[name]["bytes"], name) for name in LAYER_COLUMNS}
        camera = Camera(row["yaw_deg"], 96, **{name: row[name] for name in CAMERA_COLUMNS})
        mask = decode_column(row["gt_mask"]["bytes"], "gt_mask")
        shown = pictures["gt_depth"] > 0
        assert (shown == (mask > 0)).all()
        depth = truth.decode_depth(pictures["gt_depth"], camera.radius)[shown]
        points = truth.decode_points(pictures["gt_position"])[shown]
        assert depth == pytest.approx((points - camera.position()) @ camera.basis()[2], abs=3e-3)
        turned = pictures["gt_normal"].copy()
        turned[shown, :3] = 255 - turned[shown, :3]
        assert not [*truth.check_normal(camera, pictures["gt_normal"], mask)]
        assert [*truth.check_normal(camera, turned, mask)]
        assert [
            *truth.check_points(replace(camera, yaw_deg=camera.yaw_deg + 9), pictures["gt_position"], mask)
        ]
        assert [*truth.check_depth(camera, np.where(shown, pictures["gt_depth"], 1), mask)]


def test_layers_need_stills_of_the_fast_renderer() -> None:
    for settings in ({"layers": ["depht"]}, {"layers": ["depth"], "clips": {}}):
        with pytest.raises(UsageError):
            with_settings(BuildConfig(), settings, "test")
