"""Frames of a folder and of a dataset, repaired through the command."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from PIL import Image

from specsia_build import png
from specsia_build.cli.main import main
from specsia_build.dataset.pairs import composite
from specsia_build.dravie.config import ModelConfig
from specsia_build.dravie.data.frame_folder import list_frames, read_frame
from specsia_build.dravie.model.checkpoint import save_model
from specsia_build.dravie.model.networks import Generator, build_generator
from specsia_build.errors import UsageError
from tests.dataset.small import SIZE as DATASET_SIZE
from tests.dataset.small import StoredRow, change, pixels, put
from tests.dravie.drawn import SIZE, drawn_pair

FRAMES = 3


def save(path: Path, pixels: NDArray[np.uint8], **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)  # type: ignore[arg-type]


def write_run(run: Path, with_pos: bool = True, seed: int = 0, reference: str = "none") -> Path:
    torch.manual_seed(seed)
    config = ModelConfig("tiny", with_pos, reference)
    save_model(run, 1, Generator(build_generator(config), config))
    return run


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


def enhance(run: Path | str, source: object, out: Path, *more: str) -> Result:
    return CliRunner().invoke(main, ["enhance", str(run), str(source), "--out", str(out), *more])


def test_a_folder_of_frames(run: Path, tmp_path: Path) -> None:
    folder, out = write_frames(tmp_path / "shot 1"), tmp_path / "out"
    done = enhance(run, folder, out)
    assert done.exit_code == 0, done.output
    results = sorted(path.name for path in out.glob("*.png"))
    assert results == ["10.png", "8.png", "9.png"]
    assert png.decode((out / "8.png").read_bytes(), 4).shape == (SIZE, SIZE, 4)
    assert [frame.name for frame in list_frames(folder, True)] == ["8", "9", "10"]


def test_a_stopped_command_goes_on(run: Path, tmp_path: Path) -> None:
    folder, out = write_frames(tmp_path / "shot"), tmp_path / "out"
    assert enhance(run, folder, out).exit_code == 0
    whole = {path.name: path.read_bytes() for path in out.glob("*.png")}
    (out / "9.png").unlink()
    kept = (out / "8.png").stat().st_mtime_ns
    again = enhance(run, folder, out)
    assert "1 frame repaired, 2 were already there" in again.output
    assert {path.name: path.read_bytes() for path in out.glob("*.png")} == whole
    assert (out / "8.png").stat().st_mtime_ns == kept
    later = (out / "8.png").stat().st_mtime + 10
    os.utime(folder / "pos" / "8.png", (later, later))
    assert "1 frame repaired, 2 were already there" in enhance(run, folder, out).output


def test_results_of_something_else_are_left_alone(run: Path, tmp_path: Path) -> None:
    folder, out = write_frames(tmp_path / "shot"), tmp_path / "out"
    refused = enhance(run, folder, folder / "color")
    assert refused.exit_code == 2 and "is not empty" in refused.output
    assert enhance(run, folder, out).exit_code == 0
    other = enhance(write_run(tmp_path / "other", seed=1), folder, out)
    assert other.exit_code == 2 and "results of another model" in other.output


def test_a_dataset_and_one_of_its_splits(run: Path, tmp_path: Path, dataset: Path) -> None:
    out = tmp_path / "out"
    done = enhance(run, dataset, out, "--split", "test")
    assert done.exit_code == 0, done.output
    found = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png"))
    assert found and all("test/" in name for name in found)
    assert png.decode((out / found[0]).read_bytes(), 4).shape == (DATASET_SIZE, DATASET_SIZE, 4)
    missing = enhance(run, dataset, tmp_path / "no", "--split", "tset")
    assert missing.exit_code == 2 and "has no split 'tset'" in missing.output


def test_a_film(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "imageio_ffmpeg" else find(name))
    folder, out = write_frames(tmp_path / "shot", 4), tmp_path / "out"
    done = enhance(run, folder, out, "--video")
    assert done.exit_code == 0, done.output
    with Image.open(out / "film.webp") as film:
        assert film.n_frames == 4  # type: ignore[attr-defined]
        assert film.size == (2 * SIZE + 8, SIZE)
        last = film.copy()
        film.seek(3)
        assert np.abs(np.asarray(film.convert("RGB"), int) - np.asarray(last.convert("RGB"))).max() > 100


def test_colour_without_alpha_loses_its_background(tmp_path: Path) -> None:
    pair = drawn_pair()
    save(tmp_path / "color" / "a.png", composite(pair.z))
    save(tmp_path / "mask" / "a.png", np.dstack([pair.z[..., 3]] * 3))
    save(tmp_path / "pos" / "a.png", pair.pos)
    z, pos = read_frame(list_frames(tmp_path, True)[0])
    solid = pair.z[..., 3] > 60
    assert np.abs(z.astype(int) - pair.z)[solid].max() <= 3
    assert (z[..., 3] == pair.z[..., 3]).all() and not z[z[..., 3] == 0].any()
    assert (pos == pair.pos).all()


def test_alpha_of_colour_where_there_is_no_mask_and_any_suffix(tmp_path: Path) -> None:
    pair = drawn_pair()
    save(tmp_path / "color" / "a.webp", pair.z, lossless=True, exact=True)
    save(tmp_path / "pos" / "a.bmp", pair.pos[..., :3])
    z, pos = read_frame(list_frames(tmp_path, True)[0])
    assert (z == pair.z).all() and (pos == pair.pos).all()
    deep = (pair.z[..., 3].astype(np.uint16) << 8) | 7
    save(tmp_path / "mask" / "a.png", deep)  # type: ignore[arg-type]
    assert (read_frame(list_frames(tmp_path, True)[0])[0] == pair.z).all()


def test_what_is_wrong_with_a_folder(run: Path, tmp_path: Path) -> None:
    def told(change: str) -> str:
        folder = write_frames(tmp_path / change)
        return folder.as_posix()

    missing = Path(told("missing"))
    (missing / "mask" / "9.png").unlink()
    spare = Path(told("spare"))
    (spare / "color" / "10.png").unlink()
    sizes = Path(told("sizes"))
    save(sizes / "pos" / "9.png", replace(drawn_pair(size=64)).pos)
    twice = Path(told("twice"))
    save(twice / "color" / "8.bmp", drawn_pair().z[..., :3])
    hint = Path(told("hint"))
    for path in (hint / "pos").iterdir():
        path.unlink()
    (hint / "pos").rmdir()
    for folder, sentence in (
        (missing, "'9'"),
        (spare, "'10'"),
        (sizes, "9.png"),
        (twice, "8.png"),
        (hint, "pos/"),
    ):
        done = enhance(run, folder, tmp_path / "out")
        assert done.exit_code == 2 and sentence in done.output, done.output
    assert len(list_frames(hint, False)) == FRAMES
    broken = Path(told("broken"))
    (broken / "color" / "9.png").write_bytes((broken / "color" / "9.png").read_bytes()[:200])
    done = enhance(run, broken, tmp_path / "out2")
    assert done.exit_code == 1 and "9.png cannot be read as a picture" in done.output
    assert (tmp_path / "out2" / "8.png").is_file()
    bare = tmp_path / "bare"
    save(bare / "color" / "a.png", drawn_pair().z[..., :3])
    with pytest.raises(UsageError, match="has no alpha, and there is no mask/"):
        read_frame(list_frames(bare, False)[0])


def test_frames_of_several_sizes_and_without_the_hint(tmp_path: Path) -> None:
    run, folder, out = write_run(tmp_path / "plain", with_pos=False), tmp_path / "shot", tmp_path / "out"
    save(folder / "color" / "a.png", drawn_pair(size=50).z[:41])
    save(folder / "color" / "b.png", drawn_pair(size=64).z)
    done = enhance(run, folder, out, "--video")
    assert done.exit_code == 0, done.output
    assert png.decode((out / "a.png").read_bytes(), 4).shape == (41, 50, 4)


def _inverted(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(255 - mask, np.uint8)


def _greyed(pos: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.dstack([*[pos[..., 2]] * 3, *np.moveaxis(pos[..., 3:], -1, 0)])


@pytest.mark.parametrize(
    ("layer", "change"),
    [
        ("mask", _inverted),
        ("mask", lambda mask: mask // 255),
        ("mask", np.zeros_like),
        ("pos", np.zeros_like),
        ("pos", _greyed),
    ],
)
def test_frames_that_cannot_be_meant_so_are_told(
    layer: str, change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], run: Path, tmp_path: Path
) -> None:
    shot = write_frames(tmp_path / "shot")
    assert "warnings" not in enhance(run, shot, tmp_path / "sound").output
    for number in (8, 10):
        path = shot / layer / f"{number}.png"
        save(path, change(np.asarray(Image.open(path))))
    done = enhance(run, shot, tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "2 frames such as '8'" in done.stderr and layer in done.stderr


def drawn_frames(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A model that sees the drawing, frames, and the drawing of the first of them."""
    save(tmp_path / "front.png", drawn_pair().gt)
    run = write_run(tmp_path / "drawn", reference="drawing")
    return run, write_frames(tmp_path / "shot"), tmp_path / "front.png"


def test_a_drawing_is_seen_by_position_in_every_frame(tmp_path: Path) -> None:
    run, frames, front = drawn_frames(tmp_path)
    without = enhance(run, frames, tmp_path / "without")
    with_it = enhance(run, frames, tmp_path / "with", "--drawing", str(front))
    other = enhance(run, frames, tmp_path / "other", "--drawing", str(front), "--reference-frame", "10")
    assert (without.exit_code, with_it.exit_code, other.exit_code) == (0, 0, 0), other.output
    assert "--drawing" in without.stderr and "--drawing" not in with_it.stderr
    for name in ("8.png", "10.png"):
        one, two, three = ((tmp_path / out / name).read_bytes() for out in ("without", "with", "other"))
        assert len({one, two, three}) == 3
    again = enhance(run, frames, tmp_path / "with")
    assert again.exit_code == 2 and "another model" in again.output


def test_a_drawing_that_cannot_be_shown_is_refused(run: Path, tmp_path: Path, dataset: Path) -> None:
    seeing, frames, front = drawn_frames(tmp_path)
    for refused in (
        enhance(write_run(tmp_path / "plain", with_pos=False), frames, tmp_path / "out", "--drawing", str(front)),
        enhance(run, frames, tmp_path / "out", "--drawing", str(front)),
        enhance(seeing, frames, tmp_path / "out", "--reference-frame", "8"),
        enhance(seeing, frames, tmp_path / "out", "--drawing", str(front), "--reference-frame", "7"),
        enhance(seeing, dataset, tmp_path / "out", "--drawing", str(front)),
    ):
        assert refused.exit_code == 2, refused.output


def test_a_dataset_shows_each_character_its_own_frontal_view_and_no_other(tmp_path: Path, dataset: Path) -> None:
    """Y* of other views changes no picture, and Y* of the frontal one changes those of its character alone."""
    run = write_run(tmp_path / "seeing", reference="drawing")
    for name, chosen in (("same", lambda row: False), ("others", lambda row: row["view"]), ("front", _is_front_of_b)):
        copied = copy_with_planted(dataset, tmp_path / name, chosen)
        assert enhance(run, copied, tmp_path / f"{name}-out").exit_code == 0
    before, other, front = (
        {path.relative_to(tmp_path / f"{name}-out").as_posix(): path.read_bytes() for path in found}
        for name in ("same", "others", "front")
        for found in [sorted((tmp_path / f"{name}-out").rglob("*.png"))]
    )
    assert before == other
    changed = {Path(name).stem.rpartition("_")[0] for name in before if before[name] != front[name]}
    assert changed == {"b"}


def _is_front_of_b(row: StoredRow) -> bool:
    return bool(row["character_id"] == "b" and row["view"] == 0)


def copy_with_planted(dataset: Path, folder: Path, chosen: Callable[[StoredRow], bool]) -> Path:
    """The same dataset, with another Y* in the rows that are chosen."""
    shutil.copytree(dataset, folder)

    def plant(rows: dict[str, StoredRow]) -> None:
        for row in rows.values():
            if chosen(row):
                picture = pixels(row, "gt")
                put(row, "gt", np.dstack([255 - picture[..., :3], picture[..., 3]]))

    for config in ("fat", "thin"):
        for split in ("train", "validation", "test"):
            change(folder, plant, split, config)
    return folder
