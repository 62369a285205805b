"""The Python library: each function alone, the same pictures as a build, refused arguments."""

import json
import os
import pickle
import runpy
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import specsia
import specsia_build
from specsia_build.backends.selftest import figure
from specsia_build.dataset.pairs import Pair
from specsia_build.library.checks import check_mesh, check_pixels
from specsia_build.warning import coded
from tests.commands import specsia as command
from tests.repairing.test_drawing import write_drawing

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
PIXELS = ("z", "pos", "gt", "gt_mask")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of three procedural characters by the command."""
    out = tmp_path_factory.mktemp("library") / "run"
    command("build", "sample:3", "--out", out, "--size", "96", "--views", "4", "--workers", "1")
    return out


def pairs_of(run: Path) -> specsia.Pairs:
    """The pairs of the first character of the build, made by hand."""
    knight = specsia.load(run / "source" / "sample-42" / "0", id="0")
    views = specsia.render(knight, views=4, size=96)
    return specsia.pair(specsia.reconstruct(views[0], character_id="0"), views)


def row_of(run: Path, uid: str) -> Pair:
    """A row of the build's dataset."""
    for split in ("train", "validation", "test"):
        data = specsia.open_dataset(run / "dataset", split)
        for index in range(len(data)):
            if data[index]["uid"] == uid:
                return data.pair(index)
    raise AssertionError(uid)


def test_library_pairs_equal_the_builds(run: Path) -> None:
    for pair in pairs_of(run):
        packed = row_of(run, pair.uid)
        for name in PIXELS:
            np.testing.assert_array_equal(getattr(pair, name), getattr(packed, name))
        assert (
            pair.iou == packed.iou and pair.backend == packed.backend and pair.outline_px == packed.outline_px
        )


def test_own_mesh_without_files() -> None:
    mesh = specsia.load("sample:1").mesh
    own = specsia.Mesh(**{field.name: getattr(mesh, field.name) for field in fields(mesh)})
    views = specsia.render(own, views=3, size=64, outline=(2, 0))
    assert [view.camera.yaw_deg for view in views] == [0, 120, 240]
    assert views.outline == (2, 0)
    pairs = specsia.pair(views.mesh, views)
    assert pairs.mean_iou > 0.99
    assert pairs[0].backend == "own"


def test_dataset_in_a_loader(run: Path) -> None:
    from torch.utils.data import DataLoader

    data = specsia.open_dataset(run / "dataset")
    assert len(data) == 4
    assert data[-1]["uid"] == data[3]["uid"]
    with pytest.raises(IndexError, match="no row 4"):
        data[4]
    with pytest.raises(specsia.UsageError, match="no split 'dev'"):
        specsia.open_dataset(run / "dataset", "dev")
    everything = [pair.uid for pair in data]
    assert everything[:4] == [data[k]["uid"] for k in range(4)]
    others = [specsia.open_dataset(run / "dataset", split) for split in ("validation", "test")]
    assert everything[4:] == [pair.uid for pairs in others for pair in pairs]
    again = pickle.loads(pickle.dumps(data))
    np.testing.assert_array_equal(again[1]["color"], data[1]["color"])
    batches = list(DataLoader(data, batch_size=3))
    assert [len(batch["uid"]) for batch in batches] == [3, 1]
    assert tuple(batches[0]["gt"].shape) == (3, 96, 96, 4)


def test_train_and_repair(run: Path, tmp_path: Path) -> None:
    data = specsia.open_dataset(run / "dataset")
    model = specsia.train(data, preset="tiny", steps=2, device="cpu")
    row = data[0]
    repaired = model.enhance(row)
    assert repaired.shape == (96, 96, 4) and repaired.dtype == np.uint8
    np.testing.assert_array_equal(model.enhance(data.pair(0)), repaired)
    np.testing.assert_array_equal(model.enhance(row["color"], row["pos"][..., :3]), repaired)
    with pytest.raises(specsia.UsageError, match="sees positions"):
        model.enhance(row["color"])
    with pytest.raises(specsia.UsageError, match="frontal=pair"):
        model.enhance(data.pair(0), data.pair(0))  # type: ignore[arg-type]  # as if it were the drawing
    with pytest.raises(specsia.UsageError, match="not from test"):
        specsia.train(specsia.open_dataset(run / "dataset", "test"), steps=2)
    kept = specsia.train(data, steps=2, out=tmp_path / "kept", device="cpu")
    np.testing.assert_array_equal(specsia.load_model(tmp_path / "kept", "cpu").enhance(row), repaired)
    assert kept.run == tmp_path / "kept"
    gone = model.run
    assert gone.is_dir()
    del model
    assert not gone.exists()


def test_reconstruct_warns_of_its_drawing(tmp_path: Path) -> None:
    large = Image.open(write_drawing(tmp_path)).convert("RGBA")
    small = large.crop(large.getbbox()).resize((60, 60))
    assert "small-drawing" in [warning.code for warning in specsia.reconstruct(small).warnings]


def test_repair_gives_what_the_command_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = write_drawing(tmp_path)
    command("repair", drawing, "--views", "2", "--size", "64", "--out", tmp_path / "out")
    written = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "out" / "repaired").iterdir())]
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    picture = Image.open(drawing)
    for same in (drawing, str(drawing), picture, np.asarray(picture)):
        repaired = specsia.repair(same, views=np.int64(2), size=64)
        np.testing.assert_array_equal(np.stack(repaired.frames), np.stack(written))
    assert list(empty.iterdir()) == []
    record = json.loads((tmp_path / "out" / "repair.json").read_text())
    assert repaired.drawing.shape == (64, 64, 4) and coded(repaired.warnings) == record["coded"]
    low, high = repaired.mesh.bounds()
    turned = specsia.repair(drawing, views=2, size=64, facing="left").mesh.bounds()
    assert turned[1][1] - turned[0][1] == pytest.approx(high[0] - low[0], abs=0.02)
    assert np.allclose((low + high)[:2], 0, atol=0.05) and 0.9 < float((high - low)[2]) <= 1.1
    for name in ("a.webp", "a.gif", "a.mp4"):
        assert repaired.film(tmp_path / name) == tmp_path / name
        assert (tmp_path / name).read_bytes() == (tmp_path / "out" / f"turn{name[1:]}").read_bytes()
    with pytest.raises(specsia.UsageError):
        repaired.film(tmp_path / "a.jpg")


def test_drawings_are_reconstructed(tmp_path: Path) -> None:
    drawing = write_drawing(tmp_path)
    picture = Image.open(drawing)
    white = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    pictures = (drawing, picture, np.asarray(picture), np.asarray(white))
    meshes = [specsia.reconstruct(same).mesh for same in pictures]
    for mesh in meshes[1:3]:
        np.testing.assert_array_equal(mesh.vertices, meshes[0].vertices)
    extents = [np.ptp(mesh.vertices, axis=0) for mesh in meshes]
    assert np.allclose(extents[3], extents[0], rtol=0.1)


@pytest.mark.parametrize("name", ["specsia", "specsia_build"])
def test_light_import(name: str) -> None:
    code = (
        "import sys, specsia_build; print([m for m in ('torch', 'numba', 'pyarrow', 'numpy') if m in "
        "sys.modules])"
    )
    code = code.replace("specsia_build", name)
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    assert ran.stdout.strip() == "[]"
    assert set(specsia.__all__) <= set(dir(specsia))
    assert specsia.__all__ == specsia_build.__all__
    for name in specsia.__all__:
        assert getattr(specsia, name) is getattr(specsia_build, name)


def test_examples_run_and_are_short(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawing = write_drawing(tmp_path)
    runs = (
        ("render_turntable", (), "24 views of 0 are in turntable"),
        ("own_reconstructor", (), "mean IoU over 8 views: own 0."),
        ("make_pairs", (), "10 pairs by relief"),
        ("repair_frames", ("pretrained", "pairs"), "10 frames are repaired in repaired"),
        ("repair_drawing", (str(drawing), "film"), "12 frames of "),
        ("own_characters", ("sample:2", "mine", "--size", "64", "--views", "2"), "dataset of 2 characters"),
        ("train_on_pairs", (str(run / "dataset"), "2"), "after 2 steps: L1 of Z 0."),
        ("read_from_hub", (str(run / "dataset"), "3"), "96 x 96 pixels, mean error 0."),
    )
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        for name, arguments, printed in runs:
            assert len((EXAMPLES / f"{name}.py").read_text().splitlines()) <= 60
            runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"](*arguments)
            assert printed in capsys.readouterr().out
    finally:
        os.chdir(before)
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {name for name, *_ in runs}


def test_short_notebook_output(characters_dir: Path) -> None:
    character = specsia.load(characters_dir / "kaykit" / "Mage.glb")
    views = specsia.render(character, views=2, size=64)
    guess = specsia.reconstruct(views[0])
    pairs = specsia.pair(guess, views)
    assert repr(views) == "Views('Mage', 2 views of 64 pixels)"
    assert "vertices=float32[" in repr(character) and "vertices=float32[" in repr(guess)
    assert "target=uint8[64, 64, 4]" in repr(views[0]) and "gt=uint8[64, 64, 4]" in repr(pairs[0])
    for value in (character, views, views[0], guess, pairs, pairs[0], list(pairs)):
        assert "\n" not in repr(value) and len(repr(value)) < 3000
    assert (pairs[0] == pairs[0], pairs[0] == pairs[1], pairs[1] in list(pairs)) == (True, False, True)
    assert (views[0] == views[0], views[0] == views[1], len({*views})) == (True, False, 2)


PICTURE = np.zeros((8, 8, 4), np.uint8)
PICTURE[2:6, 2:6] = (200, 100, 50, 255)


@pytest.mark.parametrize(
    "same", [PICTURE, PICTURE.tolist(), PICTURE.astype(np.int64), np.asfortranarray(PICTURE)]
)
def test_whole_numbers_are_pictures(same: Any) -> None:
    pixels = check_pixels(same, "a picture")
    np.testing.assert_array_equal(pixels, PICTURE)
    assert pixels.dtype == np.uint8 and pixels.flags.c_contiguous


@pytest.mark.parametrize(
    "other",
    [
        PICTURE / 255,
        PICTURE.astype(np.uint16) * 257,
        PICTURE.astype(int) - 1,
        PICTURE > 0,
        PICTURE[..., :2],
        "",
    ],
)
def test_other_pictures_are_refused(other: Any) -> None:
    for call in (lambda: check_pixels(other, "a picture"), lambda: specsia.reconstruct(other)):
        with pytest.raises(specsia.UsageError):
            call()


@pytest.mark.parametrize(
    "change",
    [
        {"vertices": [[0, 0, 0]]},
        {"faces": np.zeros((3, 4), np.int32)},
        {"faces": np.zeros((3, 3), np.float32)},
        {"faces": np.zeros((0, 3), np.int32)},
        {"faces": np.full((3, 3), 10**6, np.int32)},
        {"vertices": figure().vertices * np.float32(np.nan)},
        {"vertices": figure().vertices * np.float32(0)},
    ],
)
def test_arrays_that_are_not_meshes(change: dict[str, Any]) -> None:
    mesh = replace(figure())
    for name, value in change.items():
        object.__setattr__(mesh, name, value)
    for thing in (mesh, "man.glb", PICTURE):
        with pytest.raises(specsia.UsageError):
            check_mesh(thing)


def test_numpy_numbers_as_settings() -> None:
    views = specsia.render(figure(), views=np.int64(2), size=np.int32(32), outline=(np.uint8(1), 3))  # type: ignore[arg-type]
    assert len(views) == 2 and views.outline == (1, 3)


REFUSED: list[Callable[[Path], Any]] = [
    *(
        lambda _, s=s: specsia.repair(PICTURE, **s)
        for s in (
            {"views": 0},
            {"colour": 1},
            {"outline": "blue:99"},
            {"facing": "up"},
            {"pixel": "yes"},
            {"back": 3},
        )
    ),
    lambda folder: specsia.repair(folder / "nope.png"),
    *(
        lambda _, s=s: specsia.load("sample:1", **s)
        for s in ({"up": 3}, {"drop": "Head"}, {"id": "a/b"}, {"colour": 1})
    ),
    lambda _: specsia.load("sample:1", texture="nope.png"),
    lambda _: specsia.load("sample:2"),
    *(
        lambda _, s=s: specsia.render(figure(), **{"views": 1, "size": 32, **s})
        for s in (
            {"views": 0},
            {"views": 4.0},
            {"seed": "x"},
            {"colour": 1},
            {"outline": 3},
            {"outline": (1, 256)},
        )
    ),
    lambda _: specsia.reconstruct(PICTURE, "fusion"),
    lambda _: specsia.reconstruct(PICTURE, "fusion", ground_truth=PICTURE),  # type: ignore[arg-type]
    *(
        lambda folder, s=s: specsia.train(folder, **s)
        for s in ({"bla": 1}, {"steps": 1.5}, {"augment": True}, {"configs": "fat"}, {"device": "tpu"})
    ),
]


@pytest.mark.parametrize("call", REFUSED)
def test_wrong_arguments(call: Callable[[Path], Any], tmp_path: Path) -> None:
    with pytest.raises(specsia.UsageError):
        call(tmp_path)


def test_procedural_character_with_other_id() -> None:
    plain, named = specsia.load("sample:1"), specsia.load("sample:1", id="hero", drop=["none"])
    assert named.entry.id == "hero"
    np.testing.assert_array_equal(plain.mesh.vertices, named.mesh.vertices)
    with pytest.raises(specsia.SpecsiaError):
        specsia.render(plain, views=1, size=32, character_id="../x")
