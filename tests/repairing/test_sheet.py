"""`specsia repair` with a side and with a model sheet: which figure is which, results, and refusals."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

import specsia
from specsia_build.arrays import Pixels
from specsia_build.errors import UsageError
from specsia_build.frame import Camera
from specsia_build.pictures.masks import box_around
from specsia_build.rendering.contour import draw_contour
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.repairing.drawing import DrawingSettings, render_front
from specsia_build.repairing.reconstruction import read_single
from specsia_build.repairing.sheet import read_sheet
from tests.backends.drawings import iou
from tests.commands import specsia as run

SIZE = 160
SMALL = ("--views", "4", "--size", "96")
YAWS = {"front": 0.0, "skip": 45.0, "left": 90.0, "back": 180.0, "right": 270.0}


@cache
def view(role: str, source: Path = Path("sample:1")) -> Pixels:
    """A character from one side, with a contour."""
    mesh = render_front(read_single(source), SIZE).mesh
    assert mesh is not None
    layers = next(FastRenderer().render(mesh, [Camera(YAWS[role], SIZE)]))
    return draw_contour(layers.color.copy(), layers.mask, 2.0, (30, 20, 40))


def write(path: Path, pictures: list[Pixels]) -> Path:
    """Pictures beside each other on white paper."""
    wide = Image.fromarray(np.concatenate(pictures, axis=1))
    paper = Image.new("RGBA", wide.size, "white")
    paper.alpha_composite(wide)
    paper.convert("RGB").save(path)
    return path


def written_views(folder: Path, source: Path = Path("sample:1")) -> dict[str, Path]:
    return {role: write(folder / f"{role}.png", [view(role, source)]) for role in YAWS}


def cropped(picture: Pixels) -> Pixels:
    """The figure's box of a picture, 80 pixels wide and high."""
    box = box_around(picture[..., 3] >= 128)
    return np.asarray(Image.fromarray(picture[box]).resize((80, 80), Image.Resampling.BOX))


def repair(*words: object, code: int = 0) -> Result:
    return run("repair", *words, *SMALL, code=code)


@pytest.mark.parametrize(
    "roles",
    [
        ("front", "left", "back"),
        ("front", "right"),
        ("left", "front"),
        ("front", "back"),
        ("front", "skip", "left", "back"),
        ("back", "right", "front"),
    ],
)
def test_figures_of_a_sheet(tmp_path: Path, roles: tuple[str, ...]) -> None:
    path = write(tmp_path / "sheet.png", [view(role) for role in roles])
    # Front and back of a sample are alike but for the face, so where the back comes first the order says so.
    order = roles if roles[0] == "back" else None
    sheet = read_sheet(path, DrawingSettings(SIZE), order)
    assert sheet.roles == roles
    assert (sheet.back is not None) == ("back" in roles)
    sides = [role for role in roles if role in ("left", "right")]
    assert (sheet.side is not None) == bool(sides)
    if sheet.side is not None:
        assert sheet.side.side.shows == sides[0] and not sheet.side.warnings
        rows, _ = box_around(sheet.side.side.picture[..., 3] >= 128)
        wanted, _ = box_around(sheet.front.color[..., 3] >= 128)
        assert abs(rows.start - wanted.start) <= 1 and abs(rows.stop - wanted.stop) <= 1


def test_sheet_is_repaired_as_its_drawings_are(tmp_path: Path) -> None:
    views = written_views(tmp_path)
    sheet = write(tmp_path / "sheet.png", [view(role) for role in ("front", "left", "back")])
    said = repair("--sheet", sheet, "--out", tmp_path / "one", "--json").stdout
    assert json.loads(said)["roles"] == ["front", "left", "back"]
    side, back = ("--side", f"left:{views['left']}"), ("--back", views["back"])
    repair(views["front"], *side, *back, "--out", tmp_path / "two")
    for name in ("color", "repaired"):
        for number in range(4):
            frames = [tmp_path / out / name / f"{number:04d}.png" for out in ("one", "two")]
            assert iou(*(np.asarray(Image.open(path)) for path in frames)) > 0.97
    record = json.loads((tmp_path / "two" / "repair.json").read_text())
    assert record["settings"]["side"] == "left:left.png" and "side" in record["inputs"]
    assert "sheet" not in record["settings"] and "roles" not in record
    # The view from the left shows the side that was drawn.
    shown = cropped(np.asarray(Image.open(tmp_path / "two" / "repaired" / "0001.png")))
    wanted = cropped(view("left"))
    assert iou(shown, wanted) > 0.75
    both = (shown[..., 3] == 255) & (wanted[..., 3] == 255)
    assert np.abs(shown[both].astype(int) - wanted[both])[:, :3].mean() < 25


def test_side_from_python(tmp_path: Path) -> None:
    views = written_views(tmp_path)
    by_name = specsia.repair(views["front"], side=f"left:{views['left']}", views=2, size=96)
    picture = np.asarray(Image.open(views["left"]))
    given = specsia.repair(views["front"], side=("left", picture), views=2, size=96)
    assert all(np.array_equal(one, two) for one, two in zip(by_name.frames, given.frames, strict=True))
    alone = specsia.repair(views["front"], views=2, size=96)
    assert np.ptp(by_name.mesh.vertices[:, 1]) != pytest.approx(np.ptp(alone.mesh.vertices[:, 1]), rel=1e-3)
    with pytest.raises(UsageError):
        specsia.repair(views["front"], side=("above", picture))


def test_record_without_a_side_has_no_such_settings(tmp_path: Path) -> None:
    repair(write(tmp_path / "front.png", [view("front")]), "--out", tmp_path / "out")
    record = json.loads((tmp_path / "out" / "repair.json").read_text())
    assert not {"side", "sheet", "order"} & {*record["settings"], *record["inputs"], *record}


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    views, out = written_views(tmp_path), ("--out", tmp_path / "out")
    front, side = views["front"], f"left:{views['left']}"
    sheet = write(tmp_path / "sheet.png", [view("front"), view("left")])
    fallen = write(tmp_path / "fallen.png", [view("left")[::-1]])
    low = np.zeros_like(view("left"))
    low[SIZE // 2 :] = np.asarray(Image.fromarray(view("left")).resize((SIZE, SIZE // 2)))
    uneven = write(tmp_path / "uneven.png", [view("front"), low])
    for words in (
        ("--sheet", front),
        (front, "--side", f"left:{fallen}"),
        (front, "--side", side, "--backend", "fusion"),
        (front, "--side", views["left"]),
        (front, "--side", f"left:{tmp_path / 'nothing.png'}"),
        (front, "--side", side, "--facing", "left"),
        (front, "--side", side, "--pixel"),
        (front, "--sheet", sheet),
        ("--sheet", sheet, "--side", side),
        ("--sheet", sheet, "--order", "front,left,back"),
        ("--sheet", sheet, "--order", "left,right"),
        ("--sheet", uneven, "--order", "front,left"),
        (front, "--order", "front,left"),
        (tmp_path, "--side", side),
        (),
    ):
        repair(*words, *out, code=2)
        assert not (tmp_path / "out").exists(), words


@pytest.mark.parametrize("name", ["animal_alpaca", "animal_fox"])
def test_side_of_the_other_direction_is_mentioned(name: str, characters_dir: Path, tmp_path: Path) -> None:
    views = written_views(tmp_path, characters_dir / f"animated/{name}.glb")
    counts = []
    for shown, word in (("left", "left"), ("left", "right"), ("front", "left")):
        side = ("--side", f"{word}:{views[shown]}")
        said = repair(views["front"], *side, "--out", tmp_path / "out", "--json").stdout
        counts.append(len(json.loads(said)["warnings"]))
    assert counts[1] == counts[2] == counts[0] + 1
