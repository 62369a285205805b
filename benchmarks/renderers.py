"""The default renderer beside others on the same views of the same characters: how fast, and how alike."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from benchmarks.parity import Parity, compare, summarised
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from specsia_build.config import BuildConfig, RendererName
from specsia_build.errors import UsageError, no_such
from specsia_build.frame import Camera, view_cameras
from specsia_build.rendering.colour import srgb_to_linear
from specsia_build.rendering.layers import RENDERERS, Layers, Look, Renderer, load_renderer
from specsia_build.rendering.mesh import Material, Mesh
from specsia_build.rendering.pyrender import offscreen, pictures
from specsia_build.stages.render import in_frame

TRIANGLE_SIZE = 64  # Pixels of the small pictures that start and compile a renderer before it is timed


class PlainPyrender:
    """pyrender as it is, a peer in speed: one sample a pixel, and a second pass that draws positions."""

    name = "pyrender-plain"
    version = 2

    def check(self) -> None:
        offscreen(8)

    def render(self, mesh: Mesh, cameras: Sequence[Camera], look: Look = "unlit") -> Iterator[Layers]:
        if look != "unlit":
            raise UsageError("pyrender draws unlit pictures only")
        low, high = (bound.astype(np.float32) for bound in mesh.bounds())
        places = np.ones((len(mesh.faces), 3, 4), np.float32)
        # Vertex colours are linear light, which is shown encoded.
        places[..., :3] = srgb_to_linear((mesh.vertices[mesh.faces] - low) / np.maximum(high - low, 1e-6))
        bare = tuple(Material(double_sided=m.double_sided) for m in mesh.materials)
        placed = replace(mesh, uv=None, colors=places, materials=bare)
        both = zip(pictures(mesh, cameras, 1), pictures(placed, cameras, 1), strict=True)
        for (color, _), (position, _) in both:
            scale = np.asarray((high - low) / 255, np.float32)
            yield Layers(color, color[..., 3], position[..., :3].astype(np.float32) * scale + low)


PEERS: dict[str, Callable[[], Renderer]] = {PlainPyrender.name: PlainPyrender}
"""Peers to compare with, besides the renderers of a build."""


def measure(names: Sequence[str], config: BuildConfig, scratch: Path) -> dict[str, Any]:
    """Render every character of a source with `config.renderer` and with others.

    Returns for each of `names` the median milliseconds per view of both, and the mean and each parity.
    """
    source = open_source(config.source, scratch)
    entries = source.entries[: config.limit]
    cameras = view_cameras(config.views, config.size)
    ours, others = load_renderer(config.renderer), {name: _peer(name) for name in names}
    found: dict[str, list[tuple[str, Parity, float, float]]] = {name: [] for name in names}
    for entry in entries:
        mesh, _ = in_frame(read_character(entry), config)
        if entry is entries[0]:
            for renderer in (ours, *others.values()):
                for _ in _timed(renderer, mesh, [Camera(0.0, TRIANGLE_SIZE)], config):
                    pass
        low, high = mesh.bounds()
        mine = sum(seconds for _, seconds in _timed(ours, mesh, cameras, config))
        for name, other in others.items():
            parities, theirs = [], 0.0
            both = (_timed(renderer, mesh, cameras, config) for renderer in (ours, other))
            for (drawn, _), (peer, seconds) in zip(*both, strict=True):
                parities.append(compare(peer, drawn, low, high))
                theirs += seconds
            found[name].append((entry.id, summarised(parities), mine, theirs))
    settings = {name: getattr(config, name) for name in ("views", "size", "look", "renderer")}
    against = {name: _report(rows, config.views) for name, rows in found.items()}
    return {"source": source.name, "characters": len(entries), **settings, "against": against}


def _peer(name: str) -> Renderer:
    if name not in (*PEERS, *RENDERERS):
        raise UsageError(no_such("renderer", name, (*RENDERERS, *PEERS)))
    return PEERS[name]() if name in PEERS else load_renderer(cast(RendererName, name))


def _timed(
    renderer: Renderer, mesh: Mesh, cameras: Sequence[Camera], config: BuildConfig
) -> Iterator[tuple[Layers, float]]:
    """Each view and the seconds until it was there: one at a time, as a build takes them."""
    start = time.perf_counter()
    for layers in renderer.render(mesh, cameras, config.look):
        yield layers, time.perf_counter() - start
        start = time.perf_counter()


def _report(rows: list[tuple[str, Parity, float, float]], views: int) -> dict[str, Any]:
    mine = sorted(1000 * row[2] / views for row in rows)[len(rows) // 2]
    theirs = sorted(1000 * row[3] / views for row in rows)[len(rows) // 2]
    return {
        "ms_per_view": round(mine, 2),
        "its_ms_per_view": round(theirs, 2),
        "times_faster": round(theirs / mine, 1),
        "parity": _rounded(summarised([row[1] for row in rows])),
        "characters": {row[0]: _rounded(row[1]) for row in rows},
    }


def _rounded(parity: Parity) -> dict[str, float]:
    return {name: round(value, 6) for name, value in parity.as_dict().items()}
