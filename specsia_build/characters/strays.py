"""Vertices that lie far from all others, beside which a mesh becomes tiny."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.finding import Finding
from specsia_build.errors import plural, some
from specsia_build.rendering.mesh import Mesh

MOST = 0.1
"""Share of the vertices that strays are at most."""

APART = 10.0
"""Times that the nearest stray is as far from the middle as the farthest other vertex: a limb or a weapon has vertices
between its end and the body."""


def strays_of(mesh: Mesh) -> tuple[NDArray[np.intp], float, float]:
    """The vertices in use that lie apart, (N,), the distance of the nearest of them and that of the farthest other.

    Distances are from the median of all, along the axis where they are greatest; N is 0 where none lie apart.
    """
    used = np.flatnonzero(mesh.used())
    points = mesh.vertices[used].astype(np.float64)
    distance = np.abs(points - np.median(points, axis=0)).max(axis=1)
    order = np.argsort(distance, kind="stable")
    least = int(np.ceil((1 - MOST) * len(order)))
    near, far = distance[order[least - 1 : -1]], distance[order[least:]]
    apart = np.flatnonzero((far > APART * near) & (near > 0))
    if len(apart) == 0:
        return used[:0], 0.0, 0.0
    first = int(apart[0])
    return used[np.sort(order[least + first :])], float(far[first]), float(near[first])


def stray_vertices(
    mesh: Mesh, name: str, part_names: Sequence[Sequence[str]], face_part: NDArray[np.int32] | None
) -> tuple[Finding, ...]:
    """That vertices lie far from the rest, which makes it tiny, and in which parts of the file.

    Args:
        mesh: the character's.
        name: what to call it.
        part_names: the names of each part.
        face_part: (F,) the part of each face, or None where the file has none.
    """
    strays, nearest, rest = strays_of(mesh)
    if len(strays) == 0:
        return ()
    faces = np.isin(mesh.faces, strays).any(axis=1)
    parts = [] if face_part is None else [part_names[k] for k in np.unique(face_part[faces]).tolist()]
    named = list(dict.fromkeys(f"'{names[0]}'" for names in parts if names))
    where = f" ({some(named)})" if named else ""
    lie, them = ("lies", "it") if len(strays) == 1 else ("lie", "them")
    return (
        Finding(
            f"{len(strays):,} of the {int(mesh.used().sum()):,} vertices of {name}, in "
            f"{plural(int(faces.sum()), 'triangle')}{where}, {lie} {nearest:,.4g} or more from its middle, all others "
            f"within {rest:,.4g}: the figure becomes tiny beside {them}, or cannot be drawn; delete {them}"
        ),
    )
