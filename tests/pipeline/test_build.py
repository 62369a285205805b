"""`specsia build`: results, reruns, and failures."""

import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from specsia_build.dataset.schema import COLUMNS, IMAGE_COLUMNS
from tests import commands
from tests.dataset.small import read_rows, shard
from tests.shapes import lines_of, write_broken, write_figure, write_folder

pytestmark = pytest.mark.usefixtures("no_workers")

SMALL = ("--size", "96", "--views", "4", "--workers", "1")


def specsia(*arguments: str | Path, code: int = 0) -> dict[str, Any]:
    """Run the command; returns its JSON document, or its error line under `error`."""
    ran = commands.specsia(*arguments, code=code)
    document = json.loads(ran.stdout) if ran.stdout.startswith("{") else {}
    return {"error": ran.stderr, "text": ran.stdout, **document}


def build(source: str | Path, out: Path, *more: str | Path, code: int = 0) -> dict[str, Any]:
    return specsia("build", source, "--out", out, *SMALL, "--json", *more, code=code)


def sums(out: Path) -> str:
    return (out / "dataset" / "SHA256SUMS").read_text()


def made(document: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {stage["stage"]: (stage["built"], stage["kept"]) for stage in document["stages"]}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    """A folder of five figures, an undisturbed build of it in a process of its own, and what that printed."""
    top = tmp_path_factory.mktemp("a run with spaces")
    source = write_folder(top / "my figures", 5)
    more = ["--out", str(top / "out"), *SMALL, "--workers", "2", "--json"]
    command = [*commands.COMMAND, "build", str(source), *more]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    return source, top / "out", json.loads(ran.stdout)


Copied = tuple[Path, Path, Path]
"""The folder of figures, the undisturbed build of it, and a copy of that which a test may change."""


@pytest.fixture
def copied(run: tuple[Path, Path, dict[str, Any]], tmp_path: Path) -> Copied:
    source, whole, _ = run
    shutil.copytree(whole, tmp_path / "out")
    return source, whole, tmp_path / "out"


def test_datasets_loads_three_splits(run: tuple[Path, Path, dict[str, Any]], tmp_path: Path) -> None:
    from datasets import load_dataset

    pairs = load_dataset(str(run[1] / "dataset"), cache_dir=str(tmp_path))
    assert {name: len(split) for name, split in pairs.items()} == {"train": 12, "validation": 4, "test": 4}
    assert tuple(pairs["train"].column_names) == COLUMNS
    row = pairs["train"][0]
    for column, mode in IMAGE_COLUMNS.items():
        assert isinstance(row[column], Image.Image)
        assert (row[column].size, row[column].mode) == ((96, 96), mode)
    assert row["yaw_deg"] == 90.0 * row["view"]
    assert len(row["bbox_min"]) == 3


def test_rows_are_upright(run: tuple[Path, Path, dict[str, Any]]) -> None:
    row = next(r for r in read_rows(shard(run[1] / "dataset")) if r["view"] == 0)
    gt = np.asarray(Image.open(io.BytesIO(row["gt"]["bytes"]))).astype(int)
    mask = np.asarray(Image.open(io.BytesIO(row["gt_mask"]["bytes"])))
    inside = mask == 255
    blue = inside & (gt[..., 2] > gt[..., 0] + 50) & (gt[..., 2] > gt[..., 1] + 50)
    green = inside & (gt[..., 1] > gt[..., 0] + 50) & (gt[..., 1] > gt[..., 2] + 50)
    # The left arm is blue and the right one green; the viewer sees the figure's left on the picture's right.
    assert np.nonzero(blue)[1].mean() > 48 > np.nonzero(green)[1].mean()
    rows = np.nonzero(inside)[0]
    skin = inside & (gt[..., 0] > 200) & (gt[..., 1] > 150)
    assert np.nonzero(skin)[0].mean() < rows.mean()


def test_same_bytes_by_other_workers_elsewhere(
    run: tuple[Path, Path, dict[str, Any]], tmp_path: Path
) -> None:
    source, out, _ = run
    build(source, tmp_path / "elsewhere")
    assert sums(tmp_path / "elsewhere") == sums(out)


def test_no_machine_paths(run: tuple[Path, Path, dict[str, Any]]) -> None:
    for path in (run[1] / "dataset").rglob("*"):
        if path.is_file():
            assert str(run[0].parent).encode() not in path.read_bytes()


def test_moved_source_continues(copied: Copied, tmp_path: Path) -> None:
    source, whole, out = copied
    for index in range(5):
        write_figure(tmp_path / "others" / f"{index}.obj", 1.4 + 0.05 * index)
    refused = build(tmp_path / "others", out, code=2)
    assert "another source" in refused["error"]
    assert sums(out) == sums(whole)
    assert str(source) in (out / "config.yaml").read_text()
    shutil.copytree(source, tmp_path / "moved")
    assert made(build(tmp_path / "moved", out))["render"] == (0, 5)


def test_bad_characters_do_not_stop_the_rest(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "mixed", 4)
    write_broken(source)
    stopped = build(source, tmp_path / "out", code=1)
    assert "--max-failures 3" in stopped["stopped"]
    assert stopped["rows"] is None
    assert {failure["code"] for failure in stopped["failures"]} == {"unusable"}
    failures = {str(f["id"]): str(f["reason"]) for f in lines_of(tmp_path / "out" / "failures.jsonl")}
    assert set(failures) == {"corrupt", "empty", "nan"}
    assert "corrupt.glb" in failures["corrupt"]
    assert "empty.obj" in failures["empty"]
    assert "nan.obj" in failures["nan"]
    assert "not finite" in failures["nan"]
    went_on = build(source, tmp_path / "out", "--max-failures", "3")
    assert went_on["rows"] == 20
    coded = stopped["coded"]["untextured"]
    assert [record["sentence"] for record in coded] == stopped["warnings"]["untextured"]
    assert ("file-missing", "not_there.png") in [(record["code"], record["subject"]) for record in coded]
    logged = lines_of(tmp_path / "out" / "logs/warnings.jsonl")
    assert logged == [{"id": name, **w} for name, own in went_on["coded"].items() for w in own]
    assert made(went_on)["project"] == (0, 5)


def test_missing_input_names_its_stage(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "figures", 3)
    refused = specsia("build", source, "--out", tmp_path / "out", *SMALL, "--stage", "project", code=2)
    assert "--stage render" in refused["error"] or "--stage reconstruct" in refused["error"]
    only = build(source, tmp_path / "out", "--stage", "render")
    assert made(only) == {"render": (3, 0)}
    stages = ("--stage", "reconstruct", "--stage", "project")
    went_on = specsia("build", "--out", tmp_path / "out", *stages, "--json")
    assert made(went_on) == {"reconstruct": (3, 0), "project": (3, 0)}
    packed = specsia("build", "--out", tmp_path / "out", "--json")
    assert packed["rows"] == 12


def test_excluding_keeps_splits(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "figures", 4)
    build(source, tmp_path / "all", "--stage", "render")
    names = tmp_path / "exclude.txt"
    names.write_bytes("\ufeff1\r\n\n 3 \nnöbody\n".encode())
    few = build(source, tmp_path / "out", "--stage", "render", "--exclude", names)
    assert few["characters"] == 2
    assert "none of these 1: nöbody" in few["error"]
    splits = [(tmp_path / name / "splits.json").read_bytes() for name in ("all", "out")]
    assert splits[0] == splits[1]
    # It holds for one command, as a limit does.
    assert made(build(source, tmp_path / "out", "--stage", "render")) == {"render": (2, 2)}


def test_two_backends_two_configurations(tmp_path: Path) -> None:
    from datasets import load_dataset

    source = write_folder(tmp_path / "figures", 3)
    build(source, tmp_path / "out", "--backend", "relief", "--backend", f"mesh-dir:{source}")
    assert made(build(source, tmp_path / "out"))["pack"] == (0, 6)
    pairs = load_dataset(str(tmp_path / "out" / "dataset"), "mesh-dir", cache_dir=str(tmp_path / "cache"))
    # The side of a box may lie along pixel centres, where a thousandth of a pixel decides on a whole column.
    assert min(pairs["train"]["iou"]) > 0.98
    assert str(tmp_path) not in (tmp_path / "out" / "dataset" / "README.md").read_text()


def write_slab(path: Path) -> Path:
    """A mesh that is far wider than high: no figure."""
    path.write_text("v 0 0 0\nv 1 0 0\nv 0 0.01 0\nv 0 0 0.01\nf 1 3 2\nf 1 2 4\nf 2 3 4\nf 1 4 3\n")
    return path


def test_low_quality_does_not_stop_pack(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "figures", 4)
    write_broken(source)
    wrong = write_folder(tmp_path / "wrong", 4)
    for name in ("0.obj", "1.obj", "untextured.obj"):
        write_slab(wrong / name)
    arguments = ("--backend", f"mesh-dir:{wrong}", "--max-failures", "3")
    document = build(source, tmp_path / "out", *arguments)
    assert (document["failed"], document["low_quality"], document["rows"]) == (3, 3, 8)
    assert {f["id"] for f in document["failures"] if f["low_quality"]} == {"0", "1", "untextured"}
    folder = tmp_path / "out" / "quarantine" / "project" / "mesh-dir" / "1"
    kinds = {"gt": "RGBA", "color": "RGBA", "mask": "L", "overlay": "RGB"}
    pictures = {f"{kind}_{view:02d}.png" for kind in kinds for view in range(4)}
    assert {path.name for path in folder.iterdir()} == pictures | {"why.txt"}
    assert {kind: Image.open(folder / f"{kind}_01.png").mode for kind in kinds} == kinds
    assert "mean IoU of 0." in (folder / "why.txt").read_text()
    told = specsia("build", "--out", tmp_path / "out", *arguments)["error"]
    assert "8 characters of figures, 3 failed" in told
    aside = "3 characters (0, 1, untextured) at project mesh-dir"
    assert f"  quarantined  {aside}" in told
    assert f"quarantined: {aside}" in specsia("status", tmp_path / "out")["text"]


@pytest.mark.parametrize(("what", "left"), [("data/*.parquet", 0.5), ("teaser.webp", None)])
def test_damaged_dataset_is_repaired(copied: Copied, what: str, left: float | None) -> None:
    _, whole, out = copied
    before = {path: path.read_bytes() for path in (out / "dataset").glob(what)}
    for path, data in before.items():
        path.unlink() if left is None else path.write_bytes(data[: int(left * len(data))])
    assert "up to date" not in specsia("status", out)["text"]
    specsia("build", "--out", out, "--json")
    assert {path: path.read_bytes() for path in before} == before
    assert sums(out) == sums(whole)
