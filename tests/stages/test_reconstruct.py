"""Reconstructions and warnings about registered ones; drawings as frontal views."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from specsia_build import png
from specsia_build.backends.base import Context, Reading
from specsia_build.backends.placing import into_frame
from specsia_build.backends.registry import load_backend
from specsia_build.backends.selftest import ellipsoid, figure
from specsia_build.characters.character import Entry
from specsia_build.characters.drawing import drawn_frontal
from specsia_build.config import BuildConfig
from specsia_build.errors import CharacterError, LowQualityError
from specsia_build.frame import Camera, view_cameras
from specsia_build.rendering.colour import linear_to_srgb
from specsia_build.rendering.fast.renderer import silhouettes
from specsia_build.rendering.mesh import Mesh, concatenate
from specsia_build.stages import project, render
from specsia_build.stages.reconstruct import RECONSTRUCT, accepted, reconstruct
from specsia_build.stages.stage import Artefact, Job
from specsia_build.stages.warnings import Comparison, warnings_about
from tests.backends.drawings import Fake
from tests.rendering.scenes import look_at, sphere


def test_reconstruction_from_both_sides() -> None:
    ball = sphere(0.4).with_sides(double=False)
    given = accepted(ball, look_at(ball, size=96).color, load_backend("relief"), "a")
    assert [material.double_sided for material in given.materials] == [True]


def _reconstructed(make: Callable[[Context], Mesh]) -> Artefact:
    """The artefact of a figure by a backend that makes something of it."""
    seen = look_at(figure(), size=128)
    front, mask = png.encode(seen.color), png.encode(seen.mask)
    rendered = Artefact("a", {render.FRONT: front, "gt_00.png": front, "gt_mask_00.png": mask}, {})
    job = Job(Entry("a", "ply", Path("a.ply")), BuildConfig(source="a"), Fake(make))
    return reconstruct(job, {render.RENDER: rendered})[0]


def _lying(context: Context) -> Mesh:
    """Another frame than the picture's, read as a file in the axes of glTF."""
    context.note(Reading(("+x", "-z", "+y"), False, "backends.yaml"))
    return into_frame(figure(), ("+x", "-z", "+y"))


def _warning(context: Context) -> Mesh:
    context.warn("the figure lacks a tail")
    return figure()


def test_wrong_mesh_is_refused_with_a_fix() -> None:
    with pytest.raises(LowQualityError) as caught:
        _reconstructed(_lying)
    assert caught.value.pictures and 'axes: ["+x", "+y", "+z"] in backends.yaml' in str(caught.value)


def test_sentences_of_backends_are_warnings() -> None:
    (record,) = _reconstructed(_warning).meta["warnings"]
    assert record == {"code": "backend", "sentence": "the figure lacks a tail", "subject": "mine"}


TRUTH = figure()
READING = {"axes": ["+x", "-z", "+y"], "linear": True, "stated_in": "manifest.yaml"}


def said(mesh: Mesh, reading: dict[str, Any] | None = None, *, sees: bool = False) -> list[dict[str, str]]:
    views, truth = ([look_at(solid, yaw, size=192) for yaw in (0.0, 180.0)] for solid in (mesh, TRUTH))
    masks, goals = (np.stack([layers.mask for layers in shape]) for shape in (views, truth))
    pair = Comparison(mesh, mesh, views[0].color, views[1].color, masks, truth[0].color, goals, "unlit")
    meta = {"backend": "mine", "sees_ground_truth": sees, "warnings": [], "reading": reading}
    return warnings_about(pair, meta)[0]


def coloured(change: Any) -> Mesh:
    assert TRUTH.colors is not None
    colors = TRUTH.colors.copy()
    colors[..., :3] = change(colors[..., :3])
    return replace(TRUTH, colors=colors)


AWAY, MIRRORED = ("-x", "-y", "+z"), ("-x", "+y", "+z")
UNSTATED = {**READING, "stated_in": None}


@pytest.mark.parametrize(
    ("make", "reading", "code", "sentence"),
    [
        (lambda: into_frame(TRUTH, AWAY), READING, "misplaced", 'axes: ["-x", "+z", "+y"] in manifest.yaml'),
        (lambda: into_frame(TRUTH, AWAY), None, "misplaced", 'axes: ["-x", "-y", "+z"] as its x, y, z'),
        (
            lambda: into_frame(TRUTH, MIRRORED),
            READING,
            "misplaced",
            'axes: ["-x", "-z", "+y"] in manifest.yaml',
        ),
        (lambda: coloured(lambda c: np.full_like(c, 0.5)), READING, "one-colour", "grey of 188"),
        (lambda: coloured(lambda c: 1 - c), READING, "colours-differ", "by mine"),
        (lambda: coloured(linear_to_srgb), READING, "too-pale", "colors: srgb in manifest.yaml"),
        (lambda: coloured(linear_to_srgb), UNSTATED, "too-pale", "decoded from sRGB"),
    ],
)
def test_warning_names_fault_and_fix(make: Any, reading: Any, code: str, sentence: str) -> None:
    (warning,) = said(make(), reading)
    assert (warning["code"], warning["subject"]) == (code, "mine")
    assert sentence in warning["sentence"]


def test_good_mesh_has_no_warnings() -> None:
    assert said(TRUTH, READING) == []
    assert said(coloured(lambda c: np.clip(c * 1.3, 0, 1)), READING) == []


def test_turn_search_is_an_input() -> None:
    seen = {name: {"sha256": name} for name in ("gt_mask_00.png", "gt_00.png")}
    mesh: dict[str, Any] = {"files": {"vertices.npy": {"sha256": "v"}}}
    job = Job(Entry("a", "ply", Path("a.ply")), BuildConfig(views=1))
    still, turned = (
        project.PROJECT.inputs(
            job, {render.RENDER: {"files": seen}, RECONSTRUCT: {**mesh, "needs_yaw": needs}}, lambda *_: None
        )
        for needs in (False, True)
    )
    pictures = {name: name for name in ("gt_mask_00.png", "gt_00.png")}
    assert still == pictures | {"reconstruction/vertices.npy": "v"}
    assert turned != still


@pytest.mark.parametrize("yaw", [30.0, 217.0])
def test_colours_tell_the_front(yaw: float) -> None:
    face, back = (0.9, 0.7, 0.6), (0.2, 0.2, 0.6)
    head = ellipsoid((0, 0, 0.3), (0.15, 0.12, 0.17), face, back)
    body = concatenate([head, ellipsoid((0, 0, -0.1), (0.3, 0.1, 0.3), face, back)])
    cameras = view_cameras(4, 128)
    masks = silhouettes(body, cameras)
    gt = look_at(body, size=128).color
    turned = body.rotated(Camera(yaw, 128).turn())
    registered = project.registered(turned, masks, cameras, gt, "unlit", any_yaw=True)
    seen = look_at(registered.similarity.apply_to(turned), size=128).color
    assert np.abs(seen[64, 64].astype(int) - gt[64, 64]).max() < 8


FRONT = np.zeros((64, 64, 4), np.uint8)
FRONT[10:50, 20:40] = (90, 90, 90, 255)


def drawing(folder: Path, paper: int, alpha: int = 255) -> Entry:
    """A blue box of 80 x 40 pixels on 100 x 120, on a paper of one grey."""
    pixels = np.full((120, 100, 4), (paper, paper, paper, alpha), np.uint8)
    pixels[20:100, 30:70] = (20, 20, 200, 255)
    Image.fromarray(pixels).save(folder / "drawing.png")
    return Entry(id="a", format="gltf", path=folder / "a.glb", drawing=folder / "drawing.png")


def mask(path: Path, size: tuple[int, int]) -> None:
    pixels = np.zeros((120, 100), np.uint8)
    pixels[20:100, 30:70] = 255
    Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST).save(path)


@pytest.mark.parametrize(("paper", "alpha", "masked"), [(235, 255, False), (0, 0, False), (120, 255, True)])
def test_figure_is_cut_from_paper(tmp_path: Path, paper: int, alpha: int, masked: bool) -> None:
    if masked:
        mask(tmp_path / "mask512.png", (50, 60))
        mask(tmp_path / "mask.png", (100, 120))
    laid = drawn_frontal(drawing(tmp_path, paper, alpha), FRONT)
    assert np.array_equal(laid[..., 3] >= 128, FRONT[..., 3] >= 128)
    assert np.abs(laid[30, 30].astype(int) - (20, 20, 200, 255)).max() <= 2


@pytest.mark.parametrize("corner", [(0, 0), (0, -1), (-1, 0), (-1, -1)])
def test_figure_may_touch_three_corners(tmp_path: Path, corner: tuple[int, int]) -> None:
    pixels = np.full((30, 20, 4), (20, 20, 200, 255), np.uint8)
    pixels[corner] = 0
    Image.fromarray(pixels).save(tmp_path / "drawing.png")
    laid = drawn_frontal(Entry("a", "gltf", tmp_path / "a.glb", drawing=tmp_path / "drawing.png"), FRONT)
    assert laid[30, 30].tolist() == [20, 20, 200, 255]


def test_inseparable_drawings_are_refused(tmp_path: Path) -> None:
    """Of an uneven paper without a mask, and with one of another size."""
    with pytest.raises(CharacterError, match=r"mask\.png beside it"):
        drawn_frontal(drawing(tmp_path, 234), FRONT)
    mask(tmp_path / "mask.png", (50, 60))
    with pytest.raises(CharacterError, match=r"100 x 120 pixels"):
        drawn_frontal(drawing(tmp_path, 255), FRONT)
