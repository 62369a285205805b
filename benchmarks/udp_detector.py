"""A small network that learns dense poses from the recipe `conr`, beside retrieval and the mean pose.

python -m benchmarks.udp_detector FOLDER [FOLDER…] --out FOLDER

Each FOLDER is one that the recipe wrote. What is learnt comes from `train/` of all of them, the scores from `test/` of
each, whose characters nobody saw. The network gets pictures on backgrounds; retrieval gets them cut out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torch.nn import functional as F

from specsia_build import npz, png
from specsia_build.recipes.backgrounds import background
from specsia_build.recipes.conr import IMAGES, POSES

MARGIN = 1.15
"""Side of what is cropped, of that of the figure's box."""

LANDMARKS = 64
"""Points of the surface that are asked for in each picture."""

BACKGROUNDS, HELD_OUT = 256, 1_000_000
"""How many backgrounds there are to train on, and the number of the first one to score on."""

THUMBNAIL = 16
"""Pixels on a side of what retrieval compares."""

CHANNELS = (16, 32, 64, 96)

BATCH, RATE = 16, 2e-3

LIGHT = (0.6, 1.3)
"""Factors of each channel in training."""

SHOWN = 8
"""Pictures in the sheet."""


@dataclass(frozen=True)
class Frames:
    """Figures cropped to their box, N of S x S pixels.

    Attributes:
        color: (N, S, S, 4) uint8, multiplied by alpha.
        pose: (N, S, S, 4) float16, XYZ and occupancy.
        of: (N,) int, whose each is.
        names: of the characters.
    """

    color: NDArray[np.uint8]
    pose: NDArray[np.float16]
    of: NDArray[np.int64]
    names: tuple[str, ...]


Guess = tuple[NDArray[np.float32], NDArray[np.bool_]]
"""XYZ (N, S, S, 3) and occupancy (N, S, S)."""


def read(split: Path, most: int, side: int) -> Frames:
    """The targets of a split's characters, at most so many of each, evenly taken."""
    color, pose, of = [], [], []
    names: list[str] = []
    for folder in sorted(path for path in split.iterdir() if path.is_dir()):
        files = sorted((folder / POSES).iterdir())
        for at in np.unique(np.linspace(0, len(files) - 1, min(most, len(files))).astype(int)):
            picture = png.decode((folder / IMAGES / f"{files[at].stem}.png").read_bytes(), 4)
            found = cropped(picture, npz.decode(files[at].read_bytes()), side)
            color.append(found[0])
            pose.append(found[1])
            of.append(len(names))
        names.append(folder.name)
    return Frames(np.stack(color), np.stack(pose), np.array(of), tuple(names))


def joined(parts: Sequence[Frames]) -> Frames:
    """Frames of several folders as of one."""
    starts = np.cumsum([0, *(len(part.names) for part in parts)])
    of = np.concatenate([part.of + start for part, start in zip(parts, starts, strict=False)])
    names = tuple(name for part in parts for name in part.names)
    return Frames(
        np.concatenate([part.color for part in parts]), np.concatenate([part.pose for part in parts]), of, names
    )


def cropped(
    picture: NDArray[np.uint8], pose: NDArray[np.float32], side: int
) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """A picture and its pose in a square about the figure, as CoNR's loader crops them, with a little room."""
    rows, columns = (np.flatnonzero(pose[..., 3].any(axis=axis)) for axis in (1, 0))
    wide = MARGIN * max(rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0])
    top, left = (rows[0] + rows[-1] + 1 - wide) / 2, (columns[0] + columns[-1] + 1 - wide) / 2
    dark = picture.copy()
    dark[..., :3] = np.rint(picture[..., :3] * (picture[..., 3:] / 255.0))
    room = len(picture)
    image = Image.fromarray(np.pad(dark, ((room, room), (room, room), (0, 0))))
    box = (left + room, top + room, left + wide + room, top + wide + room)
    small = np.asarray(
        image.resize((side, side), Image.Resampling.BOX if wide > side else Image.Resampling.BILINEAR, box)
    )
    steps = (np.arange(side) + 0.5) * wide / side
    at = [np.floor(start + steps).astype(int) for start in (top, left)]
    inside = [(where >= 0) & (where < room) for where in at]
    taken = (
        pose[np.clip(at[0], 0, room - 1)][:, np.clip(at[1], 0, room - 1)] * (inside[0][:, None] & inside[1])[..., None]
    )
    return small, taken.astype(np.float16)


class Block(nn.Sequential):
    """Two convolutions."""

    def __init__(self, before: int, after: int) -> None:
        layers: list[nn.Module] = []
        for channels in (before, after):
            layers += [nn.Conv2d(channels, after, 3, padding=1, bias=False), nn.GroupNorm(8, after), nn.SiLU()]
        super().__init__(*layers)


class Detector(nn.Module):
    """A U-net from colour (N, 3, S, S) in 0-1 to XYZ and the logit of occupancy (N, 4, S, S)."""

    def __init__(self) -> None:
        super().__init__()
        steps = list(zip((3, *CHANNELS), CHANNELS, strict=False))
        self.down = nn.ModuleList(Block(before, after) for before, after in steps)
        self.up = nn.ModuleList(Block(after + before, before) for before, after in reversed(steps[1:]))
        self.last = nn.Conv2d(CHANNELS[0], 4, 1)

    def forward(self, color: torch.Tensor) -> torch.Tensor:
        x, kept = color - 0.5, []
        for index, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if index else x)
            kept.append(x)
        for block, beside in zip(self.up, reversed(kept[:-1]), strict=True):
            x = block(torch.cat([F.interpolate(x, scale_factor=2.0), beside], dim=1))
        found: torch.Tensor = self.last(x)
        return found


def composited(color: NDArray[np.uint8], behind: NDArray[np.uint8]) -> torch.Tensor:
    """Pictures (N, S, S, 4), multiplied by alpha, on backgrounds (N, S, S, 3), as (N, 3, S, S) in 0-1."""
    mixed = color[..., :3] / np.float32(255) + behind / np.float32(255) * (1 - color[..., 3:] / np.float32(255))
    return torch.from_numpy(np.ascontiguousarray(mixed.transpose(0, 3, 1, 2), np.float32))


def recoloured(color: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Pictures (N, S, S, 4), multiplied by alpha, each with its channels in another order, lighter or darker."""
    order = np.argsort(rng.random((len(color), 3)))
    shuffled = np.take_along_axis(color[..., :3], order[:, None, None], axis=3)
    lit = np.minimum(shuffled * rng.uniform(*LIGHT, (len(color), 1, 1, 3)), color[..., 3:])
    return np.concatenate([np.rint(lit).astype(np.uint8), color[..., 3:]], axis=3)


def mirrored(pose: torch.Tensor, occupied: torch.Tensor) -> torch.Tensor:
    """Poses (N, 4, S, S) of mirrored figures, left and right are exchanged where occupied."""
    flipped = pose.flip(3)
    flipped[:, 0] = occupied.flip(2) - flipped[:, 0]
    return flipped


def trained(parts: Sequence[Frames], steps: int, seed: int) -> Detector:
    """A network that learnt on frames of several folders, pasted on backgrounds, mirrored and recoloured at random.

    A folder is seen as often as another, and a character as often as the others of its folder.
    """
    torch.manual_seed(seed)
    frames = joined(parts)
    weights = np.concatenate([1 / np.bincount(part.of)[part.of] / len(part.names) for part in parts])
    rng = np.random.default_rng(seed)
    side = frames.color.shape[1]
    behind = np.stack([background(number, side, side) for number in range(BACKGROUNDS)])
    model = Detector()
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        picked = rng.choice(len(frames.of), BATCH, p=weights / weights.sum())
        color, pose = recoloured(frames.color[picked], rng), frames.pose[picked].astype(np.float32)
        image = composited(color, behind[rng.integers(BACKGROUNDS, size=BATCH)])
        target = torch.from_numpy(pose.transpose(0, 3, 1, 2))
        if rng.random() < 0.5:
            image, target = image.flip(3), mirrored(target, target[:, 3])
        found = model(image)
        occupied = target[:, 3:]
        off = (abs(found[:, :3] - target[:, :3]) * occupied).sum() / occupied.sum()
        loss = off + F.binary_cross_entropy_with_logits(found[:, 3:], occupied)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            click.echo(f"seed {seed}, step {step + 1}: {loss.item():.3f}", err=True)
    return model.eval()


@torch.no_grad()
def detected(model: Detector, frames: Frames) -> Guess:
    """What a network says of frames on backgrounds that it never saw: the mean of that of a picture and its mirror."""
    side = frames.color.shape[1]
    found = []
    for k in range(len(frames.of)):
        image = composited(frames.color[k : k + 1], background(HELD_OUT + k, side, side)[None])
        seen, turned = model(torch.cat([image, image.flip(3)])).split(1)
        found.append((seen + mirrored(turned, torch.ones_like(turned[:, 3]))) / 2)
    out = torch.cat(found).numpy().transpose(0, 2, 3, 1)
    return np.clip(out[..., :3], 0, 1), out[..., 3] > 0


def retrieved(frames: Frames, known: Frames, channels: slice) -> Guess:
    """The pose of the known frame whose thumbnail is nearest, by some of its channels: red, green, blue, alpha."""

    def thumbnails(of: Frames) -> NDArray[np.float32]:
        count, side = of.color.shape[:2]
        rows = of.color[..., channels].reshape(count, THUMBNAIL, side // THUMBNAIL, THUMBNAIL, side // THUMBNAIL, -1)
        return np.asarray(rows.mean(axis=(2, 4), dtype=np.float32).reshape(count, -1), np.float32)

    asked, there = thumbnails(frames), thumbnails(known)
    nearest = ((there**2).sum(axis=1) - 2 * asked @ there.T).argmin(axis=1)
    pose = known.pose[nearest].astype(np.float32)
    return pose[..., :3], pose[..., 3] > 0


def mean_pose(frames: Frames, known: Frames) -> Guess:
    """The mean of all known poses, the same for every frame."""
    total = known.pose.sum(axis=0, dtype=np.float32)
    mean = total[..., :3] / np.maximum(total[..., 3:], 1)
    occupied = total[..., 3] > len(known.of) / 2
    return tuple(np.broadcast_to(array, (len(frames.of), *array.shape)) for array in (mean, occupied))  # type: ignore[return-value]


def scores(guess: Guess, frames: Frames) -> dict[str, float]:
    """How far a guess is off, the mean over characters of the mean over their frames.

    Landmarks are visible points of the surface, drawn at random, known by their true XYZ.

    Returns:
        `xyz`: the L1 distance between a landmark's XYZ and that which is guessed where it is; `place`: that between
        where it is and where the guess has the XYZ nearest to its, in hundredths of the picture's side; `iou` of
        occupancy. A guess without any occupied pixel is taken to be occupied everywhere.
    """
    rng = np.random.default_rng(0)
    side = frames.color.shape[1]
    rows = np.empty((len(frames.of), 3))
    for k in range(len(frames.of)):
        truth, true = frames.pose[k, ..., :3].astype(np.float32), frames.pose[k, ..., 3] > 0
        xyz, occupied = guess[0][k], guess[1][k] | (not guess[1][k].any())
        points = rng.choice(np.argwhere(true), LANDMARKS)
        there = np.argwhere(occupied)
        asked, said = truth[tuple(points.T)], xyz[tuple(there.T)]
        # What is guessed where nothing is occupied is no guess: the nearest that is occupied counts.
        nearest = abs(points[:, None] - there).sum(axis=2).argmin(axis=1)
        found = there[abs(asked[:, None] - said).sum(axis=2).argmin(axis=1)]
        off = abs(said[nearest] - asked).sum(axis=1).mean(), 100 / side * abs(found - points).sum(axis=1).mean()
        rows[k] = (*off, (true & occupied).sum() / (true | occupied).sum())
    by_character = np.stack([rows[frames.of == one].mean(axis=0) for one in range(len(frames.names))])
    return dict(zip(("xyz", "place", "iou"), by_character.mean(axis=0).tolist(), strict=True))


def write_sheet(path: Path, frames: Frames, guesses: Sequence[Guess]) -> None:
    """Pictures side by side: what is seen, the truth, and each guess."""
    side = frames.color.shape[1]
    rows = []
    for k in np.linspace(0, len(frames.of) - 1, SHOWN).astype(int):
        image = composited(frames.color[k : k + 1], background(HELD_OUT + k, side, side)[None])[0]
        truth = frames.pose[k].astype(np.float32)
        tiles = [image.numpy().transpose(1, 2, 0), truth[..., :3], *(xyz[k] * on[k][..., None] for xyz, on in guesses)]
        rows.append(np.concatenate(tiles, axis=1))
    path.write_bytes(png.encode(np.rint(np.concatenate(rows) * 255).astype(np.uint8)))


def table(found: Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]]) -> str:
    """Markdown: a row for each folder and method, over the seeds of those that have several."""
    lines = ["| scored on | method | XYZ L1 | place L1, % | IoU |", "|---|---|---|---|---|"]
    for folder, methods in found.items():
        for method, runs in methods.items():
            cells = []
            for measure, digits in (("xyz", 3), ("place", 1), ("iou", 3)):
                values = [run[measure] for run in runs]
                spread = f" ± {(max(values) - min(values)) / 2:.{digits}f}" if len(values) > 1 else ""
                cells.append(f"{np.mean(values):.{digits}f}{spread}")
            lines.append(f"| {folder} | {method} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the table and the sheets.")
@click.option(
    "--side", default=32, show_default=True, help=f"Pixels on a side of what is seen, a multiple of {THUMBNAIL}."
)
@click.option("--each", default=32, show_default=True, help="Frames of a character at most.")
@click.option("--steps", default=1000, show_default=True, help=f"Of training, {BATCH} frames each.")
@click.option("--split", default="test", show_default=True, help="What is scored: test, or validation to choose by.")
@click.option("--seed", "seeds", multiple=True, type=int, default=(0,), show_default=True, help="Of training.")
@click.option("--threads", default=1, show_default=True, help="Of torch.")
def main(
    folders: tuple[Path, ...],
    out: Path,
    side: int,
    each: int,
    steps: int,
    split: str,
    seeds: tuple[int, ...],
    threads: int,
) -> None:
    """Train on train/ of all FOLDERS, score on another split of each."""
    if side % THUMBNAIL:
        raise click.BadParameter(f"{side} is no multiple of {THUMBNAIL}", param_hint="--side")
    if len({folder.parent.name for folder in folders}) < len(folders):
        raise click.BadParameter("each is called by the folder that it lies in: give those other names")
    torch.set_num_threads(threads)
    out.mkdir(parents=True, exist_ok=True)
    parts = [read(folder / "train", each, side) for folder in folders]
    known = joined(parts)
    tests = {folder.parent.name: read(folder / split, each, side) for folder in folders}
    models = [trained(parts, steps, seed) for seed in seeds]
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    for name, frames in tests.items():
        guesses = {
            "U-net": [detected(model, frames) for model in models],
            "retrieval by colour and mask": [retrieved(frames, known, slice(0, 4))],
            "retrieval by mask": [retrieved(frames, known, slice(3, 4))],
            "mean pose": [mean_pose(frames, known)],
        }
        found[f"{name}: {len(frames.names)} characters"] = {
            method: [scores(guess, frames) for guess in runs] for method, runs in guesses.items()
        }
        write_sheet(out / f"{name}.png", frames, [runs[0] for runs in guesses.values()])
    said = f"{steps} steps of {BATCH}, seeds {', '.join(map(str, seeds))}"
    told = f"Trained on {len(known.of)} frames of {len(known.names)} characters, {said}.\n\n"
    (out / "table.md").write_text(told + table(found), encoding="utf-8")
    (out / "found.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    click.echo(told + table(found))


if __name__ == "__main__":
    main()
