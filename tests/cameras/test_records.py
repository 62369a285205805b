"""cameras.json: written, read again, and refused where its cameras cannot be."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from specsia_build.cameras.records import cameras_json, cameras_of, cameras_record, read_cameras
from specsia_build.errors import UsageError, printable
from specsia_build.frame import Camera

CAMERAS = (
    Camera(0.0, 64),
    Camera(36.0, 96, 1.35, -20, 10, fov_deg=40, radius=2.5, target=(0.1, 0.2, -0.1), rows=64),
    Camera(200.0, 64, fov_deg=70, radius=1.4, centre=(20.0, 40.5)),
)
NAMES = ("front", "000", "view-1.b")


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "cameras.json"
    path.write_bytes(cameras_json(CAMERAS, NAMES, layout="nerfstudio"))
    again = read_cameras(path)
    assert tuple(again) == NAMES and [*again.values()][::2] == [*CAMERAS[::2]]
    # Of a target beside the middle only what is perpendicular to the view is kept, as the rest shows nowhere.
    assert_allclose(again["000"].c2w(), CAMERAS[1].c2w(), atol=1e-9)
    assert json.loads(path.read_bytes())["layout"] == "nerfstudio"


@given(
    st.floats(0, 359, width=32),
    st.floats(-89, 89, width=32),
    st.floats(-179, 179, width=32),
    st.floats(1.5, 9, width=32),
    st.tuples(*[st.floats(-0.25, 0.25, width=32)] * 3),
)
def test_cameras_see_the_same_after_a_round_trip(
    yaw: float, elevation: float, roll: float, radius: float, target: tuple[float, float, float]
) -> None:
    camera = Camera(yaw, 64, 1.35, elevation, roll, fov_deg=50, radius=radius, target=target, rows=80)
    document = json.loads(json.dumps(cameras_record([camera], ["0"])))
    (again,) = cameras_of(document, "it").values()
    points = np.random.default_rng(0).uniform(-0.4, 0.4, (20, 3))
    assert_allclose(again.project(points)[:, :2], camera.project(points)[:, :2], atol=1e-6)
    assert_allclose(again.c2w(), camera.c2w(), atol=1e-9)


def changed(**fields: Any) -> dict[str, Any]:
    """A document whose last view has other fields."""
    document = cameras_record(CAMERAS, NAMES)
    document["views"][-1] |= fields
    return document


def moved(*place: float) -> dict[str, Any]:
    return changed(c2w=np.column_stack([C2W[:3, :3], place]).tolist())


C2W = CAMERAS[-1].c2w()
FLAT = {"kind": "specsia-cameras", "version": 1}

REFUSED: dict[str, Any] = {
    "no object": [1],
    "another kind": {**changed(), "kind": "other"},
    "another version": {**changed(), "version": 2},
    "no views": {**FLAT, "views": []},
    "views no list": {**FLAT, "views": {"0": 1}},
    "too many views": {**FLAT, "views": [cameras_record(CAMERAS[:1], ["0"])["views"][0]] * 1001},
    "not a number": moved(np.nan, 0, 0),
    "infinite": moved(0, np.inf, 0),
    "mirrored": changed(c2w=(C2W @ np.diag([1, 1, -1, 1])).tolist()),
    "scaled": changed(c2w=(C2W @ np.diag([2, 2, 2, 1])).tolist()),
    "transposed": changed(c2w=C2W.T.tolist()),
    "far away": moved(0, 0, 1e9),
    "inside the figure": moved(0.1, 0.4, 0),
    "ragged": changed(c2w=[[1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]),
    "two rows": changed(c2w=C2W[:2].tolist()),
    "fov of 180": changed(fov_deg=180),
    "fov a text": changed(fov_deg="70"),
    "two lenses": changed(width=1.35),
    "no lens": changed(fov_deg=None),
    "no size": changed(size=None),
    "size of 0": changed(size=[0, 64]),
    "huge": changed(size=[10**6, 64]),
    "huge number": changed(size=[10**400, 64]),
    "same name": changed(name="000"),
    "a path for a name": changed(name="../front"),
    "a text for a view": {**FLAT, "views": ["front"]},
}


@pytest.mark.parametrize("fault", REFUSED)
def test_refused(fault: str, tmp_path: Path) -> None:
    path = tmp_path / "cameras.json"
    path.write_text(json.dumps(REFUSED[fault]))
    with pytest.raises(UsageError, match=r"cameras\.json"):
        read_cameras(path)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"{" * 5000, b"[" * 200_000, b'{"kind": 1', b"\0" * 99])
def test_no_json(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cameras.json"
    path.write_bytes(data)
    with pytest.raises(UsageError):
        read_cameras(path)
    with pytest.raises(UsageError, match="not a regular file"):
        read_cameras(tmp_path)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.data())
def test_any_value_anywhere_is_read_or_refused_in_a_sentence(data: st.DataObject) -> None:
    document = copy.deepcopy(cameras_record(CAMERAS, NAMES))
    at: Any = document
    while True:
        key = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
        if not isinstance(at[key], dict | list) or data.draw(st.booleans()):
            break
        at = at[key]
    at[key] = data.draw(anything)
    try:
        cameras = cameras_of(document, "it")
    except UsageError as error:
        assert str(error) == printable(str(error))
        assert len(str(error)) < 300
    else:
        assert all(np.isfinite(camera.c2w()).all() for camera in cameras.values())
