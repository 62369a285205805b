"""Pictures at the wrong view of a mirror-symmetric character, which no silhouette tells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from specsia_build.characters.character import Entry
from specsia_build.dataset.verify.check import verify
from tests.dataset.small import StoredRow, build_small, change, failed, found, swap


def write_symmetric(path: Path, number: int) -> Entry:
    """A figure that is its own mirror image about x = 0, with a face, a back and a striped body."""
    colours = {"body": (200, 60, 50), "face": (250, 220, 180), "hair": (60, 40, 30), "bag": (40, 90, 200)}
    parts = [
        (trimesh.creation.box((0.5, 0.3, 0.8)), (0.0, 0.0, 0.0), "body"),
        (trimesh.creation.box((0.4, 0.2, 0.4)), (0.0, -0.1, 0.65), "face"),
        (trimesh.creation.box((0.4, 0.2, 0.4)), (0.0, 0.1, 0.65), "hair"),
        (trimesh.creation.box((0.44, 0.1, 0.5)), (0.0, 0.15, 0.05), "bag"),
        (trimesh.creation.box((0.9, 0.15, 0.15)), (0.0, 0.0, 0.2), "face"),
    ]
    for mesh, centre, name in parts:
        mesh.apply_translation(centre)
        mesh.visual.vertex_colors = np.array([*colours[name], 255], np.uint8)
    trimesh.util.concatenate([mesh for mesh, _, _ in parts]).export(str(path))
    return Entry(path.stem, "ply", path)


@pytest.mark.parametrize("pos_frame", ["character", "view"])
@pytest.mark.parametrize("backend", ["fat", "exact"])
@pytest.mark.parametrize(("one", "two"), [("a_00", "a_04"), ("a_01", "a_03"), ("a_05", "a_07")])
def test_targets_swapped_between_views_with_one_silhouette(
    tmp_path: Path, one: str, two: str, backend: str, pos_frame: str
) -> None:
    folder = build_small(
        tmp_path / "d", ("a",), backends=(backend,), views=8, pos_frame=pos_frame, write=write_symmetric
    )
    assert verify(folder).ok, verify(folder).lines()
    change(folder, lambda rows: swap(rows[one], rows[two], ("gt", "gt_mask")))
    report = verify(folder)
    assert "order" in failed(report), report.lines()
    assert {where for where, _ in found(report, "order")} == {one, two}


@pytest.mark.parametrize("pos_frame", ["character", "view"])
def test_colours_swapped_below_equal_masks(tmp_path: Path, pos_frame: str) -> None:
    folder = build_small(tmp_path / "d", ("a",), views=8, pos_frame=pos_frame, write=write_symmetric)

    def exchange(rows: dict[str, StoredRow]) -> None:
        swap(rows["a_00"], rows["a_04"], ("color",))

    change(folder, exchange)
    report = verify(folder)
    assert {where for where, _ in found(report, "order")} == {"a_00", "a_04"}


def test_a_reconstruction_that_faces_backwards_is_no_swap(tmp_path: Path) -> None:
    folder = build_small(tmp_path / "d", ("a",), views=8, write=write_symmetric)

    def turn(rows: dict[str, StoredRow]) -> None:
        for view in range(4):
            swap(rows[f"a_{view:02d}"], rows[f"a_{view + 4:02d}"], ("gt", "gt_mask"))

    change(folder, turn)
    assert "order" not in failed(verify(folder))
