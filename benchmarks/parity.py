"""Measure how alike two renderers draw the same view."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from specsia_build.rendering.layers import Layers, iou


@dataclass(frozen=True)
class Parity:
    """Differences of one view, or the means (for `position_max` and `color_p99` the worst) of several.

    Interior pixels are covered wholly in both pictures, edge pixels partly in at least one. A figure that has
    no pixels to be taken over is NaN. Differences of positions are the largest of x, y and z, in 1/255 of the
    box's side.
    """

    iou: float  # Of the silhouettes at half coverage
    coverage_mae: float  # Mean absolute difference of coverage, 0-1, over all pixels
    coverage_edge_mae: float  # The same over edge pixels
    color_mae: float  # Mean absolute difference of R, G and B over interior pixels, in levels of 255
    color_p99: float  # 99th percentile of it
    position_p95: float  # 95th percentile over interior pixels
    position_off: float  # Share of interior pixels with more than 1, where the two see different surfaces
    position_max: float

    def as_dict(self) -> dict[str, float]:
        """The figures by name, without those that are NaN."""
        return {name: value for name, value in asdict(self).items() if value == value}


def compare(
    reference: Layers,
    other: Layers,
    box_min: Sequence[float] | NDArray[np.floating],
    box_max: Sequence[float] | NDArray[np.floating],
) -> Parity:
    """Compare two pictures of one view, the first by the renderer that is trusted.

    The box is that of the mesh's rest positions, in units. Raises ValueError if the sizes differ.
    """
    if reference.coverage.shape != other.coverage.shape:
        shapes = f"{reference.coverage.shape} and {other.coverage.shape}"
        raise ValueError(f"pictures of {shapes} pixels cannot be compared")
    first, second = reference.coverage.astype(np.int32), other.coverage.astype(np.int32)
    off = np.abs(first - second) / 255
    edge = ((first > 0) & (first < 255)) | ((second > 0) & (second < 255))
    inside = (first == 255) & (second == 255) & (reference.mask == 255) & (other.mask == 255)
    colour = np.abs(reference.color[inside, :3].astype(np.int32) - other.color[inside, :3])
    side = np.maximum(np.asarray(box_max, np.float64) - np.asarray(box_min, np.float64), 1e-9)
    apart = np.abs(reference.position[inside].astype(np.float64) - other.position[inside])
    moved = (apart / side * 255).max(axis=1, initial=0.0)
    return Parity(
        iou=iou(reference.coverage, other.coverage, empty=np.nan),
        coverage_mae=float(off.mean()),
        coverage_edge_mae=float(off[edge].mean()) if edge.any() else np.nan,
        color_mae=float(colour.mean()) if colour.size else np.nan,
        color_p99=float(np.quantile(colour, 0.99)) if colour.size else np.nan,
        position_p95=float(np.quantile(moved, 0.95)) if moved.size else np.nan,
        position_off=float((moved > 1).mean()) if moved.size else np.nan,
        position_max=float(moved.max()) if moved.size else np.nan,
    )


def summarised(views: Sequence[Parity]) -> Parity:
    """Each figure's mean over the views that have it, of `color_p99` and `position_max` the worst."""
    if not views:
        raise ValueError("no view was compared")
    figures = {}
    for name in (field.name for field in fields(Parity)):
        values = [entry[name] for entry in (view.as_dict() for view in views) if name in entry]
        summary = max if name in ("color_p99", "position_max") else np.mean
        figures[name] = float(summary(values)) if values else np.nan
    return Parity(**figures)
