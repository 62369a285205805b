"""cameras.json: the cameras of pictures, in one form that every layout writes and `--cameras` reads.

    {"kind": "specsia-cameras", "version": 1, "views": [
      {"name": "000", "size": [512, 512], "centre": [256.0, 256.0], "fov_deg": 40.0,
       "c2w": [[1, 0, 0, 0], [0, 0, -1, -2], [0, 1, 0, 0], [0, 0, 0, 1]]}]}

`c2w` takes a camera's axes (OpenGL's: x right, y up, it looks along -z) to the frame (Z up, the character
faces -Y, its box has side 1). An orthographic view has `width`, the units that its picture spans, in place of
`fov_deg`, the horizontal field of view. `size` is width and height in pixels, and `centre`, which may be left
out, the principal point: column and row in pixels.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np

from specsia_build.errors import SpecsiaError, UsageError, brief
from specsia_build.files.records import parse_json
from specsia_build.files.sources import read_source
from specsia_build.frame import CAMERA_DISTANCE, EXTENT, ORTHO_WIDTH, Camera

CAMERAS_FILE = "cameras.json"
MOST_CAMERAS = 1000  # Views of a rig
_KIND, _VERSION = "specsia-cameras", 1
_MOST_BYTES = 16 * 2**20
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")

_Four = Annotated[list[float], msgspec.Meta(min_length=4, max_length=4)]
_Side = Annotated[int, msgspec.Meta(ge=32, le=2048)]
_Finite = Annotated[float, msgspec.Meta(ge=-10_000, le=10_000)]


class _CameraEntry(msgspec.Struct):
    """A view as its record says it."""

    name: str
    size: tuple[_Side, _Side]
    c2w: Annotated[list[_Four], msgspec.Meta(min_length=3, max_length=4)]
    width: Annotated[float, msgspec.Meta(ge=0.01, le=100)] | None = None
    fov_deg: Annotated[float, msgspec.Meta(ge=1, le=175)] | None = None
    centre: tuple[_Finite, _Finite] | None = None


def inside_figure(camera: Camera) -> bool:
    """Whether a perspective camera stands in the box of side 1 that holds a character."""
    return camera.fov_deg is not None and bool(np.abs(camera.position()).max() <= EXTENT / 2)


def cameras_record(cameras: Sequence[Camera], names: Sequence[str], **more: Any) -> dict[str, Any]:
    """The content of a cameras.json, with `more` keys that readers ignore."""
    views = []
    for camera, name in zip(cameras, names, strict=True):
        lens = {"width": camera.width} if camera.fov_deg is None else {"fov_deg": camera.fov_deg}
        view = {"name": name, "size": [camera.size, camera.height], "centre": list(camera.principal_point)}
        views.append({**view, **lens, "c2w": camera.c2w().tolist()})
    return {"kind": _KIND, "version": _VERSION, **more, "views": views}


def cameras_json(cameras: Sequence[Camera], names: Sequence[str], **more: Any) -> bytes:
    """A cameras.json as bytes, see `cameras_record`."""
    return (json.dumps(cameras_record(cameras, names, **more), indent=1) + "\n").encode()


def read_cameras(path: Path) -> dict[str, Camera]:
    """Read a cameras.json: cameras by the names of their views, in order.

    Raises UsageError if there is no such file, it is none, or a camera in it cannot be.
    """
    try:
        place = path.resolve(strict=True)
        document = parse_json(read_source(place, place.parent, _MOST_BYTES), path.name)
    except (OSError, ValueError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"--cameras {brief(str(path))} cannot be read: {why}") from error
    except SpecsiaError as error:
        raise UsageError(f"--cameras: {error}") from error
    return cameras_of(document, path.name)


def cameras_of(document: Any, what: str) -> dict[str, Camera]:
    """Cameras by name of a parsed cameras.json that messages call `what`; raises UsageError."""
    if not isinstance(document, Mapping) or document.get("kind") != _KIND:
        raise UsageError(f'{what} is no {CAMERAS_FILE}: its "kind" is not "{_KIND}"')
    if document.get("version") != _VERSION:
        raise UsageError(f"{what} has a version that this program does not know: {_VERSION} is wanted")
    entries = document.get("views")
    if not isinstance(entries, list) or not 1 <= len(entries) <= MOST_CAMERAS:
        raise UsageError(f'{what} must have 1 to {MOST_CAMERAS:,} cameras in "views"')
    cameras: dict[str, Camera] = {}
    for number, entry in enumerate(entries):
        try:
            view = msgspec.convert(entry, _CameraEntry)
            if not _NAME.fullmatch(view.name) or view.name in cameras:
                raise ValueError("its name must be one of its own, of letters, digits, '_', '-' and '.'")
            cameras[view.name] = _camera(view)
        except (ValueError, OverflowError, msgspec.ValidationError) as error:
            raise UsageError(f"view {number} of {what} cannot be used: {error}") from error
    return cameras


def _camera(view: _CameraEntry) -> Camera:
    """The camera of a view; raises ValueError if there is none such."""
    if (view.width is None) == (view.fov_deg is None):
        raise ValueError("it must have either a width or a fov_deg")
    columns, rows = view.size
    matrix = np.array(view.c2w)
    if len(matrix) == 4 and not np.array_equal(matrix[3], (0, 0, 0, 1)):
        raise ValueError("the last row of c2w must be 0, 0, 0, 1")
    if np.abs(matrix[:3, 3]).max() > 1000 * CAMERA_DISTANCE:
        raise ValueError(f"it is more than {1000 * CAMERA_DISTANCE:,.0f} units away")
    camera = Camera.at(
        matrix,
        columns,
        fov_deg=view.fov_deg,
        width=view.width or ORTHO_WIDTH,
        rows=None if rows == columns else rows,
        centre=None if view.centre == (columns / 2, rows / 2) else view.centre,
    )
    if inside_figure(camera):
        raise ValueError("it is inside the figure, whose box reaches from -0.5 to 0.5")
    return camera
