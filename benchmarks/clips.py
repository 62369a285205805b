"""Cost of a clip's frame on one core, drawn, encoded and stored, beside each frame as a still."""

import io
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.stages import logged, specsia
from specsia_build.animation.motion import poses
from specsia_build.animation.rig import posed_through
from specsia_build.characters.sources import open_source
from specsia_build.config import BuildConfig, ClipSettings
from specsia_build.errors import CharacterError
from specsia_build.frame import Camera
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.positions import position_image
from specsia_build.stages.clips.actor import actor_of, box_of
from specsia_build.stages.stage import Job

PEER_FRAMES = 8


def measure(source: str, sizes: Sequence[int], folder: Path) -> dict[str, Any]:
    """Draw the clips of a source by one worker, without and with lines, segments and flow.

    Returns by size frames a second of one core, milliseconds of a frame, also with annotations, and the peer.
    """
    report: dict[str, Any] = {"source": source, "sizes": {}}
    for size in sizes:
        plain = _draw(source, size, ["frames"], folder / str(size))
        more = _draw(source, size, ["frames", "animerun"], folder / f"{size}-annotated")
        ms = 1000 * _as_stills(source, size, folder)
        peer = {"name": "each frame as a still, encoded by Pillow", "ms_per_frame": round(ms, 3)}
        peer["times_faster"] = round(ms / plain["ms_per_frame"], 2)
        annotated = {"annotated_ms_per_frame": more["ms_per_frame"]}
        report["sizes"][str(size)] = {**plain, **annotated, "peer": peer}
    return report


def _draw(source: str, size: int, layouts: Sequence[str], run: Path) -> dict[str, Any]:
    """Milliseconds of a frame of all clips, from the log of a run by one worker."""
    options = [word for name in layouts for word in ("--layout", name)]
    options += ["--views", "1", "--workers", "1", "--no-turntable"]
    specsia("clips", source, "--out", run, "--size", size, *options)
    tasks = logged(run)["draw"]
    frames = len(list((run / "frames").rglob("color/*.png")))
    seconds = sum(task["seconds"] for task in tasks)
    return {
        "clips": len(tasks),
        "frames": frames,
        "frames_per_core_second": round(frames / seconds, 1),
        "ms_per_frame": round(1000 * seconds / frames, 3),
        "peak_mb": round(max(task["peak_mb"] for task in tasks)),
    }


def _as_stills(source: str, size: int, folder: Path) -> float:
    """Seconds of a frame of the first motion, drawn without what the one before it left."""
    for entry in open_source(source, folder / "source").entries:
        try:
            actor = actor_of(Job(entry, BuildConfig(source=source, size=size, clips=ClipSettings())))
        except CharacterError:
            continue
        motion = next(iter(actor.motions.values()), None)
        if motion is not None:
            break
    else:
        raise SystemExit("no character of the source has a motion")
    pose_sequence = poses(actor.rig.skeleton, motion, motion.times(24.0, PEER_FRAMES))
    low, high = box_of(actor.mesh)

    def draw(mesh: Mesh) -> None:
        layers = next(FastRenderer().render(mesh, [Camera(0.0, size)]))
        for picture in (layers.color, layers.mask, position_image(layers.position, layers.mask, low, high)):
            Image.fromarray(picture).save(io.BytesIO(), "PNG")

    draw(next(posed_through(actor.mesh, actor.rig, pose_sequence)))
    begun = time.process_time()
    for mesh in posed_through(actor.mesh, actor.rig, pose_sequence):
        draw(mesh)
    return (time.process_time() - begun) / len(pose_sequence.worlds)
