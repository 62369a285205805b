"""`specsia repair`: from a drawing to its film, and refusals."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy
import trimesh
from click.testing import Result
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from specsia_build.animation.motion import Poses
from specsia_build.arrays import Pixels
from specsia_build.backends.base import Backend, Context
from specsia_build.characters.read import AnimatedCharacter
from specsia_build.dravie.config import ADAPTATION
from specsia_build.errors import UsageError
from specsia_build.frame import Camera, normalise
from specsia_build.pictures.films import read_mp4
from specsia_build.pictures.masks import box_around
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import Mesh
from specsia_build.repairing import reconstruction
from specsia_build.repairing.drawing import DrawingSettings, parse_outline, read_drawing, render_front
from specsia_build.repairing.moving import rig_of
from specsia_build.repairing.reconstruction import read_single
from specsia_build.repairing.settings import RepairSettings
from specsia_build.warning import Warning
from tests.commands import specsia
from tests.pipeline.moving import write_moving_figure
from tests.repairing.test_drawing import write_drawing, write_turned
from tests.writers.checking import read_back

SMALL = ("--views", "4", "--size", "64")


def repair(*words: object, code: int = 0) -> Result:
    return specsia("repair", *words, *SMALL, code=code)


def pictures(folder: Path) -> list[NDArray[np.uint8]]:
    return [np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))]


def test_mesh_of_another_tool(tmp_path: Path) -> None:
    drawing, out = write_drawing(tmp_path, ground=(255, 255, 255)), tmp_path / "out"
    mesh = write_turned(tmp_path / "other.obj", np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]]), 3.0)
    assert json.loads(repair(drawing, "--mesh", mesh, "--out", out, "--json").stdout)["frames"] == 4
    for layer in ("color", "mask", "pos", "repaired"):
        assert [path.name for path in sorted((out / layer).iterdir())] == [f"{k:04d}.png" for k in range(4)]
    for z, mask, pos in zip(*(pictures(out / layer) for layer in ("color", "mask", "pos")), strict=True):
        assert np.array_equal(z[..., 3], mask) and np.array_equal(pos[..., 3], mask)
        assert (mask > 127).mean() > 0.05
    # The frames are what `enhance` takes, and the first shows the drawing.
    drawn, shown = np.asarray(Image.open(drawing).convert("RGB")), pictures(out / "color")[0]
    areas = int((shown[..., 3] > 127).sum()) * 4, int((drawn < 250).any(axis=2).sum())
    assert abs(areas[0] - areas[1]) < 0.2 * drawn.size / 3
    # It writes over its own folder, or that of an earlier version, the same bytes, and over no other.
    before = {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    (out / "film.webp").touch()
    repair(drawing, "--mesh", mesh, "--out", out)
    assert {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    (out / "notes.txt").write_text("mine")
    repair(drawing, "--mesh", mesh, "--out", out, code=2)
    assert (out / "notes.txt").read_text() == "mine"


def frames_of(film: Path) -> list[NDArray[np.uint8]]:
    """(H, W, 4) uint8 each."""
    if film.suffix == ".mp4":
        return [np.dstack([frame, np.full(frame.shape[:2], 255, np.uint8)]) for frame in read_mp4(film)[1]]
    with Image.open(film) as opened:
        return [np.asarray(frame.convert("RGBA")) for frame in ImageSequence.Iterator(opened)]


def test_films_show_the_repaired_figure(tmp_path: Path) -> None:
    drawing, out = write_drawing(tmp_path), tmp_path / "out"
    last = repair(drawing, "--out", out).stdout.splitlines()[-1]
    assert "--back" in last
    repaired = pictures(out / "repaired")
    films = {end: frames_of(out / f"turn.{end}") for end in ("webp", "gif", "mp4")}
    for end, frames in films.items():
        assert [frame.shape for frame in frames] == [(64, 64, 4)] * 4
        for seen, wanted in zip(frames, repaired, strict=True):
            solid = wanted[..., 3] == 255
            assert np.abs(seen.astype(int) - wanted)[solid][:, :3].mean() < 12
            outside = seen[wanted[..., 3] == 0]
            assert (outside == 255).mean() > 0.95 if end == "mp4" else (outside[:, 3] == 0).all()
    with Image.open(out / "turn.webp") as film:
        film.load()
        assert film.info["duration"] == 750
    # Where no frame of the film is, the sheet repairs its own.
    assert Image.open(out / "sheet.png").size[0] > 9 * 256
    compared = frames_of(out / "compare.webp")
    assert len(compared) == 4 and compared[0].shape[1] > 3 * 64
    repair(drawing, "--out", out, "--ground", "#2040ff", "--seconds", "1")
    for end in ("webp", "gif", "mp4"):
        (corner,) = {tuple(frame[0, 0] // 16) for frame in frames_of(out / f"turn.{end}")[:1]}
        assert np.abs(np.array(corner[:3]) - (2, 4, 15)).max() <= 1
    (drawn, record) = Image.open(out / "drawing.png"), json.loads((out / "repair.json").read_text())
    assert drawn.size == (64, 64) and record["settings"]["seconds"] == 1 and record["facing"] == "front"


def test_character_to_open_elsewhere(tmp_path: Path) -> None:
    drawing, out = write_drawing(tmp_path, size=256), tmp_path / "out"
    specsia(
        "repair", drawing, "--views", "8", "--size", "256", "--texture", "256", "--height", "2", "--out", out
    )
    mesh = read_back(out / "character.glb").character.mesh
    low, high = mesh.bounds()
    assert_allclose((low[2], high[2]), (0, 2), atol=1e-3)
    (texture,) = (material.texture for material in mesh.materials)
    assert texture is not None and texture.pixels.shape == (256, 256, 4)
    (view,) = FastRenderer().render(placed_in_frame(mesh), [Camera(0.0, 256)])
    first = pictures(out / "repaired")[0]
    both = (view.color[..., 3] == 255) & (first[..., 3] == 255)
    # The frame has a contour besides.
    assert both.sum() > 0.85 * (first[..., 3] == 255).sum()
    assert np.abs(view.color[both].astype(int) - first[both]).mean() < 4


def placed_in_frame(mesh: Mesh) -> Mesh:
    return mesh.with_vertices(normalise(mesh.vertices, (), 0).apply(mesh.vertices))


def test_back_is_not_guessed(tmp_path: Path) -> None:
    drawing, back = write_drawing(tmp_path), write_drawing(tmp_path, "back.png", size=100)
    ran = repair(drawing, "--back", back, "--out", tmp_path / "out")
    assert "--back" not in ran.stdout
    assert "warning: the back: the figure has only" in ran.stdout
    assert not json.loads(repair("sample:1", "--out", tmp_path / "other", "--json").stdout)["back_guessed"]


def test_pixel_art_is_not_repaired(tmp_path: Path) -> None:
    drawing, out = write_drawing(tmp_path, size=64), tmp_path / "out"
    repair(drawing, "--pixel", "--out", out)
    shown = [np.unique(frame[frame[..., 3] > 0], axis=0) for frame in pictures(out / "repaired")]
    known = set(map(tuple, shown[0].tolist()))
    assert all(set(map(tuple, colours.tolist())) <= known for colours in shown)
    large = frames_of(out / "turn.gif")[0]
    assert large.shape == (512, 512, 4)
    blocks = large.reshape(64, 8, 64, 8, 4)
    assert (blocks == blocks[:, :1, :, :1]).all()


def test_pixel_art_keeps_its_pixels_and_its_outline(tmp_path: Path) -> None:
    """A green figure with a black outline and a black arm: its sides are green, with an outline in pixels."""
    art = np.zeros((24, 24, 4), np.uint8)
    art[4:20, 6:18] = (0, 0, 0, 255)
    art[5:19, 7:17] = (60, 160, 60, 255)
    art[11:13, 18:22] = (0, 0, 0, 255)
    drawing, out = tmp_path / "art.png", tmp_path / "out"
    Image.fromarray(art).save(drawing)
    repair(drawing, "--pixel", "--out", out)
    front, side, back = pictures(out / "repaired")[:3]
    inks = [(0, 0, 0, 255), (60, 160, 60, 255)]
    for view in (front, side, back):
        assert np.array_equal(np.unique(view[view[..., 3] > 0], axis=0), inks)
    for view, most in zip(pictures(out / "color")[1:3], (0.1, 0.3), strict=True):
        assert (view[view[..., 3] == 255, 1] < 50).mean() < most
    # A pixel of the art is two pixels of the frame on a side.
    seen = side[box_around(side[..., 3] == 255)]
    cells = seen[1::2, 1::2]
    assert np.array_equal(cells.repeat(2, axis=0).repeat(2, axis=1), seen)
    solid = cells[..., 3] == 255
    inside = scipy.ndimage.binary_erosion(solid)
    assert (cells[solid & ~inside][:, 1] == 0).all() and (cells[inside][:, 1] == 160).mean() > 0.8
    repair(drawing, "--pixel", "--outline", "none", "--out", tmp_path / "bare")
    assert (pictures(tmp_path / "bare/repaired")[1][..., 1] == 160).any()
    repair(drawing, "--pixel", "--outline", "#ff0000", "--out", tmp_path / "red")
    for view in pictures(tmp_path / "red/repaired"):
        assert (view[view[..., 3] > 0][:, :3] == (255, 0, 0)).all(axis=1).any()


def test_character_in_motion(tmp_path: Path) -> None:
    figure, out = write_moving_figure(tmp_path / "figure.glb"), tmp_path / "out"
    repair(figure, "--mesh", figure, "--motion", "wave", "--out", out)
    still = tmp_path / "still"
    repair(figure, "--mesh", figure, "--out", still)
    assert not np.array_equal(pictures(out / "mask"), pictures(still / "mask"))
    moving = read_back(out / "character.glb").motions
    assert [motion.name for motion in moving] == ["wave"]
    assert not read_back(still / "character.glb").motions
    # Positions are those at rest.
    firsts = [pictures(folder / "pos")[0] for folder in (out, still)]
    codes, rest = ({tuple(code // 32) for code in pos[pos[..., 3] == 255]} for pos in firsts)
    assert len(codes & rest) > 0.5 * len(rest)


def test_fitted_model_is_kept_where_it_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = replace(ADAPTATION, steps=30, learning_rate=5e-4)
    monkeypatch.setattr("specsia_build.repairing.repair.ADAPTATION", quick)
    monkeypatch.setattr("specsia_build.dravie.adapt.adapt.BLEND_SHARE", 1.0)
    drawing, out = write_drawing(tmp_path, size=64), tmp_path / "out"
    mesh = write_turned(tmp_path / "other.obj", np.eye(3))
    inverted = np.array(Image.open(drawing))
    inverted[..., :3] = 255 - inverted[..., :3]
    Image.fromarray(inverted).save(tmp_path / "inverted.png")
    repair(tmp_path / "inverted.png", "--mesh", mesh, "--adapt", "--out", out)
    specsia("enhance", out / "model", out, "--out", tmp_path / "again")
    # The drawing itself is frame 0, so views beside it may differ.
    behind, again = (pictures(folder)[2].astype(int) for folder in (out / "repaired", tmp_path / "again"))
    assert np.abs(behind - again).mean() < 1
    # From a copy of the drawing nothing can be learnt.
    copied = json.loads(repair(drawing, "--adapt", "--out", out, "--json").stdout)
    assert copied["model"] is None and copied["warnings"] and not (out / "model").exists()


def test_refusals(tmp_path: Path) -> None:
    drawing, out = write_drawing(tmp_path), tmp_path / "new" / "out"
    noise = np.random.default_rng(0).integers(0, 255, (128, 128, 3))
    uneven = write_drawing(tmp_path, "uneven.png", ground=noise)
    flat = write_turned(tmp_path / "flat.obj", np.diag([1.0, 0.2, 1.0]))
    (tmp_path / "text.png").write_text("not a picture")
    Image.new("RGBA", (64, 64)).save(tmp_path / "empty.png")
    for code, *words in (
        (2, tmp_path / "none.png"),
        (2, uneven),
        (1, drawing, "--mesh", flat),
        (2, drawing, "--motion", "fly"),
        (2, drawing, "--joints", tmp_path / "text.png"),
        (2, drawing, "--backend", "fusion"),
        (2, tmp_path / "text.png"),
        (2, tmp_path / "empty.png"),
        (2, drawing, "--outline", "blue:17"),
        (2, drawing, "--outline", "#12345678:3"),
        (2, drawing, "--ground", "nocolour"),
        (2, drawing, "--figure", "2"),
        (2, drawing, "--mask", write_drawing(tmp_path, "small.png", size=64)),
        (2, drawing, "--seconds", "3", "--fps", "12"),
        (2, drawing, "--pixel", "--adapt"),
        (2, "sample:1", "--figure", "1"),
    ):
        repair(*words, "--out", out, code=code)
    assert not out.parent.exists()


def test_frames_and_seconds_agree() -> None:
    def timing(**given: float) -> tuple[int, float]:
        settings = RepairSettings.of(given)
        return settings.views, round(float(settings.fps), 6)

    assert timing() == (36, 12)
    assert timing(views=72) == (72, 24)
    assert timing(seconds=5.0) == (60, 12)
    assert timing(fps=24.0) == timing(fps=24.0, seconds=3.0) == (72, 24)
    assert timing(views=10, fps=4.0) == timing(views=10, seconds=2.5, fps=4.0) == (10, 4)
    three = {"views": 10, "seconds": 3.0, "fps": 12.0}
    for wrong in (three, {"seconds": 100.0}, {"seconds": 0.1, "fps": 0.1}):
        with pytest.raises(UsageError):
            timing(**wrong)


def test_outlines() -> None:
    assert parse_outline("black") == ((0, 0, 0), None)
    assert parse_outline("#204080:3") == ((32, 64, 128), 3.0)
    assert parse_outline("rgb(1, 2, 3):0.5") == ((1, 2, 3), 0.5)
    widths = [f"blue:{width}" for width in ("0", "-1", "nan", "16.5", "3:4")]
    for wrong in ("", "nothing", "3", "transparent", *widths):
        with pytest.raises(UsageError):
            RepairSettings.of({"outline": wrong})


def test_front_of_a_file_warns_as_its_reader(tmp_path: Path) -> None:
    """A character of one colour, or with a doubt of its reader, is named as by a build."""
    trimesh.creation.box((1, 2, 1)).export(tmp_path / "grey.obj")
    own = read_single(tmp_path / "grey.obj")
    doubt = Warning("front-unsure", "it may face aside", "grey")
    own = replace(own, character=replace(own.character, warnings=(doubt,)))
    assert [warning.code for warning in render_front(own, 128).warnings] == ["front-unsure", "one-colour"]


@pytest.mark.parametrize("name", ["adult-jacket", "cat-tiny", "duke", "knight-tiny"])
def test_reconstruction_keeps_the_drawings_frame(name: str, drawings_dir: Path) -> None:
    """`relief` covers the drawing as it is, and nothing turns, moves or scales it but to fit all views."""
    front = read_drawing(drawings_dir / f"{name}.png", DrawingSettings())
    placed = reconstruction.reconstruct(front, "relief", 4)
    assert_allclose(placed.matrix[:3, :3], np.eye(3) * placed.fit, atol=1e-12)
    assert_allclose(placed.matrix[[0, 2], 3], 0.0, atol=1e-12)
    assert placed.iou >= 0.99


def test_skeleton_of_a_backend_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend's own rig follows its mesh through registration, here moved, and is not guessed anew."""
    own = read_single(Path("sample:1"))
    front = render_front(own, 128)
    shift = np.array([[2, 0, 0, 0.3], [0, 2, 0, 0], [0, 0, 2, 0.1], [0, 0, 0, 1.0]])
    mesh = own.character.mesh.with_vertices(
        (own.character.mesh.vertices * 2 + shift[:3, 3]).astype(np.float32)
    )
    moved = replace(own, character=replace(own.character, mesh=mesh), rig=own.rig.placed(shift))

    class Rigged(Backend):
        name = "rigged"

        def reconstruct(self, image: Pixels, context: Context) -> Mesh:
            return mesh

        def animated(self, character_id: str) -> AnimatedCharacter:
            return moved

    monkeypatch.setattr(reconstruction, "load_backend", lambda _: Rigged())
    placed = reconstruction.reconstruct(replace(front, own=None), "rigged", 4)
    assert placed.rig is not None and rig_of(placed, front).joints is None
    at_rest = Poses(placed.rig.skeleton.rest_worlds[None], {})
    assert_allclose(placed.rig.vertices(at_rest, 0), placed.mesh.vertices, atol=1e-4)
