"""Cycles and pyrender draw what the fast renderer draws; faults of Blender."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.parity import Parity, compare, summarised
from specsia_build.errors import CharacterError, SpecsiaError, UsageError
from specsia_build.frame import Camera, view_cameras
from specsia_build.rendering import pyrender as optional
from specsia_build.rendering.blender import process as blender_process
from specsia_build.rendering.blender.process import BlenderProcess
from specsia_build.rendering.blender.renderer import render_views
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.layers import Layers, Look, load_renderer
from specsia_build.rendering.mesh import Material, Mesh, Texture, concatenate
from tests.backends.upstream.standins import eventually, processes_naming
from tests.needs import needs
from tests.rendering.scenes import box, compass, mesh_of, real_mesh, sheet

SIZE = 128
SAMPLES = 64


@pytest.fixture
def needs_blender() -> None:
    needs("blender", "libraries")


def quad(x: float, z: float, y: float, material: Material, reach: float = 1.0, half: float = 0.14) -> Mesh:
    """An upright square about (x, z) at depth y whose UVs run from 0 to `reach`, seen from the front."""
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    corners = [[x + right * half, y, z + up * half] for right, up in signs]
    uv = np.array([[0, 1], [1, 1], [1, 0], [0, 0]]) * reach
    return mesh_of(corners, [[0, 1, 2], [0, 2, 3]], material, uv=uv)


def picture(seed: int, opaque: bool = True) -> NDArray[np.uint8]:
    """A smooth random texture (16, 16, 4)."""
    rough = np.random.default_rng(seed).integers(0, 256, (5, 5, 4)).astype(np.float64)
    texels: NDArray[np.uint8] = np.rint(ndimage.zoom(rough, (16 / 5, 16 / 5, 1), order=1)).astype(np.uint8)
    if opaque:
        texels[..., 3] = 255
    return texels


def surfaces() -> list[Mesh]:
    """Squares of every kind of surface: samplers, alpha modes, emission, vertex colours."""
    tile, veil = Texture(picture(1)), Texture(picture(2, opaque=False))
    mirrored, behind = replace(tile, wrap=("mirror", "repeat")), Material("behind", (0.1, 0.5, 0.2, 1.0))
    half_red = Material("red", (1.0, 0.1, 0.1, 0.5), alpha_mode="blend")
    coloured = quad(0.45, -0.45, 0.0, Material("grey", (0.5, 0.5, 0.5, 1.0)))
    colors = np.random.default_rng(3).random((2, 3, 4)).astype(np.float32)
    colors[1, 0], colors[1, 1] = colors[0, 0], colors[0, 2]
    colors[..., 3] = 1.0
    coloured = replace(coloured, colors=colors)
    return [
        quad(-0.45, 0.45, 0.0, Material("repeat", texture=tile), reach=1.7),
        quad(-0.15, 0.45, 0.0, Material("clamp", texture=replace(tile, wrap=("clamp", "clamp"))), reach=1.7),
        quad(0.15, 0.45, 0.0, Material("mirror", texture=mirrored), reach=1.7),
        quad(0.45, 0.45, 0.0, Material("nearest", (0.9, 0.8, 0.7, 1.0), replace(tile, nearest=True))),
        quad(-0.45, 0.0, 0.0, Material("mask", texture=veil, alpha_mode="mask", alpha_cutoff=0.4)),
        quad(-0.1, 0.0, 0.0, Material("veil", texture=veil, alpha_mode="blend")),
        quad(-0.1, 0.0, 0.2, behind, half=0.1),
        quad(0.3, 0.0, 0.0, half_red),
        quad(0.35, 0.05, 0.1, half_red),
        quad(-0.3, -0.45, 0.0, Material("glow", (0.2, 0.2, 0.2, 1.0), tile, (0.3, 0.1, 0.0), tile)),
        coloured,
    ]


def both(mesh: Mesh, cameras: list[Camera], look: Look = "unlit") -> Iterator[tuple[Layers, Layers, Parity]]:
    """Views by Cycles and by the fast renderer, and how they compare."""
    low, high = mesh.bounds()
    ours = FastRenderer().render(mesh, cameras, look)
    for theirs, fast in zip(render_views(mesh, cameras, look, SAMPLES), ours, strict=True):
        yield theirs, fast, compare(theirs, fast, low, high)


@pytest.mark.usefixtures("needs_blender")
@pytest.mark.parametrize(
    ("name", "look"), [("kaykit_knight", "unlit"), ("quaternius_zombie", "unlit"), ("kaykit_mage", "lit")]
)
def test_agrees_on_real_characters(characters_dir: Path, name: str, look: Look) -> None:
    cameras = list(view_cameras(10, SIZE))[1:5:3]
    mesh = real_mesh(characters_dir, name, cameras, 5)
    views = list(both(mesh, cameras, look))
    parity = summarised([p for _, _, p in views])
    # A pixel at half coverage weighs sixteen times what it does in a picture of 512.
    assert parity.iou >= 0.997
    assert parity.coverage_mae <= 0.002 and parity.coverage_edge_mae <= 0.03
    assert parity.color_mae <= 1 and parity.color_p99 <= 6
    assert parity.position_p95 <= 0.1 and parity.position_off <= 0.002
    plain = next(FastRenderer().render(mesh, cameras[:1]))
    lit = np.abs(views[0][0].color.astype(int) - plain.color)[views[0][0].coverage == 255, :3].mean() > 5
    assert lit == (look == "lit")


@pytest.mark.usefixtures("needs_blender")
def test_agrees_from_anywhere(characters_dir: Path) -> None:
    """Of any place, lens and size, and beside the middle."""
    around = [Camera(40.0, SIZE, elevation_deg=35.0, fov_deg=50.0), Camera(250.0, SIZE, elevation_deg=-20.0)]
    mesh = real_mesh(characters_dir, "kaykit_mage", around, 5)
    near = Camera(10.0, SIZE, elevation_deg=-15.0, roll_deg=25.0, fov_deg=75.0, radius=0.95, rows=96)
    wide = replace(around[0], rows=80, centre=(50.0, 45.0), target=(0.05, 0.0, 0.1))
    tall = replace(around[1], roll_deg=-50.0, rows=160, centre=(70.0, 70.0))
    for camera in (*around, near, wide, tall):
        ((theirs, _, parity),) = both(mesh, [camera])
        assert theirs.color.shape == (camera.height, SIZE, 4) and (theirs.coverage == 255).sum() > 1000
        assert parity.iou >= 0.997 and parity.coverage_edge_mae <= 0.03
        assert parity.color_mae <= 1 and parity.position_p95 <= 0.3


@pytest.mark.usefixtures("needs_blender")
def test_agrees_on_every_surface() -> None:
    ((theirs, ours, parity),) = both(concatenate(surfaces()), [Camera(0.0, SIZE)])
    assert parity.iou >= 0.995 and parity.color_mae <= 1 and parity.position_off == 0
    seen = (theirs.mask > 0) & (ours.mask > 0) & (theirs.coverage == 255) & (ours.coverage == 255)
    assert np.abs(theirs.color.astype(int) - ours.color)[seen, 3].mean() <= 1
    assert len(np.unique(theirs.mask[seen])) > 20, "there should be see-through pixels"


@pytest.mark.parametrize(("z", "last", "why"), [(0, 1, "no faces"), (np.nan, 2, "not finite")])
def test_undrawable_mesh_needs_no_blender(z: float, last: int, why: str) -> None:
    with pytest.raises(CharacterError, match=why):
        mesh = mesh_of([[0, 0, 0], [1, 0, z], [0, 0, 1]], [[0, 1, last]])
        next(render_views(mesh, [Camera(0.0, 16)], "unlit"))


SCRIPT = """
import os, sys, tempfile, time
sys.path.insert(0, {folder!r})
import job_server
def do(job):
    print("noise", flush=True)
    os.write(1, b'{{"ok": "more noise"}}\\n')
    if job.get("say"):
        os.write(int(sys.argv[-1]), job["say"].encode() + b"\\n")
    if job.get("sleep"):
        time.sleep(job["sleep"])
    if job.get("refuse"):
        raise job_server.JobError("no such thing")
    if job.get("abort"):
        os.write(2, b"no display\\n")
        os.abort()
    return {{"twice": 2 * job["n"], "pid": os.getpid(), "scratch": tempfile.mkdtemp()}}
job_server.main(do, {{"blender": "none"}})
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], BlenderProcess]:
    """Starts a process that keeps to the protocol without any Blender."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(folder=str(blender_process.scripts_folder())))
    monkeypatch.setattr(blender_process, "find_command", lambda _: [sys.executable, str(script)])
    return lambda: BlenderProcess("script.py", "testing")


def test_answers_apart_from_prints(stand_in: Callable[[], BlenderProcess]) -> None:
    with stand_in() as process:
        assert process.blender == "none"
        first, second = process.ask({"n": 2}, 300), process.ask({"n": 5}, 30)
        assert (first["twice"], second["twice"]) == (4, 10)
        assert first["pid"] == second["pid"] and Path(first["scratch"]).is_dir()
        with pytest.raises(CharacterError, match="no such thing"):
            process.ask({"refuse": True}, 300)
        assert process.ask({"n": 1}, 300)["twice"] == 2
        with pytest.raises(SpecsiaError, match="KeyError: 'n'"):
            process.ask({}, 300)
        assert not process.alive and not Path(first["scratch"]).exists()


def test_hanging_job_is_ended(stand_in: Callable[[], BlenderProcess]) -> None:
    with stand_in() as process:
        start = time.monotonic()
        with pytest.raises(SpecsiaError, match=r"0\.5 seconds"):
            process.ask({"sleep": 600, "n": 1}, 0.5)
        assert time.monotonic() - start < 300
        assert not process.alive


@pytest.mark.parametrize("job", [{"n": 1}, {"n": 1, "sleep": 600}])
@pytest.mark.usefixtures("stand_in")
def test_child_ends_with_parent(tmp_path: Path, job: dict[str, int]) -> None:
    parent = (
        "import json, os, sys, threading, time\n"
        "from specsia_build.rendering.blender import process as blender_process\n"
        f"blender_process.find_command = lambda _: [sys.executable, {str(tmp_path / 'script.py')!r}]\n"
        "process = blender_process.BlenderProcess('script.py', 'testing')\n"
        f"threading.Thread(target=process.ask, args=({job!r}, 99)).start()\n"
        "time.sleep(0.5)\n"
        "print(process._program.process.pid, flush=True)\n"
        "os._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", parent], capture_output=True, check=True, timeout=300)
    child = int(done.stdout)
    assert eventually(lambda: child not in processes_naming(str(tmp_path)))


@pytest.fixture
def needs_gl() -> None:
    try:
        optional.offscreen(96 * optional.GRID)
    except SpecsiaError as error:
        pytest.skip(f"needs OpenGL through pyrender ({error})")


def dressed() -> Mesh:
    """Boxes, a texture with a factor and an emission, and vertex colours."""
    smooth = np.linspace(0, 255, 8 * 8 * 4).reshape(8, 8, 4).astype(np.uint8)
    smooth[..., 3] = 255
    texture = Texture(smooth, ("clamp", "repeat"))
    cloth = Material("cloth", (0.9, 0.5, 0.3, 1.0), texture, emissive=(0.0, 0.05, 0.1))
    corners = [(1.0, 0.2, 0.2, 1.0), (0.2, 1.0, 0.2, 1.0), (0.4, 0.4, 0.8, 1.0), (0.5, 0.5, 0.5, 1.0)]
    near = sheet(12, 12, 40, 40, -0.1, cloth, 96, uv=(0.0, 0.0, 1.5, 1.5))
    return concatenate([compass(), near, sheet(12, 56, 40, 84, 0.1, None, 96, colors=corners)])


@pytest.mark.usefixtures("needs_gl")
@pytest.mark.parametrize("yaw", [0.0, 36.0])
def test_pyrender_agrees(yaw: float) -> None:
    mesh, camera = dressed(), Camera(yaw, 96)
    (theirs,) = load_renderer("pyrender").render(mesh, [camera])
    (ours,) = FastRenderer().render(mesh, [camera])
    parity = compare(ours, theirs, *mesh.bounds())
    assert parity.iou >= 0.99 and parity.coverage_edge_mae <= 0.05
    # Vertex colours are interpolated as they are encoded.
    assert parity.color_mae <= 3 and parity.position_p95 <= 1
    assert not theirs.color[theirs.mask == 0].any() and (theirs.mask == 0).any()


BOX = box((0, 0, 0), (0.1, 0.1, 0.1))


@pytest.mark.parametrize(
    ("mesh", "look", "error"),
    [
        (BOX, "lit", UsageError),
        (replace(BOX, rest=np.zeros((8, 3), np.float32)), "unlit", UsageError),
        (box((0, 0, 0), (0.1, 0.1, 0.1), alpha_mode="blend"), "unlit", CharacterError),
    ],
)
def test_pyrender_refuses(mesh: Mesh, look: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="use --renderer fast"):
        next(load_renderer("pyrender").render(mesh, [Camera(0.0, 96)], look))
