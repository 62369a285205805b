"""Train the network that finds a character's front: ``python -m benchmarks.front SOURCE[=SHARE]... --out F``.

Needs torch. Lines of manifests state the `front` of their characters; test and validation are left out.
"""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import TypeVar

import click
import numpy as np
import torch
from msgspec.structs import replace
from numpy.typing import NDArray
from safetensors.numpy import save_file
from scipy.spatial.transform import Rotation
from torch import Tensor, nn
from torch.nn import functional

from specsia_build.characters.character import AUTO, OWN_AXIS, Entry
from specsia_build.characters.checks.probe import probe_of
from specsia_build.characters.front import BANDS, FRONT_CHANNELS, FRONT_LEAK, FRONT_SIZE, inputs, measures
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from specsia_build.errors import CharacterError
from specsia_build.rendering.mesh import Mesh

# Channels of convolutions; features that the network sees, and hidden
WIDTHS, SEEN, HIDDEN = (16, 32, 48, 48), 16, 32
MEASURES = 4 * BANDS + 1  # Of a crop
VARIANTS = 8  # Drawings of a character: one as it is, one turned a little, the others also stretched
RATE, DECAY, BATCH = 3e-3, 0.05, 32
Array = NDArray[np.float32]
Drawn = TypeVar("Drawn")


class Net(nn.Module):
    """Scores (N, 4) of crops (N, 4, S, S, C) and measures (N, 4, M), see `specsia_build.characters.front`."""

    def __init__(self) -> None:
        super().__init__()
        first, second, third, fourth = WIDTHS
        self.first, self.second = (
            nn.Conv2d(4 * FRONT_CHANNELS, first, 3, 2, 1),
            nn.Conv2d(first, second, 3, 2, 1),
        )
        self.third, self.fourth = nn.Conv2d(second, third, 3, 2, 1), nn.Conv2d(third, fourth, 3, 1, 1)
        self.view = nn.Linear(fourth * (FRONT_SIZE // 32) ** 2 + second, SEEN)
        self.many, self.few = nn.Dropout(0.3), nn.Dropout(0.1)
        self.around, self.score = nn.Linear(4 * (SEEN + MEASURES), HIDDEN), nn.Linear(HIDDEN, 1)

    def forward(self, crops: Tensor, measured: Tensor) -> Tensor:
        features = self.features(crops.flatten(0, 1), measured.flatten(0, 1)).reshape(len(crops), 4, -1)
        around = torch.stack([features.roll(-k, 1).flatten(1) for k in range(4)], 1)
        scores: Tensor = self.score(functional.leaky_relu(self.around(around), FRONT_LEAK))
        return scores[..., 0]

    def features(self, crops: Tensor, measured: Tensor) -> Tensor:
        """Features (N, SEEN + M) of crops (N, S, S, C) and their measures (N, M)."""
        count, half = len(crops), FRONT_SIZE // 2
        x = crops.reshape(count, half, 2, half, 2, -1).permute(0, 2, 4, 5, 1, 3)
        x = functional.leaky_relu(self.first(x.reshape(count, -1, half, half)), FRONT_LEAK)
        second = functional.leaky_relu(self.second(x), FRONT_LEAK)
        x = functional.leaky_relu(self.third(second), FRONT_LEAK)
        x = functional.leaky_relu(self.fourth(x), FRONT_LEAK)
        last = functional.max_pool2d(x, 2).permute(0, 2, 3, 1).flatten(1)
        upper = second[:, :, : second.shape[2] // 2].amax((2, 3))
        seen = self.many(functional.leaky_relu(self.view(self.many(torch.cat([last, upper], 1))), FRONT_LEAK))
        return torch.cat([seen, self.few(measured)], 1)

    def tensors(self) -> dict[str, NDArray[np.float16]]:
        """Weights as `specsia_build.characters.front` reads them."""
        arrays = {}
        for name, tensor in self.named_parameters():
            half = tensor.detach().half()
            half = half.permute(0, 2, 3, 1) if half.ndim == 4 else half
            arrays[name] = half.flatten(1).T.contiguous().numpy() if half.ndim > 1 else half.numpy()
        return arrays


def drawings(mesh: Mesh, rng: np.random.Generator) -> Iterator[NDArray[np.float16]]:
    """Inputs of `VARIANTS` drawings of a character that faces -y."""
    for variant in range(VARIANTS):
        angles = rng.normal(0, (4, 3, 8)) * (variant > 0 and rng.random() < 0.65)
        turn = Rotation.from_euler("XYZ", angles, degrees=True).as_matrix()
        stretch = rng.uniform(0.85, 1.18, 3) if variant > 1 else np.ones(3)
        vertices = mesh.vertices @ turn.T * stretch
        yield inputs(probe_of(mesh.with_vertices(vertices)).views).astype(np.float16)


def example(x: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Crops in other colours, mirrored, sheared, shrunk, moved and turned, and each view's probability."""
    alpha, depth, target = x[..., 3:4], x[..., 4:], np.array([1, 0, 0, 0], np.float32)
    rgb = x[..., :3] / np.maximum(alpha, 1 / 255)
    kind = rng.random()
    if kind < 0.12:
        rgb = np.broadcast_to(rng.uniform(0.2, 1, 3), rgb.shape)
    elif kind < 0.55:
        mix = 0.7 * np.eye(3) + rng.uniform(0, 0.3, (3, 3)) * (rng.random() < 0.5)
        rgb = (rgb if rng.random() < 0.85 else 1 - rgb)[..., rng.permutation(3)] @ (mix / mix.sum(0))
    rgb = rgb.clip(0, 1) ** np.exp(rng.normal(0, 0.3)) * rng.uniform(0.7, 1.2) + rng.normal(0, 0.05)
    x = np.concatenate([rgb.clip(0, 1) * alpha, alpha, depth], axis=-1).astype(np.float32)
    kind = rng.random()
    if rng.random() < 0.08:
        x[..., 4:] = alpha / 2
    if kind < 0.03:
        x[2], target = x[0, :, ::-1], np.array([0.5, 0, 0.5, 0], np.float32)
    elif kind < 0.05:
        x[:], target = x[int(rng.integers(4))].copy(), np.full(4, 0.25, np.float32)
    if rng.random() < 0.5:
        x, target = x[[0, 3, 2, 1], :, ::-1], target[[0, 3, 2, 1]]
    scale = rng.uniform(0.95, 1.3) if rng.random() < 0.6 else 1.0
    (right, down), shear, wide = rng.normal(0, 0.05, 2), rng.normal(0, 0.04), np.exp(rng.normal(0, 0.06))
    moved = torch.tensor([[[scale * wide, shear, right], [0, scale, down]]] * 4).float()
    planes = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    grid = functional.affine_grid(moved, list(planes.shape), align_corners=False)
    x = functional.grid_sample(planes, grid, align_corners=False).numpy().transpose(0, 2, 3, 1)
    turns = int(rng.integers(4))
    return np.roll(x, turns, axis=0), np.roll(target, turns)


def fitted(net: Net, batch: Callable[[], list[tuple[Array, Array]]], steps: int) -> Net:
    """Train a network on batches of crops and probabilities of classes; returns its average weights."""
    average = deepcopy(net)
    optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        crops, target = map(np.stack, zip(*batch(), strict=True))
        measured = np.stack([measures(crop) for crop in crops.reshape(-1, *crops.shape[-3:])])
        measured = measured.reshape(*crops.shape[:-3], -1)
        scores = net(torch.from_numpy(crops), torch.from_numpy(measured))
        loss = functional.cross_entropy(scores, torch.from_numpy(target), label_smoothing=0.02)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        for kept, new in zip(average.parameters(), net.parameters(), strict=True):
            kept.data.lerp_(new.data, max(0.005, 1 / (step + 1)))
        if step % 100 == 99:
            click.echo(f"{step + 1} steps: {loss.item():.3f}")
    return average.eval()


def training(steps: int) -> Callable[[Callable[..., None]], click.Command]:
    """Decorate a function of sources, the file to write, steps and a generator as a command that trains."""

    def decorated(train: Callable[..., None]) -> click.Command:
        @click.command(help=train.__doc__)
        @click.argument("sources", nargs=-1, required=True)
        @click.option("--out", type=Path, required=True)
        @click.option("--steps", default=steps)
        @click.option("--seed", default=0)
        def command(sources: tuple[str, ...], out: Path, steps: int, seed: int) -> None:
            torch.set_num_threads(1)
            torch.manual_seed(seed)
            train(sources, out, steps, np.random.default_rng(seed))

        return command

    return decorated


def characters_of(
    sources: Sequence[str], scratch: Path, read: Callable[[Entry], Drawn]
) -> tuple[list[Drawn], list[float]]:
    """What is read of each character of sources to train on, and its share of the examples."""
    drawn: list[Drawn] = []
    shares: list[float] = []
    for source, _, share in (text.partition("=") for text in sources):
        first = len(drawn)
        for entry in open_source(source, scratch).entries:
            try:
                if entry.split in (None, "train"):
                    # What states no front faces as its format has it.
                    front = OWN_AXIS if entry.front in (None, AUTO) else entry.front
                    drawn.append(read(replace(entry, front=front)))
            except CharacterError as error:
                click.echo(f"{entry.id} is left out: {error}")
        shares += [float(share or 1) / max(len(drawn) - first, 1)] * (len(drawn) - first)
    return drawn, shares


@training(steps=1200)
def main(sources: tuple[str, ...], out: Path, steps: int, rng: np.random.Generator) -> None:
    """Train on characters of sources, each with its share of the examples."""
    drawn, shares = characters_of(
        sources, out.parent / "samples", lambda entry: list(drawings(read_character(entry).mesh, rng))
    )
    chances = np.array(shares) / sum(shares)

    def batch() -> list[tuple[Array, Array]]:
        chosen = rng.choice(len(drawn), BATCH, p=chances)
        return [example(drawn[k][int(rng.integers(VARIANTS))].astype(np.float32), rng) for k in chosen]

    save_file(fitted(Net(), batch, steps).tensors(), out)


if __name__ == "__main__":
    main()
