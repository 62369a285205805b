"""Evidence in the views of a character: a face, or one colour."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.characters.doubts.probe import Probe
from specsia_build.rendering.mesh import Mesh

FACE_ROWS = 0.28  # Share of a figure's rows, from the top, that show its head.
LEAST_DETAIL, LEAST_OF_A_BODY = 0.0003, 0.002  # Detail of a head with a face, and of a body that is all face.
BEHIND, PLAIN_BEHIND, BESIDE = 1.25, 2.0, 1.1  # Ratios to the detail behind for one and two votes, and beside.
MOST_ASKEW = 0.3  # Difference of the detail of both sides, relative to the front.
LEAST_HEIGHT = 0.8  # Height over the larger of width and depth from which the top is a head.
MOST_CUT_OUT = 0.3  # Share of the surface that may be transparent: foliage has no face and takes long to draw.
MOST_CHROMA, MOST_CONTRAST = 8, 12  # Display levels between channels of a grey, and between shades that look the same.

_AROUND = ("-y", "+x", "+y", "-x")
_BORDER, _STRONG, _FULL = 2, 60, 255  # Pixels of border, the step that counts fully, and full coverage.


def face_detail(probe: Probe) -> tuple[str | None, float]:
    """The axis that a standing Z-up character faces by its face, or None, and its votes."""
    width, depth, height = probe.extent
    opaque = np.array([m.alpha_mode == "opaque" for m in probe.mesh.materials])[probe.mesh.face_material[probe.faces]]
    if height < LEAST_HEIGHT * max(width, depth) or (~opaque).mean() > MOST_CUT_OUT:
        return None, 0
    heads, wholes = np.array([detail(view.color, view.coverage) for view in probe.views]).T
    faces, least = (heads, LEAST_DETAIL) if (heads >= LEAST_DETAIL).any() else (wholes, LEAST_OF_A_BODY)
    for k, axis in enumerate(_AROUND):
        front, left, back, right = np.roll(faces, -k)
        whole = np.roll(wholes, -k)
        # Mirrored sides have equal detail.
        alike = abs(left - right) <= MOST_ASKEW * front and abs(whole[1] - whole[3]) <= MOST_ASKEW * whole.max()
        ahead = front >= least and front >= BEHIND * back and front >= BESIDE * max(left, right)
        if alike and ahead and whole[0] >= BEHIND * whole[2]:
            return axis, 2 if front >= PLAIN_BEHIND * back else 1
    return None, 0


def detail(color: NDArray[np.uint8], coverage: NDArray[np.uint8]) -> tuple[float, float]:
    """Sum of steps between pixels (S, S, 4) inside a coverage (S, S), over its squared height: of the head, of all."""
    rows, columns = (np.flatnonzero(coverage.any(axis=axis)) for axis in (1, 0))
    if len(rows) == 0:
        return 0.0, 0.0
    height = int(rows[-1] - rows[0] + 1)
    box = np.s_[rows[0] : rows[-1] + 2, columns[0] : columns[-1] + 2]
    inside = scipy.ndimage.binary_erosion(coverage[box] == _FULL, iterations=_BORDER)
    levels = color[box][..., :3].astype(np.int16)
    steps = np.zeros(inside.shape, np.int16)
    np.maximum(steps[:-1], np.abs(np.diff(levels, axis=0)).max(axis=-1), out=steps[:-1])
    np.maximum(steps[:, :-1], np.abs(np.diff(levels, axis=1)).max(axis=-1), out=steps[:, :-1])
    by_row = np.where(inside, np.minimum(steps, _STRONG), 0).sum(axis=1) / _FULL / height**2
    return float(by_row[: round(FACE_ROWS * height)].sum()), float(by_row.sum())


def plain_colour(color: NDArray[np.uint8], coverage: NDArray[np.uint8]) -> str | None:
    """Name the one colour of a picture's covered pixels: ``grey of 203``, ``colour, #c84f50,`` or None for several."""
    levels = color[..., :3][coverage == _FULL].astype(np.int16)
    if len(levels) == 0:
        return None
    low, high = np.quantile(levels, (0.02, 0.98), axis=0)
    if (high - low).max() > MOST_CONTRAST:
        return None
    middle = np.median(levels, axis=0).round().astype(int)
    if np.ptp(middle) <= MOST_CHROMA:
        return f"grey of {round(float(middle.mean()))}"
    return "colour, #{:02x}{:02x}{:02x},".format(*middle)


def has_colours(mesh: Mesh) -> bool:
    """Whether a mesh has materials of several colours and no images; view 0 may show one of them."""
    materials = [mesh.materials[k] for k in np.unique(mesh.face_material)]
    colours = np.array([material.base_color[:3] for material in materials])
    return all(material.texture is None for material in materials) and bool(np.ptp(colours, axis=0).max() > 0.05)
