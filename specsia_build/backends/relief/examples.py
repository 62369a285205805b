"""What the network of `relief` is trained on: pictures of characters, and examples made from them.

Characters are drawn from the front and from behind, in poses of their own clips and a little turned.

Pictures may be kept in a file, so that another machine trains on them without reading characters.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from specsia_build.backends.relief.looks import in_a_look
from specsia_build.backends.relief.net import CROP_ROUNDS, CROP_SAMPLES, guides, inputs, kept_on_white
from specsia_build.backends.relief.sheets import FULLY_COVERED, SIZE, Crop, crop_of
from specsia_build.characters.actions import FRAME_RATE
from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_animated, read_character
from specsia_build.characters.sources import read_manifest
from specsia_build.errors import CharacterError
from specsia_build.frame import Camera, normalise, view_cameras
from specsia_build.pictures.masks import box_around
from specsia_build.pictures.palettes import COLOURS, palette_of
from specsia_build.rendering.contour import draw_contour
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.rendering.mesh import Mesh, compacted

BATCH = 16  # Examples in a step
_POSES = 6  # Poses taken from a character's own clips
# Standard deviation of the logarithm of stretching, and its values along a figure
PROPORTION, KNOTS = 0.12, 5
DRAWN, _MARGIN = 192, 5  # Pixels of the frame that characters are drawn in, and around them

Picture = tuple[NDArray[Any], ...]
"""A drawn character, cut to the figure: front and, seen through it, back (H, W, 4) uint8 with straight alpha;
coverage of both (H, W, 2) uint8; heights of both towards the viewer (H, W, 2) float16 in pixels."""


def pictures(manifest: Path) -> list[tuple[Picture, float]]:
    """Pictures of a manifest's characters of its split `train`, with weights whose sum is 1.

    They are drawn at rest, in `_POSES` poses of their clips, and turned. A character's weight grows little
    with the number of its pictures. Those that cannot be read are left out.
    """
    weighted: list[tuple[Picture, float]] = []
    for entry in read_manifest(manifest):
        try:
            drawn = list(pictures_of(entry)) if entry.split in (None, "train") else []
        except CharacterError as error:
            click.echo(f"{entry.id} is left out: {error}")
            continue
        weighted += [(picture, len(drawn) ** -0.6) for picture in drawn]
    total = sum(weight for _, weight in weighted)
    return [(picture, weight / total) for picture, weight in weighted]


def pictures_of(entry: Entry) -> Iterator[Picture]:
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(entry.id.encode()).digest()[:4], "big"))
    # The motions of a character in the layout of 3DBiCar are built in, and it cannot be read in their poses.
    motions = () if entry.format == "3dbicar" else read_animated(entry).motions
    todo = [("rest", 0.0), ("rest", float(rng.normal(0, 15))), ("rest", 90.0)]
    for _ in range(_POSES if motions else 0):
        motion = motions[int(rng.integers(len(motions)))]
        frame = int(FRAME_RATE * (motion.start + motion.duration * rng.random()))
        todo.append((f"{motion.name}@{frame}", float(rng.normal(0, 12)) * (rng.random() < 0.5)))
    for pose, yaw in todo:
        mesh = compacted(read_character(replace(entry, pose=pose)).mesh).rotated(Camera(yaw, DRAWN).turn())
        extent = np.ptp(mesh.vertices, axis=0)
        # Animals, longer than wide, are drawn from the side too, people are not.
        if yaw != 90 or extent[0] > extent[1]:
            yield _picture(mesh)


def _picture(mesh: Mesh) -> Picture:
    cameras = view_cameras(10, DRAWN)
    mesh = mesh.with_vertices(normalise(mesh.vertices, cameras, 3).apply(mesh.vertices))
    front, back = FastRenderer().render(mesh, [cameras[0], cameras[5]], "unlit")
    cover = np.stack([front.coverage, back.coverage[:, ::-1]], axis=-1)
    heights = (
        np.stack([-front.position[..., 1], -back.position[:, ::-1, 1]], axis=-1) * cameras[0].pixels_per_unit
    )
    return _cut((front.color, back.color[:, ::-1], cover, heights.astype(np.float16)))


def _cut(picture: Picture) -> Picture:
    """Cut a picture to its figure and a margin."""
    window = box_around(np.asarray(picture[2].any(axis=2)), _MARGIN)
    return tuple(np.ascontiguousarray(layer[window]) for layer in picture)


def _recoloured(rng: np.random.Generator, *pictures: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Permute and mix channels of pictures (..., 3), 0 to 255, and change their gamma, all the same way."""
    order = rng.permutation(3)
    gamma, mix = np.exp(rng.normal(0, 0.3, 3)), np.eye(3) + rng.normal(0, 0.12, (3, 3))
    if rng.random() < 0.08:
        mix = np.ones((3, 3))
    mix = (mix / mix.sum(1, keepdims=True)).T
    if rng.random() < 0.35:
        order = np.arange(3)
        gamma = np.ones(3)
        mix = np.eye(3)
    return [(255 * np.clip((p[..., order] / 255) ** gamma @ mix, 0, 1)).astype(np.float32) for p in pictures]


def _factors(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Factors (count,) that change smoothly along a row or a column, and about 1."""
    logarithms = rng.normal(0, PROPORTION) + rng.normal(0, PROPORTION, KNOTS)
    return np.asarray(np.exp(np.interp(np.linspace(0, KNOTS - 1, count), np.arange(KNOTS), logarithms)))


def _reshaped(rng: np.random.Generator, picture: Picture) -> Picture:
    """Change a figure's proportions: stretch its rows unevenly, and in each row its width and depth alike."""
    height, width = picture[0].shape[:2]
    ends, wide = np.cumsum(_factors(rng, height)), _factors(rng, height)
    rows = np.searchsorted(ends, np.arange(int(ends[-1])) + 0.5)
    factor, room = wide[rows][:, None], int(np.ceil(width * wide.max()))
    columns = ((np.arange(room) + 0.5 - room / 2) / factor + width / 2).astype(int).clip(0, width - 1)
    *layers, depth = (layer[rows[:, None], columns] for layer in picture)
    return _cut((*layers, (depth * factor[..., None]).astype(depth.dtype)))


def example(picture: Picture, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    """One training example: the network's input and its targets."""
    front, back, cover, depth = _reshaped(rng, picture) if rng.random() < 0.7 else picture
    if rng.random() < 0.5:
        front, back, cover, depth = (layer[:, ::-1] for layer in (front, back, cover, depth))
    front, back = in_a_look(front, back, depth[..., 0], rng)
    if rng.random() < 0.6:
        line = (float(rng.uniform(0.25, 2.25)), int(255 * rng.random() ** 2))
        front = draw_contour(front, cover[..., 0], *line)
    visible, cut = kept_on_white(front), rng.random() < 0.06 and len(front) > 60
    if cut:
        visible[int(len(front) * rng.uniform(0.35, 0.9)) :] = (255, 255, 255, 0)
    crop = crop_of(visible[..., 3] >= HALF_COVERED)
    shrunk = np.exp(rng.normal(0.03, 0.04))
    left, top = (at - crop.side * ((shrunk - 1) / 2 + rng.normal(0, 0.01)) for at in (crop.left, crop.top))
    crop = Crop(left, top, crop.side * shrunk)
    drawing = crop.resized(visible)
    behind = crop.resized(kept_on_white(back))[..., :3].astype(np.float32)
    covers = np.asarray(crop.nearest(cover)) >= FULLY_COVERED
    in_front = covers[..., 0] & (drawing[..., 3] >= HALF_COVERED)
    both = in_front & covers[..., 1]
    heights = np.asarray(crop.nearest(depth), np.float32) / np.float32(crop.figure)
    # The other sides of a stretched figure stay as they are.
    if rng.random() < 0.4:
        heights = heights * np.float32(np.exp(rng.normal(0, 0.1)))
    length = 0.0
    if both.any() and not cut and rng.random() < 0.8:
        length = 1 / max(1.0, float(heights[both, 0].max() - heights[both, 1].min()))
    colours, behind = _recoloured(rng, drawing[..., :3].astype(np.float32), behind)
    labels = np.full((SIZE, SIZE), COLOURS, np.int64)
    palette = np.zeros((COLOURS, 3), np.float32)
    if in_front.any():
        palette, labels[in_front] = palette_of(colours[in_front], CROP_SAMPLES, CROP_ROUNDS)
    if rng.random() < 0.25:
        # Some colours of the palette are changed: a region's place matters more than its colour.
        moved = palette + rng.normal(0, 60, palette.shape).astype(np.float32) * (
            rng.random((COLOURS, 1)) < 0.5
        )
        shift = np.concatenate([moved - palette, np.zeros((1, 3), np.float32)])
        distance = np.square(behind[:, :, None] - palette).sum(-1)
        nearest = np.where(distance.min(-1) < 40**2, distance.argmin(-1), COLOURS)
        colours, behind = (np.clip(c + shift[k], 0, 255) for c, k in ((colours, labels), (behind, nearest)))
        palette = np.clip(moved, 0, 255)
    drawing[..., :3] = colours.round()
    return {
        "x": inputs(drawing, length).transpose(2, 0, 1),
        "length": np.array(length or 1, np.float32),
        "labels": labels.astype(np.uint8),
        "guides": guides(labels).astype(np.uint8),
        "palette": palette / 255,
        "front": colours.transpose(2, 0, 1) / 255,
        "back": behind.transpose(2, 0, 1) / 255,
        "depth": heights.transpose(2, 0, 1),
        "both": both[None].astype(np.float32),
    }


class Batches:
    """Batches of examples of weighted pictures; each depends only on the seed and the number of its step."""

    def __init__(self, drawn: Sequence[tuple[Picture, float]], steps: int, seed: int) -> None:
        self._pictures = [picture for picture, _ in drawn]
        self._steps = steps
        self.seed = seed
        self._weights = np.array([weight for _, weight in drawn]) / sum(weight for _, weight in drawn)

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> dict[str, NDArray[Any]]:
        rng = np.random.default_rng((self.seed, step))
        chosen = rng.choice(len(self._pictures), BATCH, p=self._weights)
        examples = [example(self._pictures[number], rng) for number in chosen]
        columns = zip(*(e.values() for e in examples), strict=True)
        return {name: np.stack(column) for name, column in zip(examples[0], columns, strict=True)}


def save_pictures(path: Path, drawn: Sequence[tuple[Picture, float]]) -> None:
    """Write weighted pictures to an .npz file."""
    arrays: dict[str, Any] = {"weights": np.array([weight for _, weight in drawn])}
    for number, (picture, _) in enumerate(drawn):
        arrays |= {f"{number}.{k}": layer for k, layer in enumerate(picture)}
    np.savez_compressed(path, **arrays)


def load_pictures(path: Path) -> list[tuple[Picture, float]]:
    """Read what `save_pictures` wrote."""
    drawn = []
    with np.load(path, allow_pickle=False) as stored:
        for number, weight in enumerate(stored["weights"].tolist()):
            drawn.append((tuple(stored[f"{number}.{k}"] for k in range(4)), weight))
    return drawn
