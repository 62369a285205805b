"""Annotations of a clip's frames: lines, regions, segments, strokes, flow, UDP, tracks."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import npz
from specsia_build.annotation.lines import Features, draw_lines, feature_edges, segments, visible_lines
from specsia_build.annotation.regions import regions
from specsia_build.annotation.strokes import Strokes, strokes, vertex_ranks
from specsia_build.annotation.tracks import TrackPoints, chosen, flow, tracked
from specsia_build.annotation.udp import Landmarks, landmarks, udp
from specsia_build.config import UdpScale
from specsia_build.dataset.layers import (
    BACK,
    BACK_UNMATCHED,
    FLOW,
    LABEL,
    LINE,
    SEG,
    STROKES,
    TRACKS,
    UDP,
    UNMATCHED,
)
from specsia_build.rendering.layers import Layers, Seen
from specsia_build.stages.clips.actor import Actor

OF_REGIONS = frozenset({LINE, LABEL, SEG, STROKES})  # Layers that need a character's regions

ANNOTATIONS = OF_REGIONS | {FLOW, UNMATCHED, BACK, BACK_UNMATCHED, UDP, TRACKS}

TRACKED = 64  # Largest number of points of a clip's first frame that are tracked
REGIONS = "regions.npz"  # File with the region of each face (F,) int32


def stored_regions(actor: Actor) -> tuple[dict[str, bytes], list[list[int]]]:
    """Return the file with a character's regions, and their palette; raises CharacterError if it has none."""
    surface_regions = regions(actor.mesh)
    return {REGIONS: npz.encode(surface_regions.of_face)}, surface_regions.colors.tolist()


@dataclass(frozen=True, eq=False)
class AnnotatedSurface:
    """Surface properties that all clips of a character share; `region` (F,) int32 is empty if not needed."""

    actor: Actor
    region: NDArray[np.int32]
    udp_scale: UdpScale = "box"

    @cached_property
    def features(self) -> Features:
        """Edges that are always drawn as lines."""
        return feature_edges(self.actor.mesh, self.region, self.actor.rig.bound)

    @cached_property
    def ranks(self) -> NDArray[np.int32]:
        """Order in which vertices are points of strokes."""
        return vertex_ranks(self.actor.mesh)

    @cached_property
    def landmarks(self) -> Landmarks:
        return landmarks(self.actor.mesh, self.actor.rig, self.actor.humanoid, self.udp_scale)


@lru_cache(maxsize=2)
def surface_of(actor: Actor, stored: bytes | None, scale: UdpScale = "box") -> AnnotatedSurface:
    """Return an actor's cached surface, with the regions of `stored_regions` if a layer needs them."""
    return AnnotatedSurface(actor, np.empty(0, np.int32) if stored is None else npz.decode(stored), scale)


def _of_frame(
    layers: Layers, k: int, surface: AnnotatedSurface, layers_wanted: Collection[str], line_px: float
) -> dict[str, Any]:
    assert layers.seen is not None
    seen, size = layers.seen, len(layers.mask)
    values: dict[str, Any] = {}
    if {LABEL, SEG} & set(layers_wanted):
        values[LABEL] = seen.numbers(surface.region)
    if {LINE, SEG, STROKES} & set(layers_wanted):
        lines = visible_lines(seen, surface.features)
        if {LINE, SEG} & set(layers_wanted):
            values[LINE] = draw_lines(lines, size, line_px)
        if STROKES in layers_wanted:
            values[STROKES] = _graph(strokes(lines, surface.ranks, k))
    if SEG in layers_wanted:
        values[SEG] = segments(values[LINE], values[LABEL], layers.mask)
    if UDP in layers_wanted:
        values[UDP] = udp(layers, surface.landmarks.values)
    return values


def _graph(lines: Strokes) -> Mapping[str, Any]:
    return {
        "vertex location": lines.places.astype(np.float64).round(3).tolist(),
        "connection": lines.neighbours(),
        "original index": lines.points.tolist(),
    }


def _of_pair(
    here: Seen, there: Seen, k: int, surface: AnnotatedSurface, layers_wanted: Collection[str]
) -> dict[tuple[str, int], Any]:
    """Annotations of a frame and the next, by layer and number of the frame."""
    rest, values = surface.actor.mesh.vertices, dict[tuple[str, int], Any]()
    if {FLOW, UNMATCHED} & set(layers_wanted):
        forth = flow(here, there, rest)
        values |= {(FLOW, k): forth.pixels, (UNMATCHED, k): forth.unmatched}
    if {BACK, BACK_UNMATCHED} & set(layers_wanted):
        back = flow(there, here, rest)
        values |= {(BACK, k + 1): back.pixels, (BACK_UNMATCHED, k + 1): back.unmatched}
    return values


def annotated(
    frames: Iterable[Layers], surface: AnnotatedSurface, layers_wanted: Collection[str], line_px: float
) -> Iterator[dict[tuple[str, int], Any]]:
    """Yield the annotations of each frame and of the pair with the previous one, by layer and frame number.

    `frames` are rendered with `seen`; each must stay valid until the frame after the next.
    """
    previous: Seen | None = None
    points: TrackPoints | None = None
    for k, layers in enumerate(frames):
        of_frame = _of_frame(layers, k, surface, layers_wanted, line_px)
        values = {(name, k): value for name, value in of_frame.items()}
        if previous is not None and layers.seen is not None:
            values |= _of_pair(previous, layers.seen, k - 1, surface, layers_wanted)
        if TRACKS in layers_wanted and layers.seen is not None:
            points = chosen(layers.seen, TRACKED) if points is None else points
            values[TRACKS, k] = tracked(points, layers.seen, surface.actor.mesh.vertices)
        previous = layers.seen
        yield {(name, frame): value for (name, frame), value in values.items() if name in layers_wanted}
