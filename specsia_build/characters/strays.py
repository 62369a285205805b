"""Vertices and pieces that lie far from all others, beside which a mesh becomes tiny."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.dropping import drop_line, dropping, listed, names_of
from specsia_build.characters.finding import Finding
from specsia_build.errors import plural, some
from specsia_build.rendering.mesh import Mesh

MOST = 0.1
"""Share of the vertices, or of the surface, that strays are at most."""

APART = 10.0
"""Times that the nearest stray is as far from the middle as the farthest other vertex: a limb or a weapon has vertices
between its end and the body."""

PIECE_APART = 6.0
"""The same of pieces that no face joins to the rest: twice its height and more lie empty beside a figure."""

LIKE = 0.5
"""Extent of a piece in that of the rest from which either may be the figure."""


class Strays(NamedTuple):
    """Vertices that lie apart.

    Attributes:
        vertices: (N,) their indices; N is 0 where none lie apart.
        nearest: distance of the nearest of them from the middle of all, along the axis where it is greatest.
        rest: that of the farthest other.
        like: whether they may as well be the figure as the others.
    """

    vertices: NDArray[np.intp]
    nearest: float
    rest: float
    like: bool


def strays_of(mesh: Mesh) -> Strays:
    """The vertices in use that lie apart: few of all, else pieces that have little of the surface or are small."""
    used = np.flatnonzero(mesh.used)
    points = mesh.vertices[used].astype(np.float64)
    few = _farthest(points, np.ones(len(used)), MOST, APART)
    if len(few.vertices) == 0:
        few = _piece(mesh, points, used)
    return few._replace(vertices=used[few.vertices])


def _piece(mesh: Mesh, points: NDArray[np.float64], used: NDArray[np.intp]) -> Strays:
    """Of vertices in use, at points (N, 3), those of pieces that lie apart, by their places in `used`."""
    areas = mesh.doubled_areas
    surface = np.bincount(mesh.faces.reshape(-1), np.repeat(areas, 3), len(mesh.vertices))[used].astype(np.float64)
    found = _farthest(points, surface, 0.5, PIECE_APART)
    is_far = np.zeros(len(mesh.vertices), np.bool_)
    is_far[used[found.vertices]] = True
    of_faces = is_far[mesh.faces]
    if (of_faces.any(axis=1) != of_faces.all(axis=1)).any():
        return found._replace(vertices=found.vertices[:0])
    far = is_far[used]
    if not far.any() or surface[far].sum() <= MOST * surface.sum():
        return found
    extents = [float(np.ptp(points[chosen], axis=0).max()) for chosen in (far, ~far)]
    return found._replace(like=extents[0] > LIKE * extents[1])


def _farthest(points: NDArray[np.float64], weight: NDArray[np.float64], most: float, apart: float) -> Strays:
    """Of points (N, 3) the outermost, of a share of the weight (N,) at most, that lie so many times as far as the rest.

    Distances are from the weighted median of all.
    """
    distance = np.abs(points.T - _median(points, weight)[:, None]).max(axis=0)
    order = np.argsort(distance)
    beyond = np.cumsum(weight[order][::-1])[::-1]
    # Of the others there is one at least.
    least = max(1, int(np.count_nonzero(beyond > most * beyond[0])))
    near, far = distance[order[least - 1 : -1]], distance[order[least:]]
    gaps = np.flatnonzero((far > apart * near) & (near > 0))
    if len(gaps) == 0:
        return Strays(order[:0], 0.0, 0.0, False)
    first = int(gaps[0])
    return Strays(np.sort(order[least + first :]), float(far[first]), float(near[first]), False)


def _median(points: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """The place (3,) that half of the weight (N,) of points (N, 3) lies below, along each axis."""
    middle = []
    for along in np.ascontiguousarray(points.T):
        order = np.argsort(along)
        below = np.cumsum(weight[order])
        middle.append(along[order[min(np.searchsorted(below, below[-1] / 2), len(points) - 1)]])
    return np.array(middle)


def stray_vertices(
    mesh: Mesh, name: str, part_names: Sequence[Sequence[str]], face_part: NDArray[np.int32] | None
) -> tuple[Finding, ...]:
    """That vertices lie far from the rest, which makes it tiny, in which parts, and the line that leaves them out.

    Args:
        mesh: the character's.
        name: what to call it.
        part_names: the names of each part.
        face_part: (F,) the part of each face, or None where the file has none.
    """
    strays = strays_of(mesh)
    if len(strays.vertices) == 0:
        return ()
    faces = np.isin(mesh.faces, strays.vertices).any(axis=1)
    numbers = np.zeros(len(mesh.faces), np.int32) if face_part is None else face_part
    parts, others = (set(np.unique(numbers[chosen]).tolist()) for chosen in (faces, ~faces))
    named = list(dict.fromkeys(f"'{part_names[k][0]}'" for k in sorted(parts) if part_names and part_names[k]))
    where = f" ({some(named)})" if named else ""
    lie, them = ("lies", "it") if len(strays.vertices) == 1 else ("lie", "them")
    told = (
        f"{len(strays.vertices):,} of the {int(mesh.used.sum()):,} vertices of {name}, in "
        f"{plural(int(faces.sum()), 'triangle')}{where}, {lie} {strays.nearest:,.4g} or more from its middle, all "
        f"others within {strays.rest:,.4g}"
    )
    tiny = f"{told}: the figure becomes tiny beside {them}, or cannot be drawn"
    names = None if face_part is None or parts & others else names_of(parts, part_names)
    if names is None:
        return (Finding(f"{tiny}; delete {them}"),)
    if not strays.like:
        return (dropping(tiny, f"leaves {them} out", parts, part_names),)
    rest = names_of(others, part_names)
    either = f"{drop_line(names)} in its manifest line leaves out {listed(parts, part_names)}"
    other = "" if rest is None else f", {drop_line(rest)} leaves out {listed(others, part_names)}"
    return (Finding(f"{told}: the figure, whichever it is, becomes tiny: {either}{other}"),)
