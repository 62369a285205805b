"""Views for trainers, colour, depth and normals written as files, beside a render stage's and Blender's."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR

from benchmarks.parity import compare, summarised
from specsia_build import png
from specsia_build.cameras.rigs import CameraRig
from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from specsia_build.config import BuildConfig
from specsia_build.frame import Camera, normalise
from specsia_build.rendering.blender.renderer import render_views
from specsia_build.rendering.mesh import Mesh, compacted
from specsia_build.rendering.pyrender import pictures
from specsia_build.rendering.surface import surface_views
from specsia_build.stages.render import RENDER
from specsia_build.stages.stage import Job

SAMPLES = 16  # Of Cycles, as scripts that render for trainers have it
PARITY_SAMPLES = 256
MARGIN = 5.0  # Pixels free beside the figure, as the widest contour needs
MILLION = 1_000_000
# Of exact compressions RLE is the fastest: 163 kB in 1.7 ms, where ZIP has 137 in 2.4 and ZIPS 166 in 6.0
EXR = {"compression": OpenEXR.RLE_COMPRESSION, "type": OpenEXR.scanlineimage}


def measure(rig: CameraRig, config: BuildConfig, peers: Sequence[str], folder: Path) -> dict[str, Any]:
    """Draw and write a rig's views of every character of a source, seconds being those of the processor.

    Returns medians over the characters of milliseconds and bytes per view of ours, of the render stage and of
    peers, what a million views take, and with the peer ``parity`` how like Cycles perspective views are.
    """
    entries = open_source(config.source, folder).entries[: config.limit]
    # What is compiled and loaded once is not counted.
    _stage(entries[0], config, folder)
    _ours(entries[0], rig, config, folder)
    rows = [_row(entry, rig, config, peers, folder) for entry in entries]
    names = sorted(set().union(*rows))
    report = {name: float(np.median([row[name] for row in rows if name in row])) for name in names}
    hours = report["ms_per_view"] * MILLION / 3_600_000
    return {
        "source": config.source,
        "characters": len(rows),
        "rig": rig.name,
        "size": config.size,
        **{name: round(value, 5) for name, value in report.items()},
        "times_stage": round(report["ms_per_view"] / report["stage_ms_per_view"], 3),
        "worst_times_stage": round(max(r["ms_per_view"] / r["stage_ms_per_view"] for r in rows), 3),
        "million": {"core_hours": round(hours, 2), "gb": round(report["bytes_per_view"] / 1000, 1)},
    }


def _row(
    entry: Entry, rig: CameraRig, config: BuildConfig, peers: Sequence[str], folder: Path
) -> dict[str, float]:
    row = {"stage_ms_per_view": _stage(entry, config, folder), **_ours(entry, rig, config, folder)}
    mesh, cameras = _placed(entry, rig, config)
    if "cycles" in peers:
        # Blender's process has a clock of its own: this one is on the wall.
        start = time.perf_counter()
        for layers in render_views(mesh, cameras, "unlit", SAMPLES):
            png.encode(layers.color)
        row["cycles_ms_per_view"] = 1000 * (time.perf_counter() - start) / len(cameras)
    if "pyrender" in peers:
        start = time.perf_counter()
        for color, _ in pictures(mesh, [replace(c, fov_deg=None) for c in cameras], 1):
            png.encode(color)
        row["pyrender_ms_per_view"] = 1000 * (time.perf_counter() - start) / len(cameras)
    if "parity" in peers:
        theirs = render_views(mesh, cameras[:2], "unlit", PARITY_SAMPLES)
        ours = surface_views(mesh, cameras[:2])
        pairs = zip(theirs, ours, strict=True)
        row |= summarised([compare(a, b.layers, *mesh.bounds()) for a, b in pairs]).as_dict()
    return row


def _placed(entry: Entry, rig: CameraRig, config: BuildConfig) -> tuple[Mesh, tuple[Camera, ...]]:
    cameras = rig.cameras(config.size, entry.id, config.seed)
    mesh = compacted(read_character(entry).mesh)
    return mesh.with_vertices(normalise(mesh.vertices, cameras, MARGIN).apply(mesh.vertices)), cameras


def _stage(entry: Entry, config: BuildConfig, folder: Path) -> float:
    """Milliseconds per view of the render stage, its files written."""
    start = time.process_time()
    artefact, _ = RENDER.make(Job(entry, config), {})
    for name, data in artefact.files.items():
        (folder / name).write_bytes(data)
    return 1000 * (time.process_time() - start) / config.views


def _ours(entry: Entry, rig: CameraRig, config: BuildConfig, folder: Path) -> dict[str, float]:
    """Milliseconds and bytes per view of a character that is read, drawn and written."""
    start = time.process_time()
    mesh, cameras = _placed(entry, rig, config)
    for k, view in enumerate(surface_views(mesh, cameras)):
        (folder / f"color_{k}.png").write_bytes(png.encode(view.layers.color))
        (folder / f"normal_{k}.png").write_bytes(png.encode(view.normal_picture()))
        OpenEXR.File(EXR, {"Z": view.depth}).write(str(folder / f"depth_{k}.exr"))
    spent = time.process_time() - start
    files = [path for kind in ("color", "normal", "depth") for path in folder.glob(f"{kind}_*.*")]
    written = sum(path.stat().st_size for path in files)
    return {"ms_per_view": 1000 * spent / len(cameras), "bytes_per_view": written / len(cameras)}
