"""A picture of the layers of one frame of each of some characters, side by side.

python -m benchmarks.layer_sheet SOURCE OUT.png ID:MOTION:YAW … [--side 150]
"""

from __future__ import annotations

from collections import deque
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from skimage.color import hsv2rgb

from benchmarks.layers import MARGIN, cast, surface_in_mind
from specsia_build.annotation.lines import BINARY
from specsia_build.characters.character import Entry
from specsia_build.characters.sources import open_source
from specsia_build.config import ClipSettings
from specsia_build.dataset.images import position_image
from specsia_build.dataset.layers import FLOW, LABEL, LINE, SEG, STROKES, UDP, UNMATCHED
from specsia_build.errors import UsageError
from specsia_build.rendering.contour import draw_contour
from specsia_build.rendering.layers import Layers
from specsia_build.rendering.mesh import extremes
from specsia_build.stages.clips.actor import shot_of
from specsia_build.stages.clips.annotate import annotated, stored_regions
from specsia_build.stages.clips.draw import drawn
from specsia_build.stages.stage import Clip

Picture = NDArray[np.uint8]

SHOWN = (LINE, LABEL, SEG, FLOW, UNMATCHED, UDP, STROKES)
FRAME = 3
FINER = 2
"""Pixels of a stroke's picture to one of the frame."""


def on_white(color: Picture) -> Picture:
    """RGB of a picture with alpha, laid on white."""
    alpha = color[..., 3:] / 255
    return np.asarray(color[..., :3] * alpha + 255 * (1 - alpha)).round().astype(np.uint8)


def flow_picture(flow: NDArray[np.float32], shown: NDArray[np.bool_]) -> Picture:
    """The direction of a flow as hue, how far it goes as saturation."""
    far = np.linalg.norm(flow, axis=-1)
    hue = np.arctan2(flow[..., 1], flow[..., 0]) / (2 * np.pi) % 1
    colors = hsv2rgb(np.stack([hue, far / max(1.0, far.max()), np.where(shown, 0.95, 1)], axis=-1))
    return np.asarray(colors * 255).astype(np.uint8)


def strokes_picture(graph: Any, size: int, vertices: int) -> Picture:
    """Lines grey, points that are vertices blue, others red."""
    page = Image.new("RGB", (size * FINER, size * FINER), "white")
    pen = ImageDraw.Draw(page)
    places = [(x * FINER, y * FINER) for x, y in graph["vertex location"]]
    for place, others in zip(places, graph["connection"], strict=True):
        for other in others:
            pen.line([place, places[other]], "grey")
    for (x, y), point in zip(places, graph["original index"], strict=True):
        pen.ellipse([x - 2, y - 2, x + 2, y + 2], "blue" if point < vertices else "red")
    return np.asarray(page.resize((size, size), Image.Resampling.LANCZOS))


def pictures(entry: Entry, motion: str, yaw: float, size: int) -> list[Picture]:
    """All layers of a frame as pictures (S, S, 3): colour, gt, line, label, seg, flow, unmatched, udp, pos, strokes.

    Raises:
        UsageError: if the character has no such motion.
    """
    job, actor = cast(entry, ClipSettings(frames=FRAME + 2), size)
    found = next((key for key, one in actor.motions.items() if one.name.lower() == motion.lower()), None)
    if found is None:
        raise UsageError(f"{entry.id} has no motion '{motion}': {', '.join(m.name for m in actor.motions.values())}")
    shot = shot_of(Clip(entry.id, motion, *found, 0, 0, yaw), actor, job.config, MARGIN)
    handed: deque[Layers] = deque()
    frames = drawn(actor.mesh, actor.rig, shot, "unlit", seen=True)
    told = annotated(iter(handed.popleft, None), surface_in_mind(actor), SHOWN, 2.0)
    low, high = (bound.astype(np.float64) for bound in extremes(actor.mesh.vertices))
    known: dict[str, Any] = {}
    for k in range(FRAME + 2):
        layers = next(frames)
        handed.append(layers)
        known |= {name: value for (name, frame), value in next(told).items() if frame == FRAME}
        if k == FRAME:
            plain = on_white(layers.color), on_white(draw_contour(layers.color, layers.coverage, 2, 0))
            pos = on_white(position_image(layers.position, layers.mask, low, high))
    label, seg = known[LABEL], known[SEG]
    shown = label >= 0
    palette = np.array([*stored_regions(actor)[1], [255, 255, 255]], np.uint8)
    some = np.random.default_rng(1).integers(60, 256, (int(seg.max()) + 1, 3)).astype(np.uint8)
    some[:2] = [[0, 0, 0], [255, 255, 255]]
    unmatched = np.full((size, size, 3), 255, np.uint8)
    unmatched[shown] = np.where(known[UNMATCHED][shown, None], (220, 0, 0), (190, 190, 190))
    udp = known[UDP]
    return [
        *plain,
        np.repeat(known[LINE][..., None], 3, axis=2),
        palette[label],
        some[seg],
        flow_picture(known[FLOW], shown),
        unmatched,
        np.where(udp[..., 3:] > 0, udp[..., :3] * 255, 255).astype(np.uint8),
        pos,
        strokes_picture(known[STROKES], size, len(actor.mesh.vertices)),
    ]


def framed(tiles: list[Picture], side: int) -> Picture:
    """The tiles side by side, cut to the square that shows anything and scaled."""
    rows, columns = np.nonzero((tiles[2] < BINARY).any(axis=-1))
    top, left = rows.min(), columns.min()
    most = max(int(np.ptp(rows)), int(np.ptp(columns))) + 9
    spare = (most - np.ptp(columns)) // 2, (most - np.ptp(rows)) // 2
    box = (int(left - spare[0]), int(top - spare[1]), int(left - spare[0]) + most, int(top - spare[1]) + most)
    scaled = []
    for tile in tiles:
        page = Image.new("RGB", (most, most), "white")
        page.paste(Image.fromarray(tile), (-box[0], -box[1]))
        scaled.append(np.asarray(page.resize((side, side), Image.Resampling.LANCZOS)))
    return np.concatenate(scaled, axis=1)


@click.command()
@click.argument("source")
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("chosen", nargs=-1, required=True, metavar="ID:MOTION:YAW …")
@click.option("--size", default=400, show_default=True, help="Of the frames.")
@click.option("--side", default=150, show_default=True, help="Of a tile in the picture.")
def main(source: str, out: Path, chosen: tuple[str, ...], size: int, side: int) -> None:
    """Draw the layers of a frame of characters of SOURCE, a row for each, to OUT."""
    with TemporaryDirectory() as scratch:
        entries = {entry.id: entry for entry in open_source(source, Path(scratch)).entries}
        rows = []
        for name in chosen:
            character, motion, yaw = name.rsplit(":", 2)
            if character not in entries:
                raise UsageError(f"{source} has no character '{character}'")
            rows.append(framed(pictures(entries[character], motion, float(yaw), size), side))
    page = Image.fromarray(np.concatenate(rows))
    page.quantize(256, kmeans=8).save(out, optimize=True)


if __name__ == "__main__":
    main()
