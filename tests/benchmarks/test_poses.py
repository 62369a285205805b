"""Posed glTF characters beside Blender's own evaluation."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import poses
from specsia_build.characters.character import Entry


@pytest.mark.slow
def test_a_characters_clips_are_as_blender_has_them(characters_dir: Path) -> None:
    pytest.importorskip("bpy")
    clips = poses.compared(Entry("a", "gltf", characters_dir / "animated" / "enemy_frog.glb"), 12.0, 2)
    assert len(clips) == 5
    assert min(clip.iou for clip in clips) > 0.995
    assert max(clip.distance for clip in clips) < 1e-4
    assert max(clip.stray for clip in clips) == 0.0
