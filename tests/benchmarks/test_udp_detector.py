"""The detector of dense poses: its measures, and a table from folders of the recipe `conr`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from benchmarks import udp_detector
from benchmarks.udp_detector import Frames, main, mirrored, recoloured, retrieved, scores
from specsia_build.recipes.conr import Conr
from tests.recipes.drawn import clip_frames, disc, part_of

SIDE = 32


def _pose(picture: np.ndarray) -> np.ndarray:
    """Across and down as X and Z."""
    pose = np.zeros(picture.shape, np.float32)
    down, across = np.mgrid[: len(picture), : len(picture)] / len(picture)
    pose[..., 0], pose[..., 2], pose[..., 3] = across, 1 - down, 1
    return np.where(picture[..., 3:] > 0, pose, 0)


def _frames() -> Frames:
    pictures = np.stack([disc(SIDE, radius) for radius in (8, 12, 14)])
    poses = np.stack([_pose(picture) for picture in pictures]).astype(np.float16)
    return Frames(pictures, poses, np.array([0, 0, 1]), ("one", "other"))


def test_the_truth_is_not_off_and_a_shift_is_off_by_as_much() -> None:
    frames = _frames()
    truth, occupied = frames.pose[..., :3].astype(np.float32), frames.pose[..., 3] > 0
    assert scores((truth, occupied), frames) == {"xyz": 0.0, "place": 0.0, "iou": 1.0}
    everywhere = np.ones_like(occupied)
    across = np.mgrid[:SIDE, :SIDE][1] / SIDE
    shifted = np.stack([np.roll(across, 1), np.zeros_like(across), 1 - across.T], axis=-1)[None].repeat(3, 0)
    found = scores((shifted.astype(np.float32), everywhere), frames)
    assert found["xyz"] == pytest.approx(1 / SIDE, abs=1e-3)
    assert found["place"] == pytest.approx(100 / SIDE)
    assert 0 < found["iou"] < 1


def test_retrieval_finds_the_same_frame() -> None:
    frames = _frames()
    for channels in (slice(0, 4), slice(3, 4)):
        xyz, occupied = retrieved(frames, frames, channels)
        assert scores((xyz, occupied), frames)["iou"] == 1


def test_folders_become_a_table_and_a_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp_detector, "BACKGROUNDS", 2)
    monkeypatch.setattr(udp_detector, "BATCH", 2)
    for split, character in (("train", "ann"), ("train", "bob"), ("test", "eve")):
        pictures = [disc(SIDE, radius, (200, 10 * int(radius), 40)) for radius in (6, 8, 10, 11, 12, 13, 14)]
        clip = clip_frames(f"{character}-run-00", {"color": pictures, "udp": [_pose(each) for each in pictures]})
        Conr().write(part_of(character, [clip], split), tmp_path / "run/conr")
    out = tmp_path / "out"
    stated = ["--out", str(out), "--side", str(SIDE), "--steps", "2", "--seed", "0", "--seed", "1", "--threads", "1"]
    ran = CliRunner().invoke(main, [str(tmp_path / "run/conr"), *stated])
    assert ran.exit_code == 0, ran.output
    table = (out / "table.md").read_text()
    assert "6 frames of 2 characters, 2 steps of 2, seeds 0, 1" in table
    for method in ("U-net", "retrieval by colour and mask", "retrieval by mask", "mean pose"):
        assert f"| run: 1 characters | {method} |" in table
    assert (out / "run.png").is_file()
    ran = CliRunner().invoke(main, [str(tmp_path / "run/conr"), str(tmp_path / "run/../run/conr"), *stated])
    assert "give those other names" in ran.output


def test_a_mirrored_pose_is_that_of_the_mirrored_figure() -> None:
    pose = torch.zeros(1, 4, 1, 3)
    # From the right hand to the left, in the two pixels that are occupied.
    pose[0, 0, 0] = torch.tensor([0.0, 0.2, 0.9])
    pose[0, 3, 0] = torch.tensor([0.0, 1.0, 1.0])
    found = mirrored(pose, pose[:, 3])
    assert torch.allclose(found[0, 0, 0], torch.tensor([0.1, 0.8, 0.0]))
    assert torch.equal(found[0, 3, 0], torch.tensor([1.0, 1.0, 0.0]))
    assert torch.equal(mirrored(found, found[:, 3])[0, 3, 0], pose[0, 3, 0])


def test_recoloured_pictures_keep_to_their_coverage() -> None:
    rng = np.random.default_rng(3)
    alpha = rng.integers(0, 256, (5, SIDE, SIDE, 1))
    pictures = np.concatenate([rng.integers(0, 256, (5, SIDE, SIDE, 3)) * alpha // 255, alpha], axis=3).astype(np.uint8)
    found = recoloured(pictures, rng)
    assert np.array_equal(found[..., 3], pictures[..., 3])
    assert (found[..., :3] <= found[..., 3:]).all()
    assert not np.array_equal(found, pictures)
