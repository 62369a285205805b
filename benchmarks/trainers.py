"""Exports read by trainers' own dataset classes: ``python -m benchmarks.trainers CHECKERS PYTHON [SOURCE]``.

Exports a few characters of SOURCE in each layout, has `specsia verify` check the folder, and runs
``PYTHON CHECKERS/NAME.py`` on it: programs that load a folder by the class of the project that trains on
it, and end with a sentence and the exit code 0 if that works and cameras, depth and normals agree. Then a
copy with one fault (`faults`) must be refused. `webdataset` and `mds` are read by their libraries here; that
of `mds`, `mosaicml-streaming`, needs an environment of its own. Prints a JSON line a layout; exits with 1 if
something is not as it should be. `--keep` leaves the folders and a sheet of each.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import numpy as np
from PIL import Image

from specsia_build import npz, png

CHECKED = {
    "wonder3d": "*",
    "instantmesh": "*",
    "zero123plus": "*",
    "zero123": "*",
    "mv-adapter": "*",
    "openlrm": "views/*",
    "nerfstudio": "*/*",
    "blender": "*/*",
    "difix": "data.json",
}
"""Layouts, and what a checker takes in their folders, one for each character at best."""


def specsia(*arguments: object) -> None:
    """Run a command of specsia; raises CalledProcessError if it fails."""
    command = [sys.executable, "-m", "specsia_build", *map(str, arguments)]
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(command, check=True, **streams)  # type: ignore[call-overload]  # noqa: S603


def export(layout: str, source: str, limit: int, work: Path) -> Path:
    """The folder of an exported and verified layout."""
    out = work / layout
    if layout == "difix":
        run = work / "run"
        specsia("build", source, "--limit", limit, "--min-iou", 0, "--size", 256, "--out", run)
        specsia("export", run, "--layout", layout, "--out", out)
    else:
        specsia("export", source, "--limit", limit, "--layout", layout, "--out", out)
    specsia("verify", out)
    return out


def folders(layout: str, out: Path) -> Iterator[Path]:
    """Folders that a checker takes, one for each character at best."""
    for path in sorted(out.glob(CHECKED[layout])):
        if layout == "openlrm":
            # One list for all characters, of which the checker takes the first.
            only = out.with_name(f"openlrm-{path.name}")
            (only / "views").mkdir(parents=True, exist_ok=True)
            shutil.copytree(path, only / "views" / path.name, dirs_exist_ok=True)
            (only / "train_uids.json").write_text(json.dumps([path.name]))
            yield only
        elif path.is_dir() or layout == "difix":
            yield path if path.is_dir() else path.parent


def check(python: str, checkers: Path, layout: str, folder: Path) -> tuple[bool, str]:
    """Whether a checker takes a folder, and its last line."""
    command = [python, str(checkers / f"{layout.replace('-', '')}.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    lines = (done.stdout.strip() or done.stderr.strip()).splitlines() or [""]
    return done.returncode == 0, lines[-1]


def read_tars(folder: Path) -> tuple[bool, str]:
    """Whether `webdataset` reads all samples of a folder, and how many."""
    import webdataset

    shards = sorted(map(str, folder.glob("*/*.tar")))
    samples = list(webdataset.WebDataset(shards, shardshuffle=False).decode("pil"))
    whole = all(sample["json"] and sample["color.png"].size[0] > 0 for sample in samples)
    return whole and bool(samples), f"{len(samples)} samples of {len(shards)} tars"


def read_shards(folder: Path) -> tuple[bool, str]:
    """Whether MosaicML's `streaming` reads all samples of a folder, and how many."""
    from streaming import LocalDataset, StreamingDataset

    count = 0
    for index in sorted(folder.glob("*/index.json")):
        samples = LocalDataset(str(folder), index.parent.name)
        streamed = StreamingDataset(local=str(folder), split=index.parent.name, batch_size=1)
        for sample, same in zip(samples, streamed, strict=True):
            assert sample["json"] == same["json"] and sample["color.png"].size[0] > 0
            count += 1
    return count > 0, f"{count} samples"


READ_HERE = {"webdataset": read_tars, "mds": read_shards}


def inverted(matrix: np.ndarray) -> np.ndarray:
    """World to camera (3, 4) for camera to world, and the other way round."""
    return np.linalg.inv(np.vstack([matrix, [0, 0, 0, 1]]))[:3]


def _invert_npy(folder: Path, pattern: str) -> None:
    for path in folder.rglob(pattern):
        np.save(path, inverted(np.load(path)))


def _invert_npz(folder: Path) -> None:
    for path in folder.rglob("cameras.npz"):
        poses = np.load(path)["cam_poses"]
        path.write_bytes(npz.encode_named({"cam_poses": np.stack([*map(inverted, poses)])}))


def _world_normals(folder: Path) -> None:
    """Turn normals of the side views into the axes of the front view."""
    for path in folder.rglob("normals_000_right.png"):
        levels = np.asarray(Image.open(path))
        turned = np.stack([levels[..., 2], levels[..., 1], 255 - levels[..., 0]], axis=2)
        path.write_bytes(png.encode(np.ascontiguousarray(turned)))


def _camera_normals(folder: Path) -> None:
    """Turn normals of the frame, Z up, into the axes of a camera in front."""
    for path in folder.rglob("*_normal.png"):
        red, green, blue, alpha = np.moveaxis(np.asarray(Image.open(path)), 2, 0)
        path.write_bytes(png.encode(np.ascontiguousarray(np.stack([red, blue, 255 - green, alpha], axis=2))))


def _flip_axes(folder: Path, pattern: str) -> None:
    """Let cameras of JSON files have OpenCV's axes: y down, z forwards."""
    for path in folder.rglob(pattern):
        document = json.loads(path.read_text())
        for frame in document.get("frames") or document.get("locations"):
            matrix = np.array(frame["transform_matrix"]) * [1, -1, -1, 1]
            frame["transform_matrix"] = matrix.tolist()
        path.write_text(json.dumps(document))


def _mirror(folder: Path, pattern: str) -> None:
    for path in folder.rglob(pattern):
        path.write_bytes(png.encode(np.ascontiguousarray(np.asarray(Image.open(path))[:, ::-1])))


def _swap(folder: Path, one: str, other: str) -> None:
    for path in folder.rglob(one):
        beside = path.with_name(other)
        first, second = path.read_bytes(), beside.read_bytes()
        path.write_bytes(second)
        beside.write_bytes(first)


FAULTS: dict[str, dict[str, Callable[[Path], None]]] = {
    "wonder3d": {"world normals": _world_normals},
    "instantmesh": {"camera to world": _invert_npz, "camera normals": _camera_normals},
    "zero123plus": {"views swapped": lambda folder: _swap(folder, "001.png", "003.png")},
    "zero123": {"camera to world": lambda folder: _invert_npy(folder, "*.npy")},
    "mv-adapter": {"axes": lambda folder: _flip_axes(folder, "meta.json")},
    "openlrm": {"world to camera": lambda folder: _invert_npy(folder, "pose/*.npy")},
    "nerfstudio": {"axes": lambda folder: _flip_axes(folder, "transforms.json")},
    "blender": {"axes": lambda folder: _flip_axes(folder, "transforms_train.json")},
    "difix": {"mirrored": lambda folder: _mirror(folder, "images/*.png")},
}
"""What is done to a folder that its checker must refuse then, by layout and name."""


def sheet(folder: Path) -> Image.Image:
    """Thumbnails of the first pictures of a folder, on grey."""
    pictures = sorted(p for p in folder.rglob("*") if p.suffix in (".png", ".webp") and p.stem != "teaser")
    out = Image.new("RGB", (8 * 160, 6 * 160), (200, 200, 200))
    for k, path in enumerate(pictures[:48]):
        picture: Image.Image = Image.open(path)
        if picture.mode == "I;16":
            picture = Image.fromarray((np.asarray(picture) / 16).clip(0, 255).astype(np.uint8))
        picture = picture.convert("RGBA")
        picture.thumbnail((158, 158))
        out.paste(picture, (k % 8 * 160, k // 8 * 160), picture)
    return out


@click.command(help=__doc__)
@click.argument("checkers", type=click.Path(exists=True, path_type=Path))
@click.argument("python")
@click.argument("source", default="../shared/characters/everything.jsonl")
@click.option("--limit", default=3, help="Characters.")
@click.option("--layout", "layouts", multiple=True, help="Only these.")
@click.option("--keep", type=click.Path(path_type=Path), help="Folder to write to and keep.")
def main(
    checkers: Path, python: str, source: str, limit: int, layouts: tuple[str, ...], keep: Path | None
) -> None:
    """See the module."""
    right = True
    with tempfile.TemporaryDirectory(prefix="specsia-trainers-") as temporary:
        work = keep or Path(temporary)
        for layout in layouts or (*CHECKED, *READ_HERE):
            begin = time.perf_counter()
            out = export(layout, source, limit, work)
            seconds = round(time.perf_counter() - begin, 1)
            listed = [] if layout in READ_HERE else [*folders(layout, out)]
            results = [check(python, checkers, layout, folder) for folder in listed]
            results = results or [READ_HERE[layout](out)]
            refused = {}
            for name, spoil in FAULTS.get(layout, {}).items():
                broken = Path(temporary) / "broken"
                shutil.copytree(listed[0], broken)
                spoil(broken)
                taken, refused[name] = check(python, checkers, layout, broken)
                right &= not taken
                shutil.rmtree(broken)
            right &= all(read for read, _ in results)
            lines = [line for _, line in results]
            report = {"layout": layout, "seconds": seconds, "read": lines, "refused": refused}
            click.echo(json.dumps(report, indent=1))
            if keep:
                sheet(out).save(work / f"{layout}.png")
    sys.exit(not right)


if __name__ == "__main__":
    main()
