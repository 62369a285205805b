"""Train the network of `relief`: ``python -m specsia_build.backends.relief.train MANIFEST[=SHARE]... --out
FOLDER``.

Needs torch. Characters are drawn from the front and from behind, in poses of their own clips and a little
turned.
"""

import hashlib
import math
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from msgspec.structs import replace
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from specsia_build.backends.relief import net
from specsia_build.backends.relief.net import CROP_ROUNDS, CROP_SAMPLES, guides, inputs, on_white
from specsia_build.backends.relief.sheets import FULLY_COVERED, SIZE, Crop, crop_of
from specsia_build.characters.actions import FRAME_RATE
from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_animated, read_character
from specsia_build.characters.sources import read_manifest
from specsia_build.errors import CharacterError, SpecsiaError
from specsia_build.frame import Camera, normalise, view_cameras
from specsia_build.pictures.masks import box_around
from specsia_build.pictures.palettes import COLOURS, palette_of
from specsia_build.rendering.contour import draw_contour
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.rendering.mesh import Mesh, compacted

_WIDTHS = (32, 64, 96, 128, 128)  # Channels of each level of the network, the first at half of `SIZE`
_RATE, BATCH = 8e-4, 16  # Largest learning rate, and examples in a step
_POSES = 6  # Poses taken from a character's own clips
# Standard deviation of the logarithm of stretching, and its values along a figure
PROPORTION, KNOTS = 0.12, 5
DRAWN, _MARGIN = 192, 5  # Pixels of the frame that characters are drawn in, and around them


def _block(first: int, last: int, stride: int = 1) -> nn.Sequential:
    leaky = nn.LeakyReLU(net.LEAK, inplace=True)
    return nn.Sequential(nn.Conv2d(first, last, 3, stride, 1), leaky, nn.Conv2d(last, last, 3, 1, 1), leaky)


class Net(nn.Module):
    """U-net that predicts depths, and for each pixel of the back which colour of the drawing it has."""

    def __init__(self) -> None:
        super().__init__()
        self.first = _block(4 * net.CHANNELS, _WIDTHS[0])
        self.down = nn.ModuleList([_block(a, b, 2) for a, b in pairwise(_WIDTHS)])
        self.up = nn.ModuleList(
            [_block(a + b, b) for a, b in zip(_WIDTHS[:0:-1], _WIDTHS[-2::-1], strict=True)]
        )
        self.head = nn.Conv2d(_WIDTHS[0], 4 * net.OUTPUTS + net.KEY_CHANNELS, 3, 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (N, `CHANNELS`, S, S) to outputs (N, `OUTPUTS`, S, S) and keys (N, `KEY`, S / 2, S / 2)."""
        levels = [self.first(functional.pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last))]
        for down in self.down:
            levels.append(down(levels[-1]))
        y = levels.pop()
        for up in self.up:
            y = up(torch.cat([functional.interpolate(y, scale_factor=2.0), levels.pop()], 1))
        out = net.BOUND * torch.tanh(self.head(y).float() / net.BOUND)
        return functional.pixel_shuffle(out[:, : 4 * net.OUTPUTS], 2), out[:, 4 * net.OUTPUTS :]


def palette_logits(predicted: Tensor, key: Tensor, one_hot: Tensor, guided: Tensor) -> Tensor:
    """Logits (N, `COLOURS` + 1, H, W) of each colour of the palette, and last of a copy of the front.

    Args:
        predicted: (N, `OUTPUTS`, H, W) of pixels of the back.
        key: (N, `KEY`, S / 2, S / 2) of pixels of the front.
        one_hot: (N, `COLOURS`, S / 2, S / 2), share of each pixel that has each colour.
        guided: (N, `GUIDES`, H, W) int64, see `net.guides`.
    """
    copy = predicted[:, 2:3]
    trust = predicted[:, 3 : 3 + net.GUIDES]
    query = predicted[:, 3 + net.GUIDES :]
    counts = one_hot.sum((2, 3))
    keys = torch.einsum("nkij,ncij->nck", key, one_hot) / counts.clamp(min=1e-3)[:, :, None]
    logits = torch.einsum("nkij,nck->ncij", query, keys) / net.KEY_CHANNELS**0.5
    hints = functional.one_hot(guided, COLOURS + 1)[..., :COLOURS].float()
    logits = logits + net.TRUST * torch.einsum("ngij,ngijc->ncij", trust, hints)
    return torch.cat([logits.masked_fill((counts == 0)[:, :, None, None], -1e4), copy], 1)


_Picture = tuple[NDArray[Any], ...]
"""A drawn character, cut to the figure: front and, seen through it, back (H, W, 4) uint8 with straight alpha;
coverage of both (H, W, 2) uint8; heights of both towards the viewer (H, W, 2) float16 in pixels."""


def pictures(manifest: Path) -> list[tuple[_Picture, float]]:
    """Pictures of a manifest's characters but those of its test split, with weights whose sum is 1.

    They are drawn at rest, in `_POSES` poses of their clips, and turned. A character's weight grows little
    with the number of its pictures. Those that cannot be read are left out.
    """
    weighted: list[tuple[_Picture, float]] = []
    for entry in read_manifest(manifest):
        try:
            drawn = [] if entry.split == "test" else list(_pictures(entry))
        except CharacterError as error:
            click.echo(f"{entry.id} is left out: {error}")
            continue
        weighted += [(picture, len(drawn) ** -0.6) for picture in drawn]
    total = sum(weight for _, weight in weighted)
    return [(picture, weight / total) for picture, weight in weighted]


def _pictures(entry: Entry) -> Iterator[_Picture]:
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


def _picture(mesh: Mesh) -> _Picture:
    cameras = view_cameras(10, DRAWN)
    mesh = mesh.with_vertices(normalise(mesh.vertices, cameras, 3).apply(mesh.vertices))
    front, back = FastRenderer().render(mesh, [cameras[0], cameras[5]], "unlit")
    cover = np.stack([front.coverage, back.coverage[:, ::-1]], axis=-1)
    heights = (
        np.stack([-front.position[..., 1], -back.position[:, ::-1, 1]], axis=-1) * cameras[0].pixels_per_unit
    )
    return _cut((front.color, back.color[:, ::-1], cover, heights.astype(np.float16)))


def _cut(picture: _Picture) -> _Picture:
    """Cut a picture to its figure and a margin."""
    window = box_around(np.asarray(picture[2].any(axis=2)), _MARGIN)
    return tuple(np.ascontiguousarray(layer[window]) for layer in picture)


def _recoloured(rng: np.random.Generator, *pictures: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Permute and mix the channels of pictures (..., 3), 0 to 255, and change their gamma, all in the same
    way."""
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


def _reshaped(rng: np.random.Generator, picture: _Picture) -> _Picture:
    """Change a figure's proportions: stretch its rows unevenly, and in each row its width and depth alike."""
    height, width = picture[0].shape[:2]
    ends, wide = np.cumsum(_factors(rng, height)), _factors(rng, height)
    rows = np.searchsorted(ends, np.arange(int(ends[-1])) + 0.5)
    factor, room = wide[rows][:, None], int(np.ceil(width * wide.max()))
    columns = ((np.arange(room) + 0.5 - room / 2) / factor + width / 2).astype(int).clip(0, width - 1)
    *layers, depth = (layer[rows[:, None], columns] for layer in picture)
    return _cut((*layers, (depth * factor[..., None]).astype(depth.dtype)))


def example(picture: _Picture, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    """One training example: the network's input and its targets."""
    front, back, cover, depth = _reshaped(rng, picture) if rng.random() < 0.7 else picture
    if rng.random() < 0.5:
        front, back, cover, depth = (layer[:, ::-1] for layer in (front, back, cover, depth))
    if rng.random() < 0.6:
        line = (float(rng.uniform(0.25, 2.25)), int(255 * rng.random() ** 2))
        front = draw_contour(np.ascontiguousarray(front), np.ascontiguousarray(cover[..., 0]), *line)
    visible, cut = on_white(front), rng.random() < 0.06 and len(front) > 60
    if cut:
        visible[int(len(front) * rng.uniform(0.35, 0.9)) :] = (255, 255, 255, 0)
    crop = crop_of(visible[..., 3] >= HALF_COVERED)
    shrunk = np.exp(rng.normal(0.03, 0.04))
    left, top = (at - crop.side * ((shrunk - 1) / 2 + rng.normal(0, 0.01)) for at in (crop.left, crop.top))
    crop = Crop(left, top, crop.side * shrunk)
    drawing = crop.resized(visible)
    behind = crop.resized(on_white(back))[..., :3].astype(np.float32)
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


def losses(
    predicted: Tensor, key: Tensor, batch: dict[str, Tensor], offset: tuple[int, int]
) -> tuple[Tensor, ...]:
    """Losses of depth, its slope and colour, means over pixels that show both sides; colour in every other
    pixel."""
    half = functional.softplus(predicted[:, 1:2]) * net.THICKNESS
    depth = (
        torch.cat([predicted[:, :1] + half, predicted[:, :1] - half], 1)
        / batch["length"][:, None, None, None]
    )
    both, target = batch["both"], batch["depth"]
    count = both.sum((1, 2, 3)).clamp(min=1)
    thickness = ((target[:, :1] - target[:, 1:]) * both).sum((1, 2, 3)) / count
    error = depth - target
    # The distance to the viewer is undefined.
    shift = (error.mean(1, keepdim=True) * both).sum((1, 2, 3), keepdim=True) / count[:, None, None, None]
    error = (error - shift) * both
    weight = 1 / (0.15 + thickness)
    deep = (error.abs().mean(1).sum((1, 2)) / count * weight).mean()
    across = (error[..., 1:] - error[..., :-1]) * both[..., 1:] * both[..., :-1]
    down = (error[..., 1:, :] - error[..., :-1, :]) * both[..., 1:, :] * both[..., :-1, :]
    steep = ((across.abs().mean(1).sum((1, 2)) + down.abs().mean(1).sum((1, 2))) / count * weight).mean()
    half_of = (..., slice(offset[0], None, 2), slice(offset[1], None, 2))
    one_hot = (
        functional.one_hot(batch["labels"].long(), COLOURS + 1)[..., :COLOURS].permute(0, 3, 1, 2).float()
    )
    guided = batch["guides"][half_of].long()
    logits = palette_logits(predicted[half_of], key, functional.avg_pool2d(one_hot, 2), guided)
    palette = batch["palette"][..., None, None].expand(-1, -1, -1, SIZE // 2, SIZE // 2)
    choices = torch.cat([palette, batch["front"][half_of][:, None]], 1)
    distance = (choices - batch["back"][half_of][:, None]).abs().mean(2)
    best = (-distance / 0.04).masked_fill(logits < -1e3, -1e4).softmax(1)
    entropy = -(best * logits.log_softmax(1)).sum(1)
    visible = both[:, 0][half_of]
    colour = ((logits.softmax(1) * distance).sum(1) + 0.04 * entropy) * visible
    colour = colour.sum((1, 2)) / visible.sum((1, 2)).clamp(min=1)
    return deep, steep, colour.mean()


class Batches(Dataset[dict[str, NDArray[Any]]]):
    """Batches of examples of weighted pictures. Each batch depends only on the seed and the number of its
    step."""

    def __init__(self, drawn: Sequence[tuple[_Picture, float]], steps: int, seed: int) -> None:
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


def train(
    batches: Batches, out: Path, *, minutes: float = 50.0, device: str = "cpu", workers: int = 0
) -> Net:
    """Train a network, writing ``out/weights.safetensors`` every 250 steps and at the end.

    It ends after all batches, or after `minutes`; until then the learning rate falls by a cosine. Examples
    are made by `workers` processes; with 0 the training process makes them itself. `device` is `cpu` or
    `cuda`.
    """
    torch.set_num_threads(1)
    torch.manual_seed(batches.seed)
    rng = np.random.default_rng(batches.seed)
    model = Net().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = Net().to(device)
    average.load_state_dict(model.state_dict())
    loader = DataLoader(batches, batch_size=None, num_workers=workers)
    optimiser = torch.optim.AdamW(model.parameters(), _RATE, betas=(0.9, 0.98), weight_decay=0.01)
    # Without AVX-512, bfloat16 is several times as slow as float32.
    half = torch.device(device).type != "cpu" or torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    started = time.monotonic()
    running = np.zeros(3)
    running_norm = 1.0
    for step, examples in enumerate(loader):
        done = max(step / len(batches), (time.monotonic() - started) / (60 * minutes))
        if done >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = _RATE * min(1, (step + 1) / 100) * 0.5 * (1 + np.cos(np.pi * done))
        batch = {name: tensor.to(device) for name, tensor in examples.items()}
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=half):
            predicted, key = model(batch["x"])
        offset = (int(rng.integers(2)), int(rng.integers(2)))
        deep, steep, colour = losses(predicted, key, batch, offset)
        optimiser.zero_grad()
        (2 * deep + 4 * steep + 3 * colour).backward()
        norm = float(nn.utils.clip_grad_norm_(model.parameters(), 1.0))
        running_norm = norm if step < 10 else min(0.98 * running_norm + 0.02 * norm, 2 * running_norm)
        if not norm <= 10 * running_norm:
            continue
        optimiser.step()
        with torch.no_grad():
            for kept, new in zip(average.parameters(), model.parameters(), strict=True):
                kept.lerp_(new, 1 - min(0.998, (1 + step) / (10 + step)))
        running = 0.99 * running + 0.01 * np.array(torch.stack([deep, steep, colour]).tolist())
        if step % 250 == 249:
            means = " ".join(f"{value:.4f}" for value in running / (1 - 0.99 ** (step + 1)))
            click.echo(f"{step + 1} steps, {time.monotonic() - started:.0f} s: depth, slope, colour {means}")
            save(average, out)
    save(average, out)
    return average


def save(model: Net, out: Path) -> None:
    """Write ``weights.safetensors``: float16, convolutions as (3, 3, in, out)."""
    arrays = {}
    for name, value in model.state_dict().items():
        array = value.cpu().half().numpy()
        arrays[name] = np.ascontiguousarray(array.transpose(2, 3, 1, 0) if array.ndim == 4 else array)
    save_file(arrays, str(out / "weights.safetensors"))


def _with_share(argument: str) -> tuple[Path, float]:
    """Path and share of ``MANIFEST[=SHARE]``."""
    path, _, number = argument.partition("=")
    try:
        share = float(number or 1)
    except ValueError:
        share = math.nan
    if not 0 < share < math.inf:
        raise click.BadParameter(
            f"the share of '{argument}' must be a positive number", param_hint="MANIFEST[=SHARE]"
        )
    return Path(path), share


@click.command()
@click.argument("manifests", nargs=-1, required=True, metavar="MANIFEST[=SHARE]...")
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of the weights."
)
@click.option("--steps", default=9000, show_default=True)
@click.option("--minutes", default=50.0, show_default=True, help="Time limit.")
@click.option("--device", default="cpu", show_default=True, help="cpu or cuda.")
@click.option("--workers", default=0, show_default=True, help="Processes that make examples, 0 for none.")
@click.option("--seed", default=1, show_default=True)
def main(manifests: tuple[str, ...], out: Path, steps: int, seed: int, **effort: Any) -> None:
    """Train the network of `relief` on the characters of manifests, those of their test splits left out.

    Manifests are taken in proportion to their shares, 1 by default: a.jsonl=0.6 b.jsonl=0.4.
    """
    shares = [_with_share(argument) for argument in manifests]
    out.mkdir(parents=True, exist_ok=True)
    try:
        drawn = [(picture, share * weight) for path, share in shares for picture, weight in pictures(path)]
    except SpecsiaError as error:
        raise click.ClickException(str(error)) from error
    train(Batches(drawn, steps, seed), out, **effort)


if __name__ == "__main__":
    main()
