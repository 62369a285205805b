"""Films, pictures and sheets: round trips, determinism, and limits of formats."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from PIL import Image, ImageSequence
from scipy import ndimage

from specsia_build import png
from specsia_build.errors import UsageError, WriteError
from specsia_build.pictures.files import check_size, check_target, write_moving, write_still
from specsia_build.pictures.films import over, read_mp4, write_mp4
from specsia_build.pictures.masks import continued, distance_to
from specsia_build.pictures.sheets import Sheet, parse_ground, rgba, shortened


def _drawing(k: int) -> NDArray[np.uint8]:
    """A slanting black line on white that goes right, (32, 48, 3)."""
    rows, columns = np.mgrid[:32, :48]
    return np.repeat(
        np.where(abs(columns - rows // 2 - 5 - k) < 2, 0, 255).astype(np.uint8)[..., None], 3, axis=2
    )


def test_lossless_film(tmp_path: Path) -> None:
    frames = [_drawing(k) for k in range(9)]
    for name in ("a.mp4", "b.mp4"):
        write_mp4(tmp_path / name, iter(frames), 12.5, lossless=True)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    fps, read = read_mp4(tmp_path / "a.mp4")
    assert fps == 12.5
    np.testing.assert_array_equal(list(read), frames)


def test_ffmpeg_error_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match="ffmpeg"):
        write_mp4(tmp_path / "odd.mp4", iter([np.zeros((31, 33, 3), np.uint8)] * 500), 8)
    assert not list(tmp_path.iterdir())


def timed_frames(path: Path) -> list[tuple[NDArray[np.uint8], int]]:
    """The frames of a film that is shown without end, with their durations in milliseconds."""
    with Image.open(path) as opened:
        assert opened.info["loop"] == 0
        each = ImageSequence.Iterator(opened)
        return [(np.asarray(one.convert("RGBA")), one.info["duration"]) for one in each]


def test_gif_keeps_the_silhouette_and_never_flickers(tmp_path: Path) -> None:
    rows, columns = np.mgrid[:40, :60]
    still = np.zeros((40, 60, 4), np.uint8)
    still[..., 0], still[..., 1] = 3 * columns, 6 * rows
    still[..., 3] = np.clip(2000 - 8 * ((rows - 20) ** 2 + (columns - 30) ** 2), 0, 255)
    moved = [np.roll(still, k, axis=1) for k in range(8)]
    for name in ("a.gif", "b.gif"):
        write_moving(tmp_path / name, 8, iter(moved), Fraction(12))
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()
    check_target(tmp_path / "a.gif", True, True)
    frames = timed_frames(tmp_path / "a.gif")
    assert sum(duration for _, duration in frames) == pytest.approx(8000 / 12, abs=10)
    for k, (seen, _) in enumerate(frames):
        np.testing.assert_array_equal(seen[..., 3] == 255, moved[k][..., 3] >= 128)
        np.testing.assert_array_equal(
            seen, np.roll(frames[0][0], k, axis=1), "a place has one colour in all frames"
        )
        solid = seen[..., 3] == 255
        assert np.abs(seen.astype(int) - moved[k])[solid][:, :3].mean() < 6


def test_picture_on_ground() -> None:
    picture = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 0, 0, 128]]], np.uint8)
    ground = np.array([[[7, 7, 7], [200, 100, 50], [255, 255, 255]]], np.uint8)
    np.testing.assert_array_equal(over(picture, ground), [[[10, 20, 30], [200, 100, 50], [127, 127, 127]]])


def frame(k: int, clear: bool) -> NDArray[np.uint8]:
    """A square that goes right, on white or on nothing, (33, 47, 4)."""
    out = np.full((33, 47, 4), 0 if clear else 255, np.uint8)
    out[8:24, 2 + 6 * k : 18 + 6 * k] = (200, 40, 90, 255)
    return out


def written_twice(path: Path, clear: bool, film: bool = True) -> None:
    """Write a film or a still two times, over what was there, to the same bytes."""
    data = set()
    for _ in range(2):
        if film:
            write_moving(path, 5, (frame(k, clear) for k in range(5)), Fraction(5, 2))
        else:
            write_still(path, frame(1, clear))
        data.add(path.read_bytes())
        check_target(path, film, clear)
    assert len(data) == 1


@pytest.mark.parametrize("suffix", ["webp", "png"])
@pytest.mark.parametrize("clear", [False, True])
def test_film_round_trip(tmp_path: Path, suffix: str, clear: bool) -> None:
    path = tmp_path / f"a.{suffix}"
    written_twice(path, clear)
    frames = timed_frames(path)
    assert len(frames) == 5
    for k, (seen, duration) in enumerate(frames):
        wanted = frame(k, clear).astype(int)
        assert duration == 400
        assert (seen[..., 3] == wanted[..., 3]).all()
        # WebP stores colours for four pixels together.
        assert abs(seen - wanted)[wanted[..., 3] > 0].mean() < (8 if suffix == "webp" else 1e-9)


@pytest.mark.parametrize("suffix", ["mp4", "png", "pdf"])
def test_only_own_files_are_replaced(tmp_path: Path, suffix: str) -> None:
    path, film = tmp_path / f"a.{suffix}", suffix == "mp4"
    written_twice(path, False, film)
    if suffix == "png":
        with Image.open(path) as opened:
            assert abs(np.asarray(opened).astype(int) - frame(1, False)[..., :3]).mean() < 8
            assert round(opened.info["dpi"][0]) == 300
    path.write_bytes(b"a picture of somebody else" * 999)
    with pytest.raises(UsageError):
        check_target(path, film, False)


def test_invalid_names_and_sizes(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    targets = (("a.bmp", True, False), ("a", False, False), ("a.mp4", True, True), ("a.jpg", False, False))
    for name, film, clear in (*targets, ("file/a.png", False, False)):
        with pytest.raises(UsageError):
            check_target(tmp_path / name, film, clear)
    assert check_size(tmp_path / "a.webp", (16383, 101)) == (16383, 101)
    assert check_size(tmp_path / "a.mp4", (333, 101), 5) == (334, 102), "its sides are even"
    for name, size, count in (
        ("a.webp", (16384, 100), 1),
        ("a.png", (60000,) * 2, 1),
        ("a.png", (1000, 1000), 200),
    ):
        with pytest.raises(UsageError):
            check_size(tmp_path / name, size, count)
    check_size(tmp_path / "a.webp", (1000, 1000), 200)


WHITE = (255, 255, 255, 255)


def tile(red: int, side: int = 32) -> NDArray[np.uint8]:
    """An opaque square of one colour in a transparent frame of four pixels, (side, side, 4)."""
    out = np.zeros((side, side, 4), np.uint8)
    out[4:-4, 4:-4] = (red, 50, 100, 255)
    return out


def test_tile_layout() -> None:
    sheet = Sheet(["a", "b", "c"], ["one", "two"], ["x", "y"], across=2, tile=32)
    tiles = [tile(20 * number) for number in range(12)]
    drawn = sheet.draw(tiles)
    assert drawn.shape == (*sheet.size[::-1], 4)
    places = [
        sheet.place(block, row, column) for block in range(3) for row in range(2) for column in range(2)
    ]
    for number, (x, y) in enumerate(places):
        np.testing.assert_array_equal(drawn[y + 4 : y + 28, x + 4 : x + 28], tiles[number][4:-4, 4:-4])
        assert tuple(drawn[y, x]) == tuple(drawn[y + 31, x + 31]) == WHITE
        assert 0 <= x <= sheet.size[0] - 32 - sheet.gap and 0 <= y <= sheet.size[1] - 32 - sheet.gap
    assert places[4][0] > places[1][0] and places[4][1] == places[0][1], (
        "the second block is beside the first"
    )
    assert places[8][0] == places[0][0] and places[8][1] > places[2][1], "the third is below it"


@pytest.mark.parametrize(
    ("name", "page", "behind"),
    [
        ("white", WHITE, {WHITE}),
        ("#102030", (16, 32, 48, 255), {(16, 32, 48, 255)}),
        ("transparent", (0, 0, 0, 0), {(0, 0, 0, 0)}),
    ],
)
def test_tile_background(name: str, page: tuple[int, ...], behind: set[tuple[int, ...]]) -> None:
    sheet = Sheet([""], [""], [""], tile=64, ground=parse_ground(name))
    half = np.full((64, 64, 4), (200, 0, 0, 128), np.uint8)
    half[:, 32:] = 0
    drawn = sheet.draw([half])
    assert tuple(drawn[0, 0]) == page
    assert set(map(tuple, drawn[2:66, 34:66].reshape(-1, 4).tolist())) == behind
    wanted = (200, 0, 0, 128) if name == "transparent" else (200 * 128 + page[0] * 127 + 127) // 255
    assert tuple(drawn[2, 2]) == wanted if name == "transparent" else drawn[2, 2, 0] == wanted


def test_tile_notes() -> None:
    sheet = Sheet([""], [""], ["", ""], tile=96, notes=True)
    drawn = sheet.draw([tile(9, 96), "cannot be read"], ["IoU 0.93", ""])
    (x, y), (other, _) = sheet.place(0), sheet.place(0, 0, 1)
    assert (drawn[y + 96 :, x : x + 96, 0] < 100).any()
    assert (drawn[y + 96 :, other:] == 255).all()
    missing = drawn[y : y + 96, other : other + 96]
    assert tuple(missing[0, 0]) == (236, 228, 222, 255)
    assert (missing[..., 0] < 100).any()


def test_long_names_are_shortened() -> None:
    assert shortened("knight", 16, 100) == "knight"
    cut = shortened("a knight with a very long name and 7", 16, 100)
    assert cut.startswith("a kn") and cut.endswith("d 7") and cut.count("…") == 1
    endless = shortened("x" * 2500 + "y" * 2500, 16, 100)
    assert endless.startswith("xx") and endless.endswith("yy") and len(endless) < 20
    assert shortened("knight", 16, 3) == ""
    wide = Sheet(["x" * 5000], ["y" * 5000], ["z" * 5000], tile=64)
    assert wide.size[0] < 64 * 2 + 32
    assert wide.draw([tile(1)]).shape == (*wide.size[::-1], 4)


def test_png_as_rgba() -> None:
    grey = np.array([[0, 200]], np.uint8)
    np.testing.assert_array_equal(rgba(png.encode(grey)), [[[0, 0, 0, 255], [200, 200, 200, 255]]])
    np.testing.assert_array_equal(rgba(png.encode(tile(3))), tile(3))
    for damaged in (b"", b"nothing at all, but long enough", png.encode(grey)[:-20]):
        with pytest.raises(ValueError, match=r"PNG|cut off"):
            rgba(damaged)


@pytest.mark.parametrize("share", [0.01, 0.2, 0.9])
@pytest.mark.parametrize("steps", [(1.0, 1.0), (3.0, 1.0), (1.0, 1e6)])
def test_distances_and_nearest_pixels(share: float, steps: tuple[float, float]) -> None:
    generator = np.random.default_rng(3)
    for height, width in generator.integers(1, 40, (40, 2)):
        known = generator.random((height, width)) < share
        known[generator.integers(height), generator.integers(width)] = True
        distance = ndimage.distance_transform_edt(~known, steps)
        assert_array_equal(distance_to(known), ndimage.distance_transform_edt(~known))
        places = np.moveaxis(np.indices(known.shape), 0, -1)
        nearest = continued(places, known, steps)
        assert known[tuple(np.moveaxis(nearest, -1, 0))].all()
        assert_allclose(np.linalg.norm((nearest - places) * steps, axis=-1), distance, rtol=1e-12)


def test_mask_of_nothing() -> None:
    values, nothing = np.arange(6).reshape(2, 3), np.zeros((2, 3), np.bool_)
    assert_array_equal(continued(values, nothing), values)
    assert np.isinf(distance_to(nothing)).all()
