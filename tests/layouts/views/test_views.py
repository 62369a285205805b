"""Layouts of views: their files, their cameras against known numbers, faults, resumption, and bad input."""

from __future__ import annotations

import importlib.util
import io
import json
import shutil
import struct
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image

from benchmarks.trainers import FAULTS, READ_HERE
from specsia_build.layouts.part import read_parts
from specsia_build.layouts.registry import load_layout
from specsia_build.layouts.views.encoding import decode_exr
from specsia_build.layouts.writing import write_part
from tests.checksums import file_sums
from tests.commands import specsia
from tests.shapes import write_folder

HOMES = {
    "wonder3d": ("{}/0/0", 18, "RGBA rgb_000_front.png, L mask_000_left.png, RGB normals_000_back.png"),
    "instantmesh": ("{}/rendering_random_32views/0", 98, "RGBA 031_normal.png, L 000_depth.png"),
    "zero123plus": ("{}/rendering_zero123plus/0", 7, "RGBA 000.png, RGBA 006.png"),
    "zero123": ("{}/0", 25, "RGBA 011.png"),
    "mv-adapter": ("{}/ortho/0/0", 31, "RGBA color_0000.webp, RGBA normal_0009.webp"),
    "openlrm": ("views/0", 66, "RGBA rgba/031.png"),
    "nerfstudio": ("{}/0", 121, "RGBA images/000.png, I;16 depths/059.png"),
    "blender": ("{}/0", 103, "RGBA train/r_0.png, RGBA test/r_9.png, RGBA val/r_4.png"),
    "webdataset": ("{}", 1, ""),
    "mds": ("{}", 2, ""),
}
"""Where a layout has the files of the figure 0, their number, and modes and names of some pictures."""


@pytest.fixture(scope="module", autouse=True)
def inline() -> Iterator[None]:
    """Draw in this process, since starting workers takes longer than a few small figures."""
    with patch("specsia_build.pipeline.export.drawn_in_processes", lambda *_: enumerating):
        yield


def enumerating(tasks: Any) -> Iterator[Any]:
    yield from enumerate(map(write_part, tasks))


def export(where: object, layout: str, out: Path, *more: object, code: int = 0) -> Any:
    ran = specsia("export", where, "--layout", layout, "--out", out, "--json", *more, code=code)
    return json.loads(ran.stdout) if ran.stdout.startswith("{") else ran.stderr


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("views") / "figures", 3)


@pytest.fixture(scope="module", params=HOMES)
def exported(request: pytest.FixtureRequest, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / str(request.param)
    more = ("--layers", "depth,normal,part,lit") if request.param in READ_HERE else ()
    export(source, request.param, out, "--size", 96, *more)
    return out


def test_files_and_faults(exported: Path, tmp_path: Path) -> None:
    specsia("verify", exported)
    layout, parts = load_layout(exported.name), [*read_parts(exported / "parts.jsonl")]
    home, count, modes = HOMES[exported.name]
    (part,) = (part for part in parts if part.key == "0")
    folder = exported / home.format(part.split)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == count
    for mode, name in map(str.split, filter(None, modes.split(","))):
        with Image.open(folder / name) as image:
            assert (image.mode, image.size) == (mode, (96, 96))
    for name, spoil in FAULTS.get(exported.name, {}).items():
        shutil.copytree(exported, tmp_path / name)
        spoil(tmp_path / name)
        assert [*layout.check_part(tmp_path / name, part)], name
    if exported.name == "zero123":
        Image.new("RGBA", (48, 96), "red").save(folder / "000.png")
        (problem,) = layout.check_part(exported, part)
        assert problem == "0/000 has 48 x 96 pixels, not 96 x 96"


def test_cameras_have_known_numbers(source: Path, tmp_path: Path) -> None:
    small = ("--size", 64, "--limit", 1)
    export(source, "mv-adapter", tmp_path / "ortho", *small)
    (meta,) = (tmp_path / "ortho").glob("*/ortho/0/0/meta.json")
    front, right = json.loads(meta.read_text())["locations"][:2]
    known: Any = [[1, 0, 0, 0], [0, 0, -1, -1.8], [0, 1, 0, 0], [0, 0, 0, 1]]
    assert front["index"] == "0000" and np.allclose(front["transform_matrix"], known, atol=1e-9)
    known = [[0, 0, 1, 1.8], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
    assert right["index"] == "0001" and np.allclose(right["transform_matrix"], known, atol=1e-9)
    export(source, "nerfstudio", tmp_path / "scene", *small, "--cameras", "ring:4@fov=90,radius=2,rows=32")
    (transforms,) = (tmp_path / "scene").glob("*/0/transforms.json")
    frames = json.loads(transforms.read_text())["frames"]
    lens = np.array([[f[name] for name in ("fl_x", "fl_y", "cx", "cy", "w", "h")] for f in frames])
    assert np.allclose(lens, [32, 32, 32, 16, 64, 32])
    # The nose is nearest to the frontal camera, at -Y; the figure is as deep as it is long in the side view.
    depth = np.asarray(Image.open(transforms.parent / "depths" / "000.png")).astype(float)
    assert 2000 - 500 < depth[depth > 0].min() < 2000 < depth.max() + 250
    # Written cameras are read again, and give the same pictures.
    cameras = tmp_path / "scene" / "cameras.json"
    export(source, "nerfstudio", tmp_path / "again", "--limit", 1, "--cameras", cameras)
    (picture,) = (tmp_path / "again").glob("*/0/images/001.png")
    assert picture.read_bytes() == (transforms.parent / "images" / "001.png").read_bytes()
    export(source, "instantmesh", tmp_path / "mesh", *small)
    (poses,) = (tmp_path / "mesh").rglob("cameras.npz")
    matrices = np.load(poses)["cam_poses"]
    # World to camera: the origin is in front of all cameras, 4 units away.
    assert np.allclose(matrices[:, :, 3], [0, 0, -4], atol=1e-9)


def test_warnings_about_characters_are_told(source: Path, tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    text = "v 0 0 0\nv 1 0 0\nv 0 2 0\nv 0 0 1\nf 1 2 3\nf 1 2 4\nf 2 3 4\nf 1 3 4\n"
    (tmp_path / "figures" / "grey.obj").write_text(text)
    (tmp_path / "figures" / "list.jsonl").write_text("{}\n")
    for _ in range(2):
        more = ("--size", 64, "--cameras", "sphere:3")
        document = export(tmp_path / "figures", "nerfstudio", tmp_path / "out", *more)
        assert "list.jsonl" in document["notes"][0]
        assert ("front-unsure", "grey.obj") in [(w["code"], w["subject"]) for w in document["coded"]]
        assert [w["sentence"] for w in document["coded"]] == document["warnings"]


def test_figures_in_motion(source: Path, tmp_path: Path) -> None:
    small = ("--limit", 1, "--size", 64, "--cameras", "orbit:12@fov=40,radius=2.4", "--motion", "walk")
    for layout in ("blender", "nerfstudio", "webdataset"):
        export("sample:1", layout, tmp_path / layout, *small)
        specsia("verify", tmp_path / layout)
    (transforms,) = (tmp_path / "nerfstudio").glob("*/0/transforms.json")
    frames = json.loads(transforms.read_text())["frames"]
    assert [frame["time"] for frame in frames] == pytest.approx([k / 12 for k in range(12)])
    export("sample:1", "nerfstudio", tmp_path / "still", *small[:-2])
    folders = [tmp_path / "nerfstudio", tmp_path / "still"]
    paths = [path for folder in folders for path in sorted(folder.glob("*/0/images/*.png"))]
    masks = [np.asarray(Image.open(path))[..., 3] > 127 for path in paths]
    # A walking figure swings its limbs and stays in its place.
    overlaps = [(a & b).sum() / (a | b).sum() for a, b in zip(masks[:12], masks[12:], strict=True)]
    assert min(overlaps) > 0.3 and max(overlaps) < 0.95
    assert "at rest" in export("sample:1", "zero123", tmp_path / "no", "--motion", "walk", code=2)
    assert "no motion 'fly'" in export("sample:1", "blender", tmp_path / "no", "--motion", "fly", code=1)
    # Figures without a rig are left out.
    export(source, "blender", tmp_path / "no", "--motion", "walk", code=1)


def test_layers_of_a_sample(source: Path, tmp_path: Path) -> None:
    layers = "depth,normal,position,part,material,lit"
    more = ("--limit", 1, "--size", 64, "--cameras", "ring:2", "--layers", layers)
    for name in ("tars", "again"):
        export(source, "webdataset", tmp_path / name, *more)
    assert file_sums(tmp_path / "tars") == file_sums(tmp_path / "again")
    (path,) = (tmp_path / "tars").glob("*/0.tar")
    with tarfile.open(path) as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    assert {name.partition(".")[0] for name in files} == {"0-000", "0-001"}
    pictures = {f"{name}.png" for name in ("color", "lit", "material", "normal", "part")}
    suffixes = {name.partition(".")[2] for name in files}
    assert suffixes == {"json", "depth.exr", "position.exr", *pictures}
    alpha = np.asarray(Image.open(io.BytesIO(files["0-000.color.png"])))[..., 3]
    depth, position = decode_exr(files["0-000.depth.exr"]), decode_exr(files["0-000.position.exr"])
    record = json.loads(files["0-000.json"])
    away = record["c2w"][1][3]
    inner = alpha == 255
    assert np.allclose(position[inner][:, 1] - away, depth[inner], atol=1e-5)
    numbers = np.asarray(Image.open(io.BytesIO(files["0-000.part.png"]))).reshape(64, 64, -1)
    assert len(np.unique(numbers[inner], axis=0)) == 7 and not numbers[alpha == 0].any()
    export(source, "zero123", tmp_path / "none", *more, code=2)


def test_what_is_there_is_kept(source: Path, tmp_path: Path) -> None:
    figures, out = tmp_path / "figures", tmp_path / "out"
    shutil.copytree(source, figures)
    (figures / "bad.obj").write_text("v 0 0 nan\n")
    small = ("--size", 32, "--cameras", "random:2@fov=40")
    guess = export(figures, "zero123", out, *small, "--dry-run")
    assert (guess["characters"], guess["files"]) == (4, 20) and guess["bytes"] > 4000 and not out.exists()
    ran = export(figures, "zero123", out, *small, code=1)
    assert (ran["parts"], ran["kept"], len(ran["left_out"])) == (3, 0, 1) and "bad" in ran["left_out"][0]
    specsia("verify", out)
    before = file_sums(out)
    assert export(figures, "zero123", out, *small, code=1)["kept"] == 3 and file_sums(out) == before
    shutil.copy(figures / "0.obj", figures / "1.obj")
    assert export(figures, "zero123", out, *small, code=1)["kept"] == 2
    changed = {name for name, digest in file_sums(out).items() if before.get(name) != digest}
    assert {name.split("/")[-2] for name in changed if name.count("/") > 1} == {"1"}


@pytest.mark.parametrize(
    "request_",
    [
        "zero123 --cameras ring:4",
        "zero123 --cameras missing.json",
        "zero123 --cameras ring:4@fov=40,rows=32",
        "zero123 --strict",
        "instantmesh --cameras sphere:31@fov=50",
        "instantmesh --cameras sphere:32@fov=40",
        "wonder3d --cameras ring:6",
        "blender --cameras sphere:9",
        "nerfstudio --layers shine",
        "wonder3d --backend relief",
        "specsia-15k",
    ],
)
def test_bad_requests(source: Path, request_: str, tmp_path: Path) -> None:
    layout, *more = request_.split()
    sentence = export(source, layout, tmp_path / "out", *more, "--limit", 1, code=2)
    assert len(sentence.strip().splitlines()) == 1 and not (tmp_path / "out").exists()


def test_pairs_as_rows_of_difix(dataset: Path, tmp_path: Path) -> None:
    export(dataset, "difix", tmp_path / "difix", "--backend", "fat")
    rows = json.loads((tmp_path / "difix" / "data.json").read_text())
    assert {split: len(listed) for split, listed in rows.items()} == {"train": 4, "validation": 4, "test": 4}
    for row in rows["train"].values():
        for kind in ("image", "target_image", "ref_image"):
            with Image.open(tmp_path / "difix" / row[kind]) as picture:
                assert (picture.mode, picture.size) == ("RGB", (171, 96))
                assert picture.getpixel((0, 0)) == (255, 255, 255)
    specsia("verify", tmp_path / "difix")
    export(dataset, "webdataset", tmp_path / "tars", "--backend", "fat")
    specsia("verify", tmp_path / "tars")
    refused = export(dataset, "wonder3d", tmp_path / "none", "--backend", "fat", code=2)
    assert "drawn from characters" in refused


def read_mds(folder: Path) -> Iterator[dict[str, bytes]]:
    """The samples of a split, by the offsets and sizes that MosaicML's reader takes."""
    for shard in json.loads((folder / "index.json").read_text())["shards"]:
        data = (folder / shard["raw_data"]["basename"]).read_bytes()
        assert len(data) == shard["raw_data"]["bytes"] and shard["column_sizes"].count(None) > 2
        for k in range(shard["samples"]):
            begin, end = struct.unpack_from("<2I", data, 4 + 4 * k)
            sizes = struct.unpack_from(f"<{len(shard['column_names'])}I", data, begin)
            values = io.BytesIO(data[begin + 4 * len(sizes) : end])
            yield dict(zip(shard["column_names"], map(values.read, sizes), strict=True))


def test_shards_of_mosaicml(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "mds"
    export(dataset, "mds", out, "--backend", "fat")
    specsia("verify", out)
    export(dataset, "webdataset", tmp_path / "tars", "--backend", "fat")
    for split in ("train", "validation", "test"):
        (tar,) = (tmp_path / "tars" / split).glob("*.tar")
        with tarfile.open(tar) as archive:
            files = {name: archive.extractfile(name).read() for name in archive.getnames()}  # type: ignore[union-attr]
        samples = [*read_mds(out / split)]
        keys = [sample.pop("__key__").decode() for sample in samples]
        named = zip(keys, samples, strict=True)
        assert files == {f"{key}.{name}": data for key, sample in named for name, data in sample.items()}
    if importlib.util.find_spec("streaming"):
        assert READ_HERE["mds"](out) == (True, "12 samples")
    (part,) = (part for part in read_parts(out / "parts.jsonl") if part.split == "train")
    shard = out / "train" / f"{part.key}.mds"
    whole = shard.read_bytes()
    end = struct.pack("<I", len(whole))
    spoilt = {
        b"": "is cut short",
        whole[:9]: "is cut short",
        whole[:-9]: "is not a shard",
        whole.replace(b"__key__", b"__kex__"): "is not a shard",
        whole[:8] + end + whole[12:]: "another size",
    }
    for data, problem in spoilt.items():
        shard.write_bytes(data)
        problems = json.loads(specsia("verify", out, "--json", code=1).stdout)["problems"]
        assert any(problem in entry["message"] for entry in problems if entry["check"] == "layout")
