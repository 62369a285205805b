"""Drawings in motion: joints in pixels of their files, films, GLB files, clips, and refusals."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from specsia_build.animation.rig import Rig
from specsia_build.characters.character import RawMoving
from specsia_build.errors import UsageError
from specsia_build.repairing.drawing import DrawingSettings, frame_drawing, read_drawing
from specsia_build.repairing.moving import rig_of
from specsia_build.repairing.reconstruction import read_single, reconstruct
from specsia_build.rigging.file import joints_json, read_joints
from specsia_build.rigging.joints import JOINTS, Joints
from tests.commands import specsia

CHARACTER = "character.glb"
QUICK = ("--views", "4", "--size", "128")


def blob(width: int, height: int, dot: tuple[float, float]) -> NDArray[np.uint8]:
    """A blue figure on transparency with a red spot, of which `dot` is the middle."""
    picture = Image.new("RGBA", (width, height))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((0.2 * width, 0.1 * height, 0.7 * width, 0.9 * height), fill=(0, 0, 255, 255))
    (x, y), radius = dot, width / 60
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(255, 0, 0, 255))
    return np.array(picture)


@pytest.mark.parametrize(("width", "pixel"), [(300, False), (4500, False), (40, True)])
@pytest.mark.parametrize("factor", [1.0, 0.7])
def test_places_in_the_frame_and_in_the_file(width: int, pixel: bool, factor: float) -> None:
    dot = (0.4 * width, 0.5 * width)
    reading = DrawingSettings(256, pixel=pixel, facing="front")
    front = frame_drawing(blob(width, width, dot), reading).shrunk(factor)
    assert front.place is not None and front.place.size == (width, width)
    in_frame = front.place.in_frame(np.array([dot]), 256)
    red = front.image[..., 0].astype(int) - front.image[..., 2] > 100
    middle = np.argwhere(red).mean(axis=0)[::-1] + 0.5
    assert np.abs(in_frame[0] - middle).max() < (4.0 if pixel else 1.0)
    np.testing.assert_allclose(front.place.in_picture(in_frame, 256), [dot])


def test_file_of_joints(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    confidence = np.r_[0.0, random.uniform(0.1, 1, 21)]
    joints = Joints(random.uniform(0, 500, (22, 2)), random.uniform(0, 1, 22), confidence, "other", 0.5)
    path = tmp_path / "joints.json"
    path.write_bytes(joints_json(joints, (500, 400)))
    assert json.loads(path.read_text())["joints"]["hips"]["pixel"] is None
    read = read_joints(path, (500, 400))
    assert (read.kind, read.certainty, read.confidence[0]) == ("other", 0.5, 0.0)
    assert np.abs(read.pixels[1:] - joints.pixels[1:]).max() <= 0.05
    assert np.abs(read.inside - joints.inside).max() < 1e-3
    whole = json.loads(path.read_text())
    for changed in (
        {"size": [400, 500]},
        {"joints": {"tail": {"pixel": [1, 2]}}},
        {"joints": {"head": {"pixel": [1, "2"]}}},
        {"joints": {"head": {"pixel": [1, 2], "inside": 2}}},
        {"kind": "ghost"},
        {"note": ""},
    ):
        path.write_text(json.dumps(whole | changed))
        with pytest.raises(UsageError):
            read_joints(path, (500, 400))


def test_person_walks_by_corrected_joints(tmp_path: Path, drawings_dir: Path) -> None:
    drawing, out = drawings_dir / "white-shirt.png", tmp_path / "out"
    specsia("repair", drawing, "--motion", "walk", "--motion", "sway", "--out", out, *QUICK)
    written = json.loads((out / "joints.json").read_text())
    assert written["kind"] == "person" and written["size"] == [768, 768]
    own = read_single(out / CHARACTER)
    assert [motion.name for motion in own.motions] == ["walk", "sway"]
    written["joints"]["leftHand"]["pixel"][1] -= 20
    written["joints"]["leftHand"]["confidence"] = 0.1
    (tmp_path / "mine.json").write_text(json.dumps(written))
    again = tmp_path / "again"
    motions = ("--motion", "walk", "--motion", out / CHARACTER)
    specsia("repair", drawing, "--joints", tmp_path / "mine.json", *motions, "--out", again, *QUICK)
    assert json.loads((again / "joints.json").read_text()) == written
    # It is not doubted again, and of two motions called walk one has the name of its file.
    record = json.loads((again / "repair.json").read_text())
    assert [warning["code"] for warning in record["coded"]] == ["motion-changed"]
    assert [motion.name for motion in read_single(again / CHARACTER).motions] == ["walk", "character"]
    hands = [places_of_bones(character)["leftHand"] for character in (own, read_single(again / CHARACTER))]
    assert hands[1][2] > hands[0][2] + 0.01
    written["joints"]["leftHand"]["pixel"] = [5.0, 5.0]
    (tmp_path / "mine.json").write_text(json.dumps(written))
    specsia("repair", drawing, "--joints", tmp_path / "mine.json", "--out", again, *QUICK, code=2)


def places_of_bones(own: RawMoving) -> dict[str, NDArray[np.float64]]:
    rig: Rig = own.rig
    worlds = rig.placement @ rig.skeleton.rest_worlds
    return {name: world[:3, 3] for name, world in zip(rig.skeleton.names, worlds, strict=True)}


def test_figure_that_is_no_person(tmp_path: Path) -> None:
    drawing, out = tmp_path / "blob.png", tmp_path / "out"
    Image.fromarray(blob(300, 300, (120, 150))).save(drawing)
    walk = ("repair", drawing, "--motion", "walk", "--out", out, *QUICK)
    assert "--facing" in specsia(*walk, code=2).output
    # What was tried already is not advised again.
    advised = specsia(*walk, "--facing", "left", code=2).output
    assert "--facing" not in advised and "four-legged" in advised
    assert not out.exists()
    specsia("repair", drawing, "--motion", "bounce", "--out", out, *QUICK)
    masks = [np.asarray(Image.open(path)) > 127 for path in sorted((out / "mask").iterdir())]
    lowest = [np.flatnonzero(mask.any(axis=1))[-1] for mask in masks]
    assert min(lowest) < lowest[0] - 2


def test_several_figures_are_named_where_they_cannot_move(tmp_path: Path) -> None:
    drawing = tmp_path / "blobs.png"
    Image.fromarray(np.hstack([blob(300, 300, (120, 150))] * 2)).save(drawing)
    refused = specsia("repair", drawing, "--motion", "walk", "--out", tmp_path / "out", *QUICK, code=2)
    assert "--figure" in refused.output


@pytest.mark.parametrize("quarters", [0, 1, 3])
def test_figure_that_lies_is_named(tmp_path: Path, drawings_dir: Path, quarters: int) -> None:
    path = tmp_path / "drawing.png"
    Image.open(drawings_dir / "white-shirt.png").rotate(90 * quarters, expand=True).save(path)
    front = read_drawing(path, DrawingSettings(256, facing="front"))
    placed = reconstruct(front, "relief", 10)
    rigged = rig_of(placed, front.shrunk(placed.fit))
    sentences = [warning.sentence for warning in rigged.own.warnings if warning.code == "side-unsure"]
    assert len(sentences) == (quarters > 0)
    assert all({1: "right", 3: "left"}[quarters] in sentence for sentence in sentences)


def test_clips_of_a_drawing(tmp_path: Path, drawings_dir: Path) -> None:
    """A drawing that its picture's border cuts is warned of, as in a repair."""
    out = tmp_path / "clips"
    drawing = tmp_path / "white-shirt.png"
    with Image.open(drawings_dir / drawing.name) as whole:
        whole.crop((0, 0, whole.width, round(0.8 * whole.height))).save(drawing)
    options = ("--motion", "walk", "--views", "1", "--size", "64", "--frames", "2", "--out", out)
    assert (
        "warning: the figure reaches the picture's border (bottom)"
        in specsia("clips", drawing, *options).stderr
    )
    assert [path.name for path in (out / "frames").iterdir() if path.is_dir()] == ["white-shirt-walk-00"]
    manifest = json.loads((tmp_path / "clips-character" / "characters.jsonl").read_text())
    assert "reconstructed from the drawing white-shirt.png" in manifest["source"]


def test_cut_figure_stays_where_it_is_cut(drawings_dir: Path) -> None:
    front = read_drawing(drawings_dir / "half-body.png", DrawingSettings(256))
    placed = reconstruct(front, "relief", 10)
    rigged = rig_of(placed, front.shrunk(placed.fit))
    vertices = placed.mesh.vertices[:, 2]
    low = vertices < np.quantile(vertices, 0.05)
    rig = rigged.own.rig
    shares = rig.weights * (np.array(rig.skeleton.names)[rig.slots] == "root")
    assert shares.sum(axis=1)[low].min() > 0.9
    assert [warning.code for warning in rigged.own.warnings] == ["figure-cut", "joints-unsure"]
    assert set(rigged.own.humanoid) == set(JOINTS)
