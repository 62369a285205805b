"""Cut out and frame a drawing as a render would be, and lay a mesh of any axes and scale onto it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.frame import ORTHO_WIDTH
from specsia_build.registration import iou
from specsia_build.repairing import drawing
from specsia_build.repairing.drawing import DrawingSettings, frame_drawing, read_drawing, render_front
from specsia_build.repairing.reconstruction import place_file, read_single
from tests.shapes import write_figure

INK, PAPER, FILL = (30, 30, 40), (255, 255, 255), (220, 70, 60)


def front_of_figure(folder: Path, size: int = 128) -> drawing.Frontal:
    """The front of the figure of boxes."""
    return render_front(read_single(write_figure(folder / "figure.obj")), size)


def write_drawing(folder: Path, name: str = "drawing.png", *, size: int = 128, ground: object = None) -> Path:
    """The front of the figure as a picture, transparent or on a ground: a colour, or pixels (H, W, 3)."""
    image = Image.fromarray(front_of_figure(folder, size).image)
    if ground is not None:
        paper = np.broadcast_to(np.asarray(ground, np.uint8), (size, size, 3))
        behind = Image.fromarray(np.ascontiguousarray(paper))
        behind.paste(image, (0, 0), image)
        image = behind
    image.save(folder / name)
    return folder / name


def write_turned(
    path: Path, matrix: NDArray[np.floating], scale: float = 1.0, shift: float = 0.0, *, painted: bool = False
) -> Path:
    """The figure as OBJ, moved by a (3, 3) matrix, a scale and a shift; its front may be painted."""
    lines = []
    for line in write_figure(path).read_text().splitlines():
        kind, *words = line.split()
        if kind == "v":
            if painted and float(words[2]) > 0:
                words[3:] = ["0.9", "0.9", "0.1"]
            place = scale * (matrix @ np.array(words[:3], float)) + shift
            line = " ".join(["v", *(f"{value:.6f}" for value in place), *words[3:]])
        lines.append(line)
    path.write_text("\n".join(lines) + "\n")
    return path


def _cross(ink: int) -> Image.Image:
    """A figure with arms on white paper, with a contour of so many pixels of 600."""
    image = Image.new("RGB", (600, 800), PAPER)
    draw = ImageDraw.Draw(image)
    boxes = ((220, 100, 380, 700), (60, 250, 540, 380))
    for left, top, right, bottom in boxes:
        draw.rectangle((left - ink, top - ink, right + ink, bottom + ink), fill=INK)
    for box in boxes:
        draw.rectangle(box, fill=FILL)
    return image


def _box(front: drawing.Frontal) -> tuple[int, int]:
    """Width and height of the silhouette."""
    rows, columns = np.flatnonzero(front.mask.any(axis=1)), np.flatnonzero(front.mask.any(axis=0))
    return int(columns[-1] - columns[0]) + 1, int(rows[-1] - rows[0]) + 1


@pytest.mark.parametrize("ground", [None, (255, 255, 255), (200, 225, 240)])
def test_drawing_lies_where_a_render_does(tmp_path: Path, ground: object) -> None:
    rendered = front_of_figure(tmp_path, 256)
    front = read_drawing(write_drawing(tmp_path, size=256, ground=ground), DrawingSettings(256))
    both = (front.mask >= 128) & (rendered.mask >= 128)
    assert iou(front.mask, rendered.mask) > 0.95
    assert np.abs(front.color[both].astype(int) - rendered.color[both]).mean() < 8


@pytest.mark.parametrize("ink", [0, 6, 24])
def test_any_contour_is_removed(ink: int) -> None:
    front = frame_drawing(np.asarray(_cross(ink).convert("RGBA")), DrawingSettings(512))
    tall = 512 / ORTHO_WIDTH
    width, height = _box(front)
    assert height == pytest.approx(tall, abs=6)
    assert width == pytest.approx(tall * 481 / 601, abs=6)
    shown = front.color[front.mask >= 128][:, :3].astype(int)
    assert (np.abs(shown - FILL).max(axis=1) < 40).mean() > 0.98


def test_line_along_a_part_is_on_no_side() -> None:
    """A disc with a black line along its left half keeps its size, in the colour inside of the line."""
    y, x = np.mgrid[:256, :256] - 127.5
    away = np.hypot(x, y)
    picture = np.zeros((256, 256, 4), np.uint8)
    picture[away < 90] = (200, 120, 60, 255)
    picture[(away < 90) & (away > 85) & (x < 0)] = (0, 0, 0, 255)
    front = drawing.frame_figure(picture, DrawingSettings(size=256))
    assert front.ink is None and (front.image[..., :3][front.mask == 255] == 0).all(axis=1).any()
    assert (front.color[front.mask == 255] == (200, 120, 60, 255)).all(axis=1).mean() > 0.98
    assert np.array_equal(front.image[..., 3], front.mask)


def test_dark_legs_are_not_contour() -> None:
    """Boots and trousers may have nearly the colour of the contour, and be hardly wider than two of it."""
    image = Image.new("RGB", (600, 800), PAPER)
    draw = ImageDraw.Draw(image)
    for left, top, right, bottom in ((200, 100, 400, 460), (230, 450, 252, 700), (348, 450, 370, 700)):
        draw.rectangle((left - 6, top - 6, right + 6, bottom + 6), fill=INK)
    draw.rectangle((200, 100, 400, 460), fill=FILL)
    for left in (230, 348):
        draw.rectangle((left, 466, left + 22, 700), fill=(60, 45, 40))
    front = frame_drawing(np.asarray(image.convert("RGBA")), DrawingSettings(512))
    assert _box(front)[1] == pytest.approx(512 / ORTHO_WIDTH, abs=6)
    rows = np.flatnonzero((front.mask >= 128).any(axis=1))
    assert (np.diff(rows) == 1).all()


def test_thin_limbs_stay() -> None:
    image = _cross(8)
    draw = ImageDraw.Draw(image)
    draw.rectangle((40, 230, 560, 400), fill=PAPER)
    draw.rectangle((220, 230, 380, 400), fill=FILL)
    draw.rectangle((40, 300, 560, 307), fill=INK)
    width, height = _box(frame_drawing(np.asarray(image.convert("RGBA")), DrawingSettings(512)))
    assert width / height == pytest.approx(521 / 601, abs=0.02)


@pytest.mark.parametrize("paper", ["shaded", "spotted", "empty"])
def test_uneven_or_empty_paper(paper: str) -> None:
    picture, random = np.asarray(_cross(8), float), np.random.default_rng(0)
    if paper == "shaded":
        light = np.linspace(0.5, 1.0, picture.shape[1])[None, :, None]
        picture = picture * light + random.normal(0, 5, picture.shape)
    elif paper == "spotted":
        picture = np.where(random.random((*picture.shape[:2], 1)) < 0.01, 100, picture)
    else:
        picture = np.full(picture.shape, 255)
    photo = np.clip(picture, 0, 255).astype(np.uint8)
    with pytest.raises(UsageError):
        frame_drawing(np.dstack([photo, np.full(photo.shape[:2], 255, np.uint8)]), DrawingSettings(256))


AXES = {
    "as it is": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "z up, faces -y": [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
    "z up, faces +x": [[0, 0, 1], [1, 0, 0], [0, 1, 0]],
    "on its head": [[1, 0, 0], [0, -1, 0], [0, 0, -1]],
}


@pytest.mark.parametrize("matrix", list(AXES.values()), ids=list(AXES))
def test_known_axes(tmp_path: Path, matrix: list[list[int]]) -> None:
    front = front_of_figure(tmp_path, 256)
    assert front.mesh is not None
    drawn = read_drawing(write_drawing(tmp_path, size=256), DrawingSettings(256))
    mesh = read_single(write_turned(tmp_path / "turned.obj", np.array(matrix), 37.0, 12.0))
    placed = place_file(mesh, drawn, 4)
    assert placed.iou > 0.93
    assert np.abs(placed.mesh.vertices - front.mesh.vertices).max() < 0.04
    own = np.hstack([mesh.character.mesh.vertices, np.ones((len(front.mesh.vertices), 1))])
    assert np.allclose((own @ placed.matrix.T)[:, :3], placed.mesh.vertices, atol=1e-4)


def test_mirrored_file(tmp_path: Path) -> None:
    front = render_front(read_single(write_turned(tmp_path / "painted.obj", np.eye(3), painted=True)), 128)
    own = read_single(write_turned(tmp_path / "mirrored.obj", np.diag([-1.0, 1.0, 1.0]), painted=True))
    placed = place_file(own, replace(front, mesh=None), 4)
    assert front.mesh is not None
    assert np.linalg.det(placed.matrix[:3, :3]) < 0
    assert np.abs(placed.mesh.vertices - front.mesh.vertices).max() < 0.04


def test_another_figure_is_refused(tmp_path: Path) -> None:
    drawn = read_drawing(write_drawing(tmp_path, size=128), DrawingSettings(128))
    other = read_single(write_turned(tmp_path / "flat.obj", np.diag([1.0, 0.2, 1.0])))
    with pytest.raises(SpecsiaError):
        place_file(other, drawn, 4)


def test_cut_views_are_shrunk(tmp_path: Path) -> None:
    drawn = read_drawing(write_drawing(tmp_path, size=128), DrawingSettings(128))
    deep = read_single(write_turned(tmp_path / "deep.obj", np.diag([1.0, 1.0, 8.0])))
    placed = place_file(deep, drawn, 8)
    assert placed.fit < 1
    assert np.abs(placed.mesh.vertices).max() < 1.35 / 2
    shrunk = drawn.shrunk(placed.fit)
    assert (shrunk.mask > 127).sum() == pytest.approx((drawn.mask > 127).sum() * placed.fit**2, rel=0.1)


def test_odd_turns_are_found(tmp_path: Path) -> None:
    angle = np.deg2rad(32)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    drawn = read_drawing(write_drawing(tmp_path, size=256), DrawingSettings(256))
    placed = place_file(read_single(write_turned(tmp_path / "askew.obj", turn)), drawn, 4)
    assert placed.iou > 0.9


@pytest.mark.parametrize("beside", [0, 200])
def test_specks_are_left_out(beside: int) -> None:
    image = _cross(8)
    draw = ImageDraw.Draw(image)
    draw.rectangle((20, 20, 24, 24), fill=INK)
    # As strokes of a crayon, or noise of a JPEG.
    draw.point([(200, 100 + 3 * k) for k in range(beside) if not 40 <= k <= 110], fill=INK)
    draw.point([(400, 100 + 3 * k) for k in range(beside) if not 40 <= k <= 110], fill=INK)
    pictures = [np.asarray(each.convert("RGBA")) for each in (image, _cross(8))]
    front, clean = (frame_drawing(picture, DrawingSettings(256)) for picture in pictures)
    assert np.array_equal(front.image, clean.image)
