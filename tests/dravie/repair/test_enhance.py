"""`specsia enhance`: repair the frames of a folder or a dataset."""

import os
import shutil
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import distance_transform_edt

from specsia_build import png
from specsia_build.dravie.data.frame_folder import list_frames, read_frame
from specsia_build.errors import UsageError
from specsia_build.pictures.films import FILM_GAP, read_mp4
from specsia_build.pipeline.run import RunPaths
from specsia_build.rendering.contour import draw_contour
from tests.artefacts import contents
from tests.clips import FPS
from tests.clips import SIZE as CLIP_SIZE
from tests.commands import specsia
from tests.dataset.small import SIZE as DATASET_SIZE
from tests.dataset.small import StoredRow, change, pixels, put
from tests.dravie.pairs import SIZE, drawn_pair, write_run

FRAMES = 3


def on_grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A straight RGBA picture laid on grey, (H, W, 3)."""
    rgba = Image.fromarray(image)
    return np.asarray(Image.alpha_composite(Image.new("RGBA", rgba.size, "#f0f0f0"), rgba).convert("RGB"))


def save(path: Path, pixels: NDArray[np.uint8], **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)  # type: ignore[arg-type]


def write_frames(folder: Path, count: int = FRAMES) -> Path:
    for k in range(count):
        pair = drawn_pair(shift=k)
        save(folder / "color" / f"{k + 8}.png", pair.z)
        save(folder / "pos" / f"{k + 8}.png", pair.pos[..., :3])
        save(folder / "mask" / f"{k + 8}.png", pair.z[..., 3])
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run")


def enhance(run: Path, source: Path, out: Path, *more: object, code: int = 0) -> Result:
    return specsia("enhance", run, source, "--out", out, *more, code=code)


def test_frame_folder(run: Path, tmp_path: Path) -> None:
    folder, out = write_frames(tmp_path / "shot 1"), tmp_path / "out"
    enhance(run, folder, out)
    results = sorted(path.name for path in out.glob("*.png"))
    assert results == ["10.png", "8.png", "9.png"]
    assert png.decode((out / "8.png").read_bytes(), 4).shape == (SIZE, SIZE, 4)
    assert list(list_frames(folder)) == ["8", "9", "10"]


def test_stopped_command_continues(run: Path, tmp_path: Path) -> None:
    folder, out = write_frames(tmp_path / "shot"), tmp_path / "out"
    enhance(run, folder, out)
    whole = {path.name: path.read_bytes() for path in out.glob("*.png")}
    (out / "9.png").unlink()
    kept = (out / "8.png").stat().st_mtime_ns
    again = enhance(run, folder, out)
    assert "1 frame repaired, 2 were" in again.output
    assert {path.name: path.read_bytes() for path in out.glob("*.png")} == whole
    assert (out / "8.png").stat().st_mtime_ns == kept
    later = (out / "8.png").stat().st_mtime + 10
    os.utime(folder / "pos" / "8.png", (later, later))
    assert "1 frame repaired, 2 were" in enhance(run, folder, out).output


def test_foreign_results_are_kept(run: Path, tmp_path: Path) -> None:
    folder, out = write_frames(tmp_path / "shot"), tmp_path / "out"
    enhance(run, folder, folder / "color", code=2)
    enhance(run, folder, out)
    enhance(write_run(tmp_path / "other", seed=1), folder, out, code=2)


def test_dataset_and_split(run: Path, tmp_path: Path, dataset: Path) -> None:
    out = tmp_path / "out"
    enhance(run, dataset, out, "--split", "test")
    names = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png"))
    assert names and all("test/" in name for name in names)
    assert png.decode((out / names[0]).read_bytes(), 4).shape == (DATASET_SIZE, DATASET_SIZE, 4)
    enhance(run, dataset, tmp_path / "no", "--split", "tset", code=2)


def test_film(run: Path, tmp_path: Path) -> None:
    folder, out = write_frames(tmp_path / "shot", 4), tmp_path / "out"
    enhance(run, folder, out, "--video")
    frames = list(read_mp4(out / "film.mp4")[1])
    assert [frame.shape for frame in frames] == [(SIZE, 2 * SIZE + 8, 3)] * 4
    assert np.abs(frames[3].astype(int) - frames[0]).max() > 100


def test_opaque_colour_loses_background(tmp_path: Path) -> None:
    pair = drawn_pair()
    save(tmp_path / "color" / "a.png", on_grey(pair.z))
    save(tmp_path / "mask" / "a.png", np.dstack([pair.z[..., 3]] * 3))
    save(tmp_path / "pos" / "a.png", pair.pos)
    z, pos = read_frame(list_frames(tmp_path)["a"])
    solid = pair.z[..., 3] > 60
    assert np.abs(z.astype(int) - pair.z)[solid].max() <= 3
    assert (z[..., 3] == pair.z[..., 3]).all() and not z[z[..., 3] == 0].any()
    assert (pos == pair.pos).all()


def test_alpha_and_suffixes(tmp_path: Path) -> None:
    pair = drawn_pair()
    save(tmp_path / "color" / "a.webp", pair.z, lossless=True, exact=True)
    save(tmp_path / "pos" / "a.bmp", pair.pos[..., :3])
    z, pos = read_frame(list_frames(tmp_path)["a"])
    assert (z == pair.z).all() and (pos == pair.pos).all()
    deep = pair.z[..., 3].astype(np.uint16) * 257
    save(tmp_path / "mask" / "a.png", deep)  # type: ignore[arg-type]
    assert (read_frame(list_frames(tmp_path)["a"])[0] == pair.z).all()


def remove(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (remove("mask/9.png"), "'9'"),
        (remove("color/10.png"), "'10'"),
        (lambda folder: save(folder / "pos" / "9.png", drawn_pair(size=64).pos), "9.png"),
        (lambda folder: save(folder / "color" / "8.bmp", drawn_pair().z[..., :3]), "8.png"),
        (lambda folder: shutil.rmtree(folder / "pos"), "pos/"),
    ],
)
def test_incomplete_folders(spoil: Callable[[Path], object], named: str, run: Path, tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "shot")
    spoil(folder)
    assert named in enhance(run, folder, tmp_path / "out", code=2).output


def test_unreadable_picture_costs_itself(run: Path, tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "shot")
    (folder / "color" / "9.png").write_bytes((folder / "color" / "9.png").read_bytes()[:200])
    assert "9.png" in enhance(run, folder, tmp_path / "out", code=1).output
    assert (tmp_path / "out" / "8.png").is_file()
    save(tmp_path / "bare" / "color" / "a.png", drawn_pair().z[..., :3])
    save(tmp_path / "bare" / "pos" / "a.png", drawn_pair().pos)
    with pytest.raises(UsageError, match="alpha"):
        read_frame(list_frames(tmp_path / "bare")["a"])


def test_several_sizes(run: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "shot", tmp_path / "out"
    for name, size, height in (("a", 50, 41), ("b", 64, 64)):
        pair = drawn_pair(size=size)
        save(folder / "color" / f"{name}.png", pair.z[:height])
        save(folder / "pos" / f"{name}.png", pair.pos[:height])
    enhance(run, folder, out, "--video")
    assert png.decode((out / "a.png").read_bytes(), 4).shape == (41, 50, 4)


@pytest.mark.parametrize(
    ("layer", "change"),
    [
        ("mask", np.invert),
        ("mask", lambda mask: mask // 255),
        ("mask", np.zeros_like),
        ("pos", np.zeros_like),
        ("pos", lambda pos: np.dstack([pos[..., 2]] * 3)),
    ],
)
def test_implausible_frames_warn(
    layer: str, change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], run: Path, tmp_path: Path
) -> None:
    shot = write_frames(tmp_path / "shot")
    assert "warnings" not in enhance(run, shot, tmp_path / "sound").output
    for number in (8, 10):
        path = shot / layer / f"{number}.png"
        save(path, change(np.asarray(Image.open(path))))
    done = enhance(run, shot, tmp_path / "out")
    assert "2 frames such as '8'" in done.stderr and layer in done.stderr


def drawn_frames(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A model that sees the drawing, frames, and the drawing of the first of them."""
    save(tmp_path / "front.png", drawn_pair().gt)
    run = write_run(tmp_path / "drawn", reference="drawing")
    return run, write_frames(tmp_path / "shot"), tmp_path / "front.png"


def test_every_frame_sees_the_drawing(tmp_path: Path) -> None:
    run, frames, front = drawn_frames(tmp_path)
    without = enhance(run, frames, tmp_path / "without")
    with_it = enhance(run, frames, tmp_path / "with", "--drawing", front)
    enhance(run, frames, tmp_path / "other", "--drawing", front, "--reference-frame", "10")
    assert "--drawing" in without.stderr and "--drawing" not in with_it.stderr
    for name in ("8.png", "10.png"):
        plain, drawn, redrawn = ((tmp_path / out / name).read_bytes() for out in ("without", "with", "other"))
        assert len({plain, drawn, redrawn}) == 3
    enhance(run, frames, tmp_path / "with", code=2)


def test_red_contour_is_painted(tmp_path: Path) -> None:
    """By `pretrained`, around the disc and in no other colour."""
    red = (200, 20, 30)
    pair = drawn_pair(thickness=3, colour=(120, 170, 220), size=160)
    assert pair.gt_mask is not None
    figure = np.dstack([np.where(pair.gt_mask[..., None] > 0, pair.gt[..., :3], np.uint8(0)), pair.gt_mask])
    save(tmp_path / "front.png", draw_contour(figure, pair.gt_mask, 3, red))
    for name, layer in {"color": pair.z, "pos": pair.pos[..., :3], "mask": pair.z[..., 3]}.items():
        save(tmp_path / "shot" / name / "8.png", layer)
    enhance(Path("pretrained"), tmp_path / "shot", tmp_path / "out", "--drawing", tmp_path / "front.png")
    result = png.decode((tmp_path / "out" / "8.png").read_bytes(), 4)
    depth = distance_transform_edt(pair.gt_mask < 128)
    line = result[(depth > 1) & (depth < 3)]
    assert (line[:, 3] > 200).mean() > 0.95
    assert np.abs(line[:, :3].astype(int) - red).mean() < 20
    assert not result[depth > 8].any()


def test_unusable_drawing_is_refused(run: Path, tmp_path: Path, dataset: Path) -> None:
    seeing, frames, front = drawn_frames(tmp_path)
    for model, source, options in (
        (run, frames, ("--drawing", front)),
        (seeing, frames, ("--reference-frame", "8")),
        (seeing, frames, ("--drawing", front, "--reference-frame", "7")),
        (seeing, dataset, ("--drawing", front)),
    ):
        enhance(model, source, tmp_path / "out", *options, code=2)


def test_own_frontal_view_per_character(tmp_path: Path, dataset: Path) -> None:
    """Y* of other views changes no picture, and that of the frontal one only its character's."""
    run = write_run(tmp_path / "seeing", reference="drawing")

    def results(name: str, chosen: Callable[[StoredRow], bool] | None) -> dict[str, bytes]:
        """Of the dataset with another Y* in the rows that are chosen."""

        def plant(rows: dict[str, StoredRow]) -> None:
            for row in filter(chosen, rows.values()):
                picture = pixels(row, "gt")
                put(row, "gt", np.dstack([255 - picture[..., :3], picture[..., 3]]))

        copied = Path(shutil.copytree(dataset, tmp_path / name))
        for config, split in product(("fat", "thin"), ("train", "validation", "test") if chosen else ()):
            change(copied, plant, split, config)
        enhance(run, copied, tmp_path / f"{name}-out")
        return {key: data for key, data in contents(tmp_path / f"{name}-out").items() if key.endswith(".png")}

    before = results("same", None)
    assert results("others", lambda row: row["view"] > 0) == before
    front = results("front", lambda row: bool(row["character_id"] == "b" and row["view"] == 0))
    assert {Path(name).stem.rpartition("_")[0] for name in before if before[name] != front[name]} == {"b"}


def test_film_rate_per_clip(clips_run: RunPaths, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = enhance(run, clips_run.dataset, out, "--split", "test", "--video")
    assert "28 frames repaired" in done.output
    films = sorted((out / "film" / "test").iterdir())
    assert [path.suffix for path in films] == [".mp4"] * 5
    fps, frames = read_mp4(films[0])
    assert fps == FPS
    assert [frame.shape for frame in frames] == [(CLIP_SIZE, 3 * CLIP_SIZE + 2 * FILM_GAP, 3)] * FPS
