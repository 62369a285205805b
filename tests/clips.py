"""Small animated characters written by hand, and runs of clips of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from inspect import isgeneratorfunction
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import trimesh

from specsia_build.config import BuildConfig, with_settings
from specsia_build.pipeline.build import build
from specsia_build.pipeline.failures import BuildSummary
from specsia_build.pipeline.run import RunPaths, paths_of
from specsia_build.stages.registry import character_stages
from tests.characters.gltf.writer import GltfWriter

SIZE, FPS, VIEWS = 64, 4, 2
"""Of the clips' pictures, and their cameras."""

TURN = 0.25
"""Of a quarter circle that `sway` bends the upper half."""


def _about_z(quarters: float) -> list[float]:
    half = np.pi / 4 * quarters
    return [0.0, 0.0, float(np.sin(half)), float(np.cos(half))]


def write_figure(path: Path, number: int, still: bool = False, bent: float = 0.0) -> Path:
    """A GLB of boxes, no two numbers alike, whose upper half can bend; its motions are `sway` and `walk`.

    Args:
        path: of the file.
        number: of the figure.
        still: whether it has no motions.
        bent: quarter circles by which it is bent at rest, though not where its skin is bound.
    """
    rng = np.random.default_rng(number)
    parts = [
        (trimesh.creation.box((0.5, 1.0 + 0.05 * number, 0.3)), (0.0, 0.5, 0.0)),
        (trimesh.creation.icosphere(subdivisions=2, radius=0.3), (0.02, 1.35, 0.05)),
        (trimesh.creation.box((0.45, 0.15, 0.15)), (0.4, 0.8, 0.0)),
        (trimesh.creation.box((0.3, 0.2, 0.2)), (-0.35, 0.7, 0.05)),
    ]
    for mesh, centre in parts:
        mesh.apply_translation(centre)
        mesh.visual.vertex_colors = np.append(rng.integers(20, 255, 3), 255).astype(np.uint8)
    whole: Any = trimesh.util.concatenate([mesh for mesh, _ in parts])
    points = np.asarray(whole.vertices, np.float32)
    above = np.clip((points[:, 1] - 0.4) / 0.4, 0, 1)
    count = len(points)
    writer = GltfWriter()
    nothing = np.zeros(count)
    body = writer.primitive(
        points,
        whole.faces,
        COLOR_0=writer.accessor(np.asarray(whole.visual.vertex_colors)[:, :3] / 255.0),
        JOINTS_0=writer.accessor(np.tile([0, 1, 0, 0], (count, 1)), "u1"),
        WEIGHTS_0=writer.accessor(np.stack([1 - above, above, nothing, nothing], axis=1)),
    )
    figure = writer.mesh_node(body, name="figure", skin=0)
    root = writer.add("nodes", name="root", children=[figure + 2])
    writer.add("nodes", name="top", translation=[0.0, 0.6, 0.0], rotation=_about_z(bent))
    down = np.eye(4)
    down[1, 3] = -0.6
    inverse = writer.accessor(np.stack([np.eye(4), down]).swapaxes(1, 2))
    writer.add("skins", joints=[root, root + 1], inverseBindMatrices=inverse)
    writer.data["scenes"], writer.data["scene"] = [{"nodes": [figure, root]}], 0
    if not still:
        turns = [_about_z(turn) for turn in (0, TURN, 0)]
        add_motion(writer, "sway", root + 1, "rotation", [0.0, 0.5, 1.0], turns)
        add_motion(writer, "walk", root, "translation", [0.0, 1.0], [[0, 0, 0], [0.2, 0, 0.4]])
    return writer.write_glb(path)


def add_motion(
    writer: GltfWriter, name: str, node: int, path: str, times: Sequence[float], values: Sequence[Any]
) -> None:
    """Let a node move by keys."""
    curve = {"input": writer.accessor(list(times)), "output": writer.accessor(values)}
    channel = {"sampler": 0, "target": {"node": node, "path": path}}
    writer.add("animations", name=name, channels=[channel], samplers=[curve])


def write_figures(folder: Path, count: int = 3) -> Path:
    """A source of so many figures, `a`, `b` and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        write_figure(folder / f"{chr(ord('a') + number)}.glb", number)
    return folder


def clips_config(source: Path, **clips: Any) -> BuildConfig:
    """Settings of a small run; `clips` are among those of `ClipSettings`."""
    stated = {"layouts": ["pairs"], "fps": float(FPS), "views": VIEWS, "turntable": True, **clips}
    settings = {
        "source": str(source),
        "size": SIZE,
        "views": 4,
        "workers": 1,
        "min_iou": 0.0,
        "clips": stated,
    }
    return with_settings(BuildConfig(), {**settings, "clips": stated}, "a test")


def run_here(function: Any, items: Sequence[Any], *_: Any) -> Iterator[tuple[int, Any]]:
    """An executor without processes, which take longer to start than so few clips to be made."""
    for index, item in enumerate(items):
        yield index, tuple(function(item)) if isgeneratorfunction(function) else function(item)


@contextmanager
def at_once(*_: Any) -> Iterator[Any]:
    """It for a build."""
    yield run_here


def run_clips(out: Path, config: BuildConfig) -> tuple[RunPaths, BuildSummary]:
    """Make the clips of a configuration, in this process."""
    paths = paths_of(out)
    stages = [*(stage.name for stage in character_stages(config)), "pack"]
    with patch("specsia_build.pipeline.build.open_executor", at_once):
        return paths, build(config, paths, stages, False)
