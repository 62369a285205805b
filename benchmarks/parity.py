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
    no pixels to be taken over is NaN.

    Attributes:
        iou: of the silhouettes at half coverage.
        coverage_mae: mean absolute difference of coverage, 0-1, over all pixels.
        coverage_edge_mae: the same over edge pixels.
        color_mae: mean absolute difference of R, G and B over interior pixels, in levels of 255.
        color_p99: 99th percentile of it.
        position_p95: 95th percentile over interior pixels of the largest difference in x, y and z, in 1/255
            of the box's side.
        position_off: share of interior pixels where it is more than 1/255; there the two see different
            surfaces.
        position_max: the largest of it.
    """

    iou: float
    coverage_mae: float
    coverage_edge_mae: float
    color_mae: float
    color_p99: float
    position_p95: float
    position_off: float
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
        raise ValueError(
            f"pictures of {reference.coverage.shape} and {other.coverage.shape} pixels cannot be compared"
        )
    first, second = reference.coverage.astype(np.int32), other.coverage.astype(np.int32)
    off = np.abs(first - second) / 255
    edge = ((first > 0) & (first < 255)) | ((second > 0) & (second < 255))
    inside = (first == 255) & (second == 255) & (reference.mask == 255) & (other.mask == 255)
    colour = np.abs(reference.color[inside, :3].astype(np.int32) - other.color[inside, :3])
    side = np.maximum(np.asarray(box_max, np.float64) - np.asarray(box_min, np.float64), 1e-9)
    moved = (np.abs(reference.position[inside].astype(np.float64) - other.position[inside]) / side * 255).max(
        axis=1, initial=0.0
    )
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
    """Each figure's mean over the views that have it, of 99th percentile and maximum the worst; at least one
    view."""
    if not views:
        raise ValueError("no view was compared")
    worst = ("color_p99", "position_max")
    figures = [view.as_dict() for view in views]
    columns = {
        field.name: [entry[field.name] for entry in figures if field.name in entry]
        for field in fields(Parity)
    }
    return Parity(
        **{
            name: (max(values) if name in worst else float(np.mean(values))) if values else np.nan
            for name, values in columns.items()
        }
    )
