"""Train the layers that find a drawing's side: ``python -m benchmarks.facing SOURCE[=SHARE]... --out F``.

Needs torch. A source is a manifest, ``sample:N@SEED``, or a folder of cut-out PNGs in subfolders named by the
side that they show; splits test and validation are left out.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import scipy
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import save_file
from scipy.spatial.transform import Rotation
from torch import nn
from torch.nn import functional

from benchmarks.front import Array, characters_of, training
from specsia_build.animation.motion import poses
from specsia_build.animation.rig import posed_through
from specsia_build.arrays import Floats, Pixels
from specsia_build.backends.relief import net
from specsia_build.backends.relief import train as relief
from specsia_build.characters.character import OWN_AXIS, Entry
from specsia_build.characters.front import FRONT_LEAK, MARGIN
from specsia_build.characters.read import read_animated
from specsia_build.config import BuildConfig
from specsia_build.frame import Camera, normalise
from specsia_build.pictures.masks import box_around
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.rendering.mesh import Mesh
from specsia_build.repairing.facing import DRAWN_SIDES, MIRRORED, MOST_DEVIATIONS, small_figure, summary
from specsia_build.rigging import find
from specsia_build.rigging.examples import cut_outs
from specsia_build.rigging.train import JointNet, ReliefFeatures
from specsia_build.stages.clips.actor import in_frame

HIDDEN = 96
RATE, DECAY, BATCH, EPOCHS = 1e-3, 0.05, 128, 16
SEEN_AT_ONCE = 32  # Drawings that are made and seen together
CROP, VIEW = 96, 192  # Pixels of a drawing, and of a render before it is cropped
YAWS = (((-50, 50), 5), ((65, 115), 3), ((130, 230), 4), ((245, 295), 3))
"""Degrees within which a side is seen, and renders of each: what lies between is no clear case."""

POSES, SUITABLE = 3, re.compile(r"idle|walk|run|wave|punch|jump|attack|shoot|slash|stand", re.IGNORECASE)
"""Further poses of a character that has clips, and names of the clips that they are taken from."""

STEP = 0.03  # Units between depths of neighbouring pixels from which there is a line


@dataclass(frozen=True)
class SideView:
    """A render: crop (S, S, 5) uint8 of colours, premultiplied, alpha and lines, and its side's number."""

    crop: Pixels
    side: int


def meshes(entry: Entry, rng: np.random.Generator) -> Iterator[Mesh]:
    """A character's mesh in the frame, facing -y, at rest and in poses of its clips."""
    animated = read_animated(entry)
    mesh, rig = in_frame(animated, BuildConfig())
    yield mesh
    # A front that a manifest states is that of the rest pose, which the clips may be turned from.
    usable = animated.motions if entry.front == OWN_AXIS else ()
    motions = [motion for motion in usable if SUITABLE.search(motion.name)]
    for k in rng.permutation(len(motions))[:POSES]:
        time = motions[k].start + rng.uniform(0.2, 0.8) * motions[k].duration
        yield from posed_through(mesh, rig, poses(rig.skeleton, motions[k], np.array([time])))


def views(mesh: Mesh, rng: np.random.Generator) -> Iterator[SideView]:
    """Renders of a mesh from all sides, mostly from a little above."""
    for side, (between, count) in enumerate(YAWS):
        for _ in range(count):
            angles = (-rng.uniform(*between), np.clip(rng.normal(5, 8), -12, 25))
            turn = Rotation.from_euler("zx", angles, degrees=True).as_matrix()
            camera, vertices = Camera(0.0, VIEW), mesh.vertices @ turn.T.astype(np.float32)
            vertices = normalise(vertices, [camera], 1).apply(vertices)
            layers = next(FastRenderer().render(mesh.with_vertices(vertices), [camera]))
            if layers.mask.any():
                depth = np.where(layers.mask > 0, layers.position[..., 1], 9)
                deep = np.abs(np.diff(depth, axis=0, append=9)) > STEP
                deep |= np.abs(np.diff(depth, axis=1, append=9)) > STEP
                lines = np.dstack([np.where(deep, np.uint8(255), np.uint8(0))] * 3 + [layers.color[..., 3]])
                crops = np.dstack([crop_of(layers.color), crop_of(lines)[..., :1]])
                yield SideView(np.rint(255 * crops).astype(np.uint8), side)


def example(view: SideView, rng: np.random.Generator) -> tuple[Array, int]:
    """A render as one of many kinds of drawing, perhaps mirrored, and its side."""
    crop: Array = view.crop.astype(np.float32) / np.float32(255)
    side = view.side
    if rng.random() < 0.5:
        crop, side = crop[:, ::-1], int(MIRRORED[side])
    crop = moved(crop, rng)
    alpha, lines, ink = crop[..., 3:4], crop[..., 4], paint(rng, 0, 0.35)
    rgb = recoloured(np.asarray(crop[..., :3] / np.maximum(alpha, 1 / 255), np.float32), rng)
    kind = rng.random()
    if kind < 0.5:
        # numpy takes long to reduce a short axis.
        down, across = (np.abs(np.diff(rgb, axis=axis, append=0)) @ np.ones(3, np.float32) for axis in (0, 1))
        drawn = (lines > 0.3) | (down + across > rng.uniform(0.15, 0.6))
        if kind < 0.25:
            # Line art, on white or on one colour.
            rgb = np.ones_like(rgb) * (1 if rng.random() < 0.5 else paint(rng, 0.75, 1))
        rgb = np.where((drawn & (alpha[..., 0] > 0.5))[..., None], ink, rgb)
    if rng.random() < 0.6:
        inside = scipy.ndimage.minimum_filter(alpha[..., 0], int(rng.choice([3, 5])))[..., None]
        rgb = rgb * inside + ink * (1 - inside)
    if rng.random() < 0.3:
        rgb = scipy.ndimage.gaussian_filter(rgb, (0.8, 0.8, 0))
    if rng.random() < 0.5:
        rgb = rgb + np.float32(0.03) * rng.standard_normal(rgb.shape, np.float32)
    crop = np.concatenate([rgb.clip(0, 1) * alpha, alpha], axis=2)
    if rng.random() < 0.08:
        step = int(rng.choice([2, 3, 4]))
        crop = crop[::step, ::step].repeat(step, 0).repeat(step, 1)
    return crop, side


def paint(rng: np.random.Generator, least: float, most: float) -> Array:
    """A random colour (3,) float32."""
    return rng.uniform(least, most, 3).astype(np.float32)


def recoloured(rgb: Array, rng: np.random.Generator) -> Array:
    """Colours (S, S, 3) mixed, inverted, reduced to few and brightened."""
    if rng.random() < 0.6:
        mix = (0.7 * np.eye(3) + rng.uniform(0, 0.3, (3, 3)) * (rng.random() < 0.5))[rng.permutation(3)]
        rgb = (rgb if rng.random() < 0.85 else 1 - rgb) @ (mix / mix.sum(0)).astype(np.float32)
    if rng.random() < 0.3:
        levels = np.float32(rng.integers(2, 6))
        rgb = np.rint(rgb * levels) / levels
    gamma, gain = np.exp(rng.normal(0, 0.35)), rng.uniform(0.7, 1.2)
    return rgb.clip(0, 1) ** np.float32(gamma) * np.float32(gain) + paint(rng, -0.1, 0.1)


def moved(crop: Array, rng: np.random.Generator) -> Array:
    """A crop (S, S, C), perhaps cut below, stretched, sheared and turned, with its figure in the middle."""
    if rng.random() < 0.3:
        crop = crop.copy()
        crop[int(CROP * rng.uniform(0.45, 0.9)) :] = 0
    if not (crop[..., 3] > 0.5).any():
        return crop
    rows, columns = (np.flatnonzero((crop[..., 3] > 0.5).any(axis=axis)) for axis in (1, 0))
    middle = [2 * (at[0] + at[-1] + 1) / 2 / CROP - 1 for at in (columns, rows)]
    length = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    scale = length / CROP * 1.04 * np.exp(rng.normal(0, 0.04))
    wide, angle, shear = np.exp(rng.normal(0, 0.1)), np.deg2rad(rng.normal(0, 4)), rng.normal(0, 0.06)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.array([[scale * wide, shear], [0, scale / wide]])
    shift = np.array(middle) + rng.normal(0, 0.02, 2)
    theta = torch.from_numpy(np.hstack([matrix, shift[:, None]])[None]).float()
    planes = torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1)[None])).float()
    grid = functional.affine_grid(theta, list(planes.shape), align_corners=False)
    sampled = functional.grid_sample(planes, grid, align_corners=False)
    return np.asarray(sampled.numpy()[0].transpose(1, 2, 0), np.float32)


def crop_of(figure: Pixels) -> Floats:
    """Square crop (`CROP`, `CROP`, 4) float32 of a figure, 0 to 1, with premultiplied colours."""
    rows, columns = box_around(figure[..., 3] >= HALF_COVERED)
    half = MARGIN * max(rows.stop - rows.start, columns.stop - columns.start) / 2
    middle_x, middle_y = (columns.start + columns.stop) / 2, (rows.start + rows.stop) / 2
    margin = int(half) + 2
    wide = np.pad(figure[rows, columns], ((margin, margin), (margin, margin), (0, 0)))
    x, y = middle_x - columns.start + margin, middle_y - rows.start + margin
    edges = (x - half, y - half, x + half, y + half)
    crop = Image.fromarray(wide).convert("RGBa").resize((CROP, CROP), Image.Resampling.BOX, edges)
    return np.asarray(crop, np.float32) / np.float32(255)


def drawn_folder(folder: Path) -> list[list[SideView]]:
    """The drawings of a folder, those of each side in a list of its own."""
    drawn: dict[int, list[SideView]] = {}
    for side, picture in cut_outs(folder, DRAWN_SIDES):
        crop = np.rint(255 * crop_of(picture)).astype(np.uint8)
        # A drawing has its own lines.
        drawn.setdefault(side, []).append(SideView(np.dstack([crop, np.zeros_like(crop[..., :1])]), side))
    return list(drawn.values())


class Seen:
    """What the networks see in crops, as `summary` has it, and the side that each shows."""

    def __init__(self) -> None:
        self._relief = ReliefFeatures()
        own = relief.load(JointNet(), find.JOINT_WEIGHTS)
        self._own: JointNet = own.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.no_grad()
    def __call__(self, examples: Sequence[tuple[Array, int]]) -> tuple[Floats, NDArray[np.int64]]:
        """Summaries (N, F) and sides (N,) of the examples that show anything."""
        shown = [(crop, side) for crop, side in examples if (crop[..., 3] > 0.5).any()]
        small = [small_figure(straight(crop)) for crop, _ in shown]
        x = np.stack([net.inputs(crop, 0.0) for crop in small]).transpose(0, 3, 1, 2)
        with torch.autocast("cpu", torch.bfloat16):
            inner, outer = self._relief(torch.from_numpy(np.ascontiguousarray(x)))
            middle = self._own.seen(inner, outer)
        bordered = [
            np.pad(part.float().permute(0, 2, 3, 1).numpy(), ((0, 0), (1, 1), (1, 1), (0, 0)))
            for part in (inner, middle, outer)
        ]
        sights = (
            find.Sight(crop[..., 3] >= HALF_COVERED, *parts)
            for crop, *parts in zip(small, *bordered, strict=True)
        )
        return np.stack([summary(sight) for sight in sights]), np.array([side for _, side in shown])


def straight(crop: Array) -> Pixels:
    """A crop of premultiplied colours, 0 to 1, as a picture with straight alpha."""
    colours = crop[..., :3] / np.maximum(crop[..., 3:], 1 / 255)
    return np.asarray(np.rint(255 * np.dstack([colours, crop[..., 3:]]).clip(0, 1)), np.uint8)


def examples_of(
    drawn: Sequence[Sequence[SideView]], shares: Array, rng: np.random.Generator
) -> list[tuple[Array, int]]:
    """Examples to be seen together: characters by their shares, and each side equally often."""
    batch = []
    for k in rng.choice(len(drawn), SEEN_AT_ONCE, p=shares / shares.sum()):
        side = int(rng.integers(4))
        fitting = [view for view in drawn[k] if view.side == side] or drawn[k]
        batch.append(example(fitting[int(rng.integers(len(fitting)))], rng))
    return batch


def fitted(seen: Floats, sides: NDArray[np.int64], rng: np.random.Generator) -> dict[str, Floats]:
    """Train a hidden layer on what is seen, (N, F), and the sides (N,); returns the tensors of `facing`."""
    mean, spread = seen.mean(axis=0), seen.std(axis=0) + np.float32(1e-3)
    apart, right = (
        torch.from_numpy(((seen - mean) / spread).clip(-MOST_DEVIATIONS, MOST_DEVIATIONS)),
        torch.from_numpy(sides),
    )
    hidden, score = nn.Linear(seen.shape[1], HIDDEN), nn.Linear(HIDDEN, 4)
    layers = nn.Sequential(nn.Dropout(0.2), hidden, nn.LeakyReLU(FRONT_LEAK), nn.Dropout(0.3), score)
    optimiser = torch.optim.AdamW(layers.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS * (len(seen) // BATCH))
    for epoch in range(EPOCHS):
        order = torch.from_numpy(rng.permutation(len(seen)))
        for chosen in order[: len(seen) // BATCH * BATCH].reshape(-1, BATCH):
            loss = functional.cross_entropy(layers(apart[chosen]), right[chosen], label_smoothing=0.02)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        click.echo(f"epoch {epoch + 1}: {loss.item():.3f}")
    named = {"mean": mean, "spread": spread}
    for name, part in (("hidden", hidden), ("score", score)):
        named[f"{name}.weight"] = part.weight.detach().numpy().T
        named[f"{name}.bias"] = part.bias.detach().numpy()
    return {name: np.ascontiguousarray(array) for name, array in named.items()}


@training(steps=2000)
def main(sources: tuple[str, ...], out: Path, steps: int, rng: np.random.Generator) -> None:
    """Train on characters and drawings of sources, each with its share of the examples."""

    def drawn_views(entry: Entry) -> list[SideView]:
        return [view for mesh in meshes(entry, rng) for view in views(mesh, rng)]

    folders = [source for source in sources if (Path(source.partition("=")[0]) / DRAWN_SIDES[0]).is_dir()]
    characters = [source for source in sources if source not in folders]
    drawn, shares = characters_of(characters, out.parent / "samples", drawn_views)
    for folder, share in map(relief.with_share, folders):
        sides = drawn_folder(folder)
        drawn += sides
        shares += [share / len(sides)] * len(sides)
    see, chances = Seen(), np.array(shares, np.float32)
    seen = []
    for step in range(steps):
        seen.append(see(examples_of(drawn, chances, rng)))
        if step % 100 == 99:
            click.echo(f"{(step + 1) * SEEN_AT_ONCE} drawings seen")
    summaries, right = (np.concatenate(parts) for parts in zip(*seen, strict=True))
    save_file({name: array.astype(np.float16) for name, array in fitted(summaries, right, rng).items()}, out)


if __name__ == "__main__":
    main()
