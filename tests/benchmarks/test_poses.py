"""Posed characters beside Blender's own evaluation."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import poses
from specsia_build.characters.blender import CACHE_SETTING
from specsia_build.characters.character import Entry


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "path", "clips"),
    [
        ("gltf", "animated/enemy_frog.glb", 4),
        ("gltf", "animated/platformer_bee.glb", 4),
        ("fbx", "quaternius/Zombie.fbx", 5),
    ],
)
def test_a_characters_clips_are_as_blender_has_them(
    characters_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, path: str, clips: int
) -> None:
    pytest.importorskip("bpy")
    monkeypatch.setenv(CACHE_SETTING, str(tmp_path))
    found = poses.compared(Entry("a", kind, characters_dir / path), 12.0, 2)
    assert len(found) == clips + 1
    assert min(clip.iou for clip in found) > 0.995
    assert max(clip.distance for clip in found) < 1e-4
    assert max(clip.stray for clip in found) == 0.0
