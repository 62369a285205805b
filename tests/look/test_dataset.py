"""Packed datasets and sources as galleries and pages."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest
from click.testing import CliRunner

from specsia_build import png
from specsia_build.cli import main
from specsia_build.dataset.convert import to_published
from specsia_build.dataset.reading import open_dataset
from specsia_build.look.items import TARGET
from specsia_build.look.open import open_gallery
from tests.characters.bodies import write_glb
from tests.dataset.small import VIEWS, build_small
from tests.look.shown import document_of, frames_of, item_of, report_of


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_small(tmp_path_factory.mktemp("page") / "dataset", ("0", "1", "2"), backends=("fat", "thin"))


def test_sides_are_configurations(dataset: Path, tmp_path: Path) -> None:
    gallery, opened = open_gallery(str(dataset)), open_dataset(dataset)
    item = gallery.items[1]
    assert list(item.sides) == [TARGET, *opened.configs]
    document = report_of(dataset, tmp_path / "page.html")
    for config in opened.configs:
        columns = ["character_id", "view", "color", "gt_mask", "iou"]
        found = opened.stream(config, item.split, columns)
        rows = {row["view"]: row for row in found if row["character_id"] == item.id}
        assert item.sides[config].values["iou"] == tuple(rows[view]["iou"] for view in range(VIEWS))
        read = gallery.reader.read(item.id, config, ["color"], [3, 1])
        assert read == {"color": [rows[3]["color"], rows[1]["color"]]}
        strip = item_of(document, item.id)["sides"]["Y*"]["strips"]["gt_mask"]
        masks = frames_of(strip, document, tmp_path / "page.html")
        assert all((masks[view] == png.decode(rows[view]["gt_mask"], 1)).all() for view in range(VIEWS))
    assert open_dataset(dataset).digest() in "".join(section["html"] for section in document["sections"])


def test_the_page_lies_beside_the_dataset(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["report", str(dataset)])
    assert done.exit_code == 0, done.output
    assert (dataset.parent / "dataset-report.html").is_file()
    assert not list(tmp_path.iterdir())


def test_published_schema_behind_a_url(dataset: Path, tmp_path: Path) -> None:
    to_published(open_dataset(dataset), tmp_path / "published")
    store = fsspec.filesystem("memory")
    try:
        store.put(f"{tmp_path / 'published'}/", "/bucket/set/", recursive=True)
        gallery = open_gallery("memory://bucket/set")
        item = gallery.items[0]
        assert (item.license, item.sides[TARGET].layers, item.yaws) == (None, ("gt",), (0, 90, 180, 270))
        (picture,) = gallery.reader.read(item.id, TARGET, ["gt"], [2])["gt"]
        assert picture.startswith(b"\x89PNG")
        assert CliRunner().invoke(main, ["report", "memory://bucket/set"]).exit_code == 2, "there is no place beside it"
    finally:
        store.store.clear()


def test_source(tmp_path: Path) -> None:
    source, page = tmp_path / "in", tmp_path / "look.html"
    source.mkdir()
    write_glb(source / "sound.glb", {}, {})
    (source / "broken.obj").write_text("v 0 0 0\n")
    ran = CliRunner().invoke(main, ["characters", str(source), "--pictures", str(page)])
    assert ran.exit_code == 0, ran.output
    document = document_of(page)
    assert (document["kind"], [one["id"] for one in document["items"]]) == ("source", ["sound"])
    assert [one["id"] for one in document["failures"]] == ["broken"]
    (shown,) = frames_of(item_of(document, "sound")["sides"]["Y*"]["strips"]["gt"], document, page)
    red, green, blue = shown[shown[..., 3] > 128][:, :3].mean(axis=0)
    assert red > 1.3 * green > 1.3 * blue
