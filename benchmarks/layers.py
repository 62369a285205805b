"""Measure how well the layers of many clips agree, and what they cost.

python -m benchmarks.layers SOURCE [--clips 200] [--size 256] [--frames 8] [--fps 12] [--json F] [--costs ID]
"""

import copy
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
from numpy.typing import NDArray

from benchmarks.layer_measures import (
    KINDS,
    Counts,
    Frame,
    border_counts,
    flow_counts,
    kinds_of,
    label_counts,
    line_counts,
    point_counts,
    segment_counts,
)
from specsia_build import png
from specsia_build.annotation.lines import visible_lines
from specsia_build.annotation.strokes import MOST_STROKE_POINTS
from specsia_build.characters.character import Entry, safe_id
from specsia_build.characters.motions import BUILT_IN
from specsia_build.characters.sources import open_source
from specsia_build.config import OWN, BuildConfig, ClipSettings
from specsia_build.dataset.layers import FLOW, LABEL, LAYERS, LINE, SEG, STROKES, UNMATCHED
from specsia_build.frame import Camera
from specsia_build.rendering.layers import Layers
from specsia_build.rendering.mesh import extremes
from specsia_build.rendering.positions import position_image
from specsia_build.stages.clips.actor import Actor, Shot, actor_of, shot_of
from specsia_build.stages.clips.annotate import (
    REGIONS,
    AnnotatedSurface,
    annotated,
    stored_regions,
    surface_of,
)
from specsia_build.stages.clips.draw import render_shot
from specsia_build.stages.stage import Clip, Job

MEASURED = (LINE, LABEL, SEG, STROKES, FLOW, UNMATCHED)
COSTED = (LINE, LABEL, SEG, FLOW, UNMATCHED)
SAMPLES = 10  # Points of each pair of frames, matched and unmatched, for which all faces are looked at

MARGIN = 4.0
TURN = 0.618034  # Share of a full turn between the cameras of successive clips

ROUNDS = 3
WORST = 3
COST_SIZES = (256, 512)


@dataclass(frozen=True)
class Row:
    """A line of the table: of how many how many hold, and the share that is to."""

    what: str
    good: str
    of: str
    goal: float | None = None
    invert: bool = False

    def share(self, counts: Mapping[str, float]) -> float | None:
        total = counts.get(self.of, 0.0)
        share = counts.get(self.good, 0.0) / total if total else None
        return None if share is None else (1 - share if self.invert else share)


SAME_FACE = "matched, same position within one face", "matched, within one face"
SAME_POSITION = "matched, same position", "matched, between like positions"

ROWS = (
    Row("flow of matched pixels within half a pixel of its point", "matched, projected", "matched", 1.0),
    Row("its rest position, between four pixels of one face", *SAME_FACE, 1.0),
    Row("its rest position, between any four pixels of a surface", *SAME_POSITION),
    Row("sampled matched points: a ray meets the same place", "matched, same place", "matched, looked at"),
    Row("the same within half a pixel", "matched, same place within half a pixel", "matched, looked at", 1.0),
    Row("sampled unmatched points that something hides", "unmatched, hidden", "unmatched, looked at"),
    Row("the same within half a pixel", "unmatched, hidden within half a pixel", "unmatched, looked at", 1.0),
    Row("visible pixels that are unmatched", "matched", "seen", invert=True),
    Row("segments that hold one region for 98 %", "segments of one region", "segments", 1.0),
    Row("areas that lines alone enclose, of one region", "enclosed areas of one region", "enclosed areas"),
    Row("pixels in such areas", "enclosed pixels of one region", "enclosed pixels"),
    Row("figure's pixels that the background leaks into through lines alone", "leaked", "figure"),
    Row("labels that are those of the same face in all frames", "labelled as before", "labelled", 1.0),
    Row("points unique in their frame", "points that are not unique", "points", 1.0, invert=True),
    Row("points within half a pixel of their vertex", "points at their vertex", "points on vertices", 1.0),
    Row("points that are vertices", "points on vertices", "points"),
    Row("points that the next frame has", "points kept", "points before"),
    Row("points that are vertices, that the next frame has", "points kept", "vertices before"),
    Row("length of lines within a pixel of the next frame's", "lines within a pixel", "lines followed", 0.95),
    Row("the same within two pixels", "lines within two pixels", "lines followed"),
    Row("length of lines whose place the next frame shows", "lines followed", "length of lines"),
    *(Row(f"{kind}s: share of the length", f"length of {kind}s", "length of lines") for kind in KINDS),
    *(
        Row(f"{kind}s: within a pixel of the next", f"{kind}s within a pixel", f"{kind}s followed")
        for kind in KINDS
    ),
    Row("borders between labels with a line within a pixel", "borders with a line", "borders", 1.0),
    Row("outlines of the figure with a line within a pixel", "outlines with a line", "outlines", 1.0),
)


def shots(
    entries: Sequence[Entry], count: int, settings: ClipSettings, size: int
) -> Iterator[tuple[Job, Clip, Actor]]:
    """Clips of many characters, as many of each as possible: other motions and other views of each."""
    taken_so_far = 0
    for number, entry in enumerate(entries):
        share = -(-(count - taken_so_far) // (len(entries) - number))
        job, actor = cast(entry, settings, size)
        names = list(actor.motions)
        step = max(1, len(names) // max(1, share))
        for k in range(share if names else 0):
            taken_so_far += 1
            origin, index = names[k * step % len(names)]
            yaw = 360.0 * (TURN * (number + k) % 1.0)
            action = actor.motions[origin, index].name
            name = f"{safe_id(f'{entry.id}-{action}')}-{k:02d}"
            yield job, Clip(name, action, origin, index, 0, k, yaw), actor


def cast(entry: Entry, settings: ClipSettings, size: int) -> tuple[Job, Actor]:
    """A character with its own motions, or with those built in where it has none."""
    for motions in ((OWN,), BUILT_IN):
        job = Job(entry, BuildConfig(size=size, clips=replace(settings, motions=motions)))
        actor = actor_of(job)
        if actor.motions:
            break
    return job, actor


@lru_cache(maxsize=1)
def cached_surface(actor: Actor) -> AnnotatedSurface:
    """The surface of an actor; the latest one is cached."""
    return surface_of(actor, stored_regions(actor)[0][REGIONS])


def frames_of(actor: Actor, shot: Shot, surface: AnnotatedSurface, line_px: float) -> Iterator[Frame]:
    """The frames of a clip with their layers; those of a pair come with the second and go to the first."""
    waiting: list[Layers] = []

    def handed() -> Iterator[Layers]:
        for layers in render_shot(actor.mesh, actor.rig, shot, "unlit", seen=True):
            waiting.append(layers)
            yield layers

    previous: Frame | None = None
    for k, annotated_layers in enumerate(annotated(handed(), surface, MEASURED, line_px)):
        layers = waiting.pop()
        assert layers.seen is not None
        camera: Camera = shot.cameras[min(k, len(shot.cameras) - 1)]
        vertices = actor.rig.vertices(shot.poses, k) + shot.shifts[k].astype(np.float32)
        # The renderer draws over what it gave.
        seen = copy.deepcopy(layers.seen)
        lines = visible_lines(seen, surface.features)
        own = {name: value for (name, frame), value in annotated_layers.items() if frame == k}
        if previous is not None:
            of_pair = {name: value for (name, frame), value in annotated_layers.items() if frame == k - 1}
            yield replace(previous, layers={**previous.layers, **of_pair})
        previous = Frame(
            seen=seen,
            places=camera.project(vertices),
            position=layers.position.copy(),
            mask=layers.mask.copy(),
            unit=1 / camera.pixels_per_unit,
            lines=lines,
            kinds=kinds_of(lines, seen, surface.features, actor.mesh),
            layers=own,
        )
    if previous is not None:
        yield previous


def measured(entries: Sequence[Entry], clips: int, settings: ClipSettings, size: int) -> dict[str, Counts]:
    """Counts of each clip."""
    found: dict[str, Counts] = {}
    known: dict[str, NDArray[np.int32]] = {}
    random = np.random.default_rng(0)
    for job, clip, actor in shots(entries, clips, settings, size):
        started = time.process_time()
        surface, sums = cached_surface(actor), Counts()
        region = known.setdefault(job.entry.id, np.full(len(actor.mesh.faces), -1, np.int32))
        before: Frame | None = None
        for frame in frames_of(actor, shot_of(clip, actor, job.config, MARGIN), surface, settings.line_px):
            of_frame = [segment_counts(frame), label_counts(frame, region), point_counts(frame, before)]
            of_frame.append(border_counts(frame))
            if before is not None:
                of_frame.append(flow_counts(before, frame, actor.mesh, SAMPLES, random))
                of_frame.append(line_counts(before, frame))
            for counts in of_frame:
                added(sums, counts)
            before = frame
        for of in ("length of {}s", "{}s followed", "{}s within a pixel", "{}s within two pixels"):
            sums[of.format("line")] = sum(sums[of.format(kind)] for kind in KINDS)
        found[clip.id] = dict(sums)
        click.echo(f"{clip.id}: {sums['frames']:.0f} frames, {time.process_time() - started:.1f} s", err=True)
    return found


def added(sums: Counts, counts: Mapping[str, float]) -> None:
    """Add counts to others; of what is named "most" the larger counts."""
    for name, value in counts.items():
        old = sums.get(name, 0.0)
        sums[name] = max(old, value) if name.startswith("most") else old + value


def table(counts_by_clip: Mapping[str, Counts]) -> str:
    """The shares of all clips together and of the worst, in Markdown."""
    total: Counts = {}
    for counts in counts_by_clip.values():
        added(total, counts)
    lines = ["| what | share | of | goal | worst clips |", "|---|---|---|---|---|"]
    for row in ROWS:
        share = row.share(total)
        if share is None:
            continue
        own = ((row.share(counts), clip) for clip, counts in counts_by_clip.items())
        falling = row.goal is None and row.good in ("matched", "leaked")
        shares = sorted(((value, clip) for value, clip in own if value is not None), reverse=falling)
        worst = ", ".join(f"{clip} {value:.4f}" for value, clip in shares[:WORST])
        goal = "" if row.goal is None else f"{row.goal:g}"
        lines.append(f"| {row.what} | {share:.5f} | {total[row.of]:,.0f} | {goal} | {worst} |")
    frames = total["frames"]
    segments, points = total["segments"] / frames, total["points"] / frames
    lines += [
        "",
        f"{len(counts_by_clip)} clips, {frames:,.0f} frames. A frame has {segments:.1f} segments on",
    ]
    lines.append(f"average and {total['most segments']:.0f} at most, {points:.0f} points and")
    lines.append(f"{total['most points']:.0f} at most (of {MOST_STROKE_POINTS}); flow is at most")
    lines.append(f"{total['most off, projected']:.3f} px off.")
    return "\n".join(lines)


def cost(entry: Entry, settings: ClipSettings, size: int) -> tuple[float, float]:
    """Processor time of a frame in ms, the least of some rounds: colour, mask and positions; other layers."""
    job, actor = cast(entry, settings, size)
    (origin, index), motion = next(iter(actor.motions.items()))
    shot = shot_of(Clip(entry.id, motion.name, origin, index, 0, 0, 30.0), actor, job.config, MARGIN)
    low, high = (bound.astype(np.float64) for bound in extremes(actor.mesh.vertices))
    surface = cached_surface(actor)

    def plain(layers: Layers) -> Layers:
        for picture in (layers.color, layers.mask, position_image(layers.position, layers.mask, low, high)):
            png.encode(picture)
        return layers

    def alone() -> int:
        return sum(plain(layers) is not None for layers in render_shot(actor.mesh, actor.rig, shot, "unlit"))

    def with_all() -> int:
        frames = map(plain, render_shot(actor.mesh, actor.rig, shot, "unlit", seen=True))
        count = 0
        for found in annotated(frames, surface, COSTED, settings.line_px):
            for (name, _), value in found.items():
                LAYERS[name].encode(value)
            count += 1
        return count

    with_all()
    times = {run: min(_seconds(run) for _ in range(ROUNDS)) * 1000 for run in (alone, with_all)}
    return times[alone], times[with_all] - times[alone]


def _seconds(run: Callable[[], int]) -> float:
    """Processor time of a frame."""
    started = time.process_time()
    frames = run()
    return (time.process_time() - started) / frames


@click.command()
@click.argument("source")
@click.option("--clips", default=200, show_default=True)
@click.option("--size", default=256, show_default=True)
@click.option("--frames", default=8, show_default=True, help="Of a clip, at most.")
@click.option("--fps", default=12.0, show_default=True)
@click.option(
    "--json", "out", type=click.Path(dir_okay=False, path_type=Path), help="Where the counts of clips go."
)
@click.option("--costs", multiple=True, metavar="ID", help="Characters whose costs are measured.")
def main(
    source: str, clips: int, size: int, frames: int, fps: float, out: Path | None, costs: tuple[str, ...]
) -> None:
    """Print a table of how well the layers of clips of SOURCE agree."""
    settings = ClipSettings(frames=frames, fps=fps)
    with TemporaryDirectory() as scratch:
        entries = open_source(source, Path(scratch)).entries
        counts_by_clip = measured(entries, clips, settings, size)
        if counts_by_clip:
            click.echo(table(counts_by_clip))
        if out is not None:
            out.write_text(json.dumps(counts_by_clip, indent=1), encoding="utf-8")
        if costs:
            layers = "colour, mask, positions, ms | line, label, seg, flow, ms"
            click.echo(f"\n| character | px | {layers} | ratio |\n|---|---|---|---|---|")
        for entry in (entry for entry in entries if entry.id in costs):
            for pixels in COST_SIZES:
                plain, more = cost(entry, settings, pixels)
                click.echo(f"| {entry.id} | {pixels} | {plain:.1f} | {more:.1f} | {more / plain:.2f} |")


if __name__ == "__main__":
    main()
