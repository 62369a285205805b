"""Runs and datasets in the same terms, and readers that can be sent to another process."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import fsspec
import pytest

from specsia_build.dataset.convert.write import to_published
from specsia_build.dataset.reading import open_dataset
from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.gallery.items import TARGET
from specsia_build.gallery.opening import open_gallery
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.store import read_artefact
from specsia_build.stages import project, render
from tests.dataset.small import VIEWS, build_small
from tests.report.tiny_run import IDS, STRANGE_ID, tiny_run


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> RunLayout:
    return tiny_run(tmp_path_factory.mktemp("gallery"))[1]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("gallery") / "dataset", ("0", "1", "2"), backends=("fat", "thin"))


def test_a_run_is_read_some_frames_at_a_time(layout: RunLayout) -> None:
    gallery = open_gallery(str(layout.root))
    assert [item.id for item in gallery.items] == list(IDS)
    reader = pickle.loads(pickle.dumps(gallery.reader.only([STRANGE_ID])))
    clean = read_artefact(layout.artefact(render.STAGE, None, STRANGE_ID), STRANGE_ID).files
    made = read_artefact(layout.artefact(project.STAGE, "inflate", STRANGE_ID), STRANGE_ID).files
    assert reader.read(STRANGE_ID, TARGET, "gt", [2, 0]) == [clean["gt_02.png"], clean["gt_00.png"]]
    assert reader.read(STRANGE_ID, "inflate", "pos", [3]) == [made["pos_03.png"]]


def test_what_is_gone_since_is_told(layout: RunLayout, tmp_path: Path) -> None:
    shutil.copytree(layout.root, tmp_path / "run")
    gallery = open_gallery(str(tmp_path / "run"))
    with pytest.raises(SpecsiaError, match=r"has no gt_04\.png"):
        gallery.reader.read("0", TARGET, "gt", [4])
    shutil.rmtree(tmp_path / "run" / "artefacts")
    with pytest.raises(SpecsiaError, match="is not there: build again"):
        gallery.reader.read("1", "inflate", "color", [0])


def test_a_dataset_has_a_side_for_each_configuration(dataset: Path) -> None:
    gallery = open_gallery(str(dataset))
    opened = open_dataset(dataset)
    assert [item.id for item in gallery.items] == ["0", "1", "2"]
    item = gallery.items[1]
    assert list(item.sides) == [TARGET, *opened.configs]
    reader = pickle.loads(pickle.dumps(gallery.reader.only([item.id])))
    for config in opened.configs:
        rows = {
            row["view"]: row
            for row in opened.stream(config, item.split, ["character_id", "view", "color", "gt", "iou"])
            if row["character_id"] == item.id
        }
        assert item.sides[config].values["iou"] == tuple(rows[view]["iou"] for view in range(VIEWS))
        assert reader.read(item.id, config, "color", [3, 1]) == [rows[3]["color"], rows[1]["color"]]
        assert reader.read(item.id, TARGET, "gt", [0]) == [rows[0]["gt"]]


def test_the_published_schema_and_a_place_behind_a_url(dataset: Path, tmp_path: Path) -> None:
    to_published(open_dataset(dataset), tmp_path / "published")
    store = fsspec.filesystem("memory")
    try:
        store.put(f"{tmp_path / 'published'}/", "/bucket/set/", recursive=True)
        gallery = open_gallery("memory://bucket/set")
        item = gallery.items[0]
        assert item.license is None
        assert item.sides[TARGET].layers == ("gt",)
        assert item.yaws == (0, 90, 180, 270)
        (picture,) = gallery.reader.read(item.id, TARGET, "gt", [2])
        assert picture.startswith(b"\x89PNG")
    finally:
        store.store.clear()


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no build"):
        open_gallery(str(tmp_path))
    with pytest.raises(SpecsiaError):
        open_gallery(str(tmp_path / "nothing"))
