"""Train the network of `relief`: ``python -m specsia_build.backends.relief.train MANIFEST[=SHARE]... --out
FOLDER``.

Needs torch. See `examples` for what it is trained on.
"""

import math
import time
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import click
import numpy as np
import torch
from safetensors.numpy import save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from specsia_build.backends.relief import net
from specsia_build.backends.relief.examples import Batches, load_pictures, pictures, save_pictures
from specsia_build.backends.relief.sheets import FILLED, SIZE
from specsia_build.errors import SpecsiaError
from specsia_build.networks.convolution import LEAK
from specsia_build.networks.unet import read_tensors
from specsia_build.pictures.palettes import COLOURS

_WIDTHS = (32, 64, 96, 128, 128)  # Channels of each level of the network, the first at half of `SIZE`
_WEIGHTS = (2.0, 4.0, 2.0, 3.0)  # Weights of the losses, in the order of `losses`


def block(first: int, last: int, stride: int = 1) -> nn.Sequential:
    """Two convolutions, the first with a stride, each with a leaky rectifier."""
    leaky = nn.LeakyReLU(LEAK, inplace=True)
    return nn.Sequential(nn.Conv2d(first, last, 3, stride, 1), leaky, nn.Conv2d(last, last, 3, 1, 1), leaky)


class Net(nn.Module):
    """U-net that predicts depths, and for each pixel of the back which colour of the drawing it has."""

    def __init__(self) -> None:
        super().__init__()
        self.first = block(4 * net.CHANNELS, _WIDTHS[0])
        self.down = nn.ModuleList([block(a, b, 2) for a, b in pairwise(_WIDTHS)])
        self.up = nn.ModuleList(
            [block(a + b, b) for a, b in zip(_WIDTHS[:0:-1], _WIDTHS[-2::-1], strict=True)]
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


_TURNS = 3  # Yaws at which the silhouettes of a step's examples are compared
_BINS = 64  # Places across the silhouette of a turned figure, from -`_REACH` to `_REACH` lengths of it
_REACH = 0.75
_SOFT = 0.012  # Softness of a silhouette's border, in lengths of the figure


def silhouette_loss(depth: Tensor, target: Tensor, both: Tensor, yaws: Tensor) -> Tensor:
    """One minus the mean IoU of silhouettes of figures that are turned about the vertical axis.

    Each pixel is a bar from its back to its front; a row of the turned figure covers the union of its bars,
    soft at the borders.

    Args:
        depth, target: (N, 2, H, W) height of front and back towards the viewer, in lengths of the figure.
        both: (N, 1, H, W), 1 where a pixel shows both sides.
        yaws: (T,) radians.
    """
    width = 1 / FILLED
    rows, columns = slice(2, None, 4), slice(None, None, 2)
    seen = both[:, 0, rows, columns]
    steps = (torch.arange(seen.shape[2], device=seen.device) * 2 + 0.5 - SIZE / 2) * width
    middle = (target.mean(1, keepdim=True) * both).sum((1, 2, 3)) / both.sum((1, 2, 3)).clamp(min=1)
    bins = torch.linspace(-_REACH, _REACH, _BINS, device=seen.device)

    def covered(sheets: Tensor, yaw: Tensor) -> Tensor:
        """Coverage (N, H, B) of the bins."""
        bars = (sheets[:, :, rows, columns] - middle[:, None, None, None]) * torch.sin(yaw)
        across = steps * torch.cos(yaw)
        half = width * torch.cos(yaw).abs()
        low = across + bars.amin(1) - half
        high = across + bars.amax(1) + half
        inside = torch.sigmoid((bins - low[..., None]) / _SOFT) * torch.sigmoid(
            (high[..., None] - bins) / _SOFT
        )
        return (inside * seen[..., None]).amax(2)

    each = []
    for yaw in yaws:
        a, b = covered(depth, yaw), covered(target, yaw)
        shared, either = torch.minimum(a, b).sum((1, 2)), torch.maximum(a, b).sum((1, 2))
        each.append(1 - shared / either.clamp(min=1))
    return torch.stack(each).mean()


def losses(
    predicted: Tensor, key: Tensor, batch: dict[str, Tensor], offset: tuple[int, int], yaws: Tensor
) -> tuple[Tensor, ...]:
    """Losses of depth, slope, turned silhouettes and colour, over pixels that show both sides."""
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
    turned = silhouette_loss(depth - shift, target, both, yaws)
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
    return deep, steep, turned, colour.mean()


class Effort(NamedTuple):
    """How long and how a network is trained."""

    minutes: float = 50.0  # Time limit
    rate: float = 8e-4  # Largest learning rate
    start: Path | None = None  # Weights to start from, random ones if None
    device: str = "cpu"  # Or `cuda`
    workers: int = 0  # Processes that make examples; with 0 the training process makes them


def train(batches: Batches, out: Path, effort: Effort) -> Net:
    """Train a network, writing ``out/weights.safetensors`` every 250 steps and at the end.

    It ends after all batches or at the time limit; until then the learning rate falls by a cosine.
    """
    torch.set_num_threads(1)
    torch.manual_seed(batches.seed)
    rng = np.random.default_rng(batches.seed)
    device = effort.device
    model = Net() if effort.start is None else load(Net(), effort.start)
    average = Net().to(device)
    average.load_state_dict(model.state_dict())
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    loader = DataLoader(cast(Any, batches), batch_size=None, num_workers=effort.workers)
    optimiser = torch.optim.AdamW(model.parameters(), effort.rate, betas=(0.9, 0.98), weight_decay=0.01)
    # Without AVX-512, bfloat16 is several times as slow as float32.
    half = torch.device(device).type != "cpu" or torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    started = time.monotonic()
    running = np.zeros(len(_WEIGHTS))
    running_norm = 1.0
    for step, examples in enumerate(loader):
        done = max(step / len(batches), (time.monotonic() - started) / (60 * effort.minutes))
        if done >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = effort.rate * min(1, (step + 1) / 100) * 0.5 * (1 + np.cos(np.pi * done))
        batch = {name: tensor.to(device) for name, tensor in examples.items()}
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=half):
            predicted, key = model(batch["x"])
        offset = (int(rng.integers(2)), int(rng.integers(2)))
        yaws = torch.from_numpy(rng.uniform(0, np.pi, _TURNS)).to(device, torch.float32)
        parts = losses(predicted, key, batch, offset, yaws)
        optimiser.zero_grad()
        (torch.stack(parts) * torch.tensor(_WEIGHTS, device=device)).sum().backward()
        norm = float(nn.utils.clip_grad_norm_(model.parameters(), 1.0))
        running_norm = norm if step < 10 else min(0.98 * running_norm + 0.02 * norm, 2 * running_norm)
        if not norm <= 10 * running_norm:
            continue
        optimiser.step()
        with torch.no_grad():
            for kept, new in zip(average.parameters(), model.parameters(), strict=True):
                kept.lerp_(new, 1 - min(0.998, (1 + step) / (10 + step)))
        running = 0.99 * running + 0.01 * np.array(torch.stack(parts).tolist())
        if step % 250 == 249:
            means = " ".join(f"{value:.4f}" for value in running / (1 - 0.99 ** (step + 1)))
            took = f"{step + 1} steps, {time.monotonic() - started:.0f} s"
            click.echo(f"{took}: depth, slope, silhouettes, colour {means}")
            save(average, out)
    save(average, out)
    return average


_Model = TypeVar("_Model", bound=nn.Module)


def load(model: _Model, path: Path) -> _Model:
    """A model with the weights of a file that `save` wrote."""
    for name, array in read_tensors(path).items():
        whole = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array
        model.state_dict()[name].copy_(torch.from_numpy(np.ascontiguousarray(whole)))
    return model


def save(model: nn.Module, out: Path) -> None:
    """Write ``weights.safetensors``: float16, convolutions as (3, 3, in, out)."""
    arrays = {}
    for name, value in model.state_dict().items():
        array = value.cpu().half().numpy()
        arrays[name] = np.ascontiguousarray(array.transpose(2, 3, 1, 0) if array.ndim == 4 else array)
    save_file(arrays, str(out / "weights.safetensors"))


def with_share(argument: str) -> tuple[Path, float]:
    """Path and share, 1 by default, of ``MANIFEST[=SHARE]``; a click.BadParameter if it is no number."""
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
@click.argument("manifests", nargs=-1, metavar="MANIFEST[=SHARE]...")
@click.option(
    "--pictures",
    "kept",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep pictures in this .npz file.",
)
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of the weights."
)
@click.option("--steps", default=9000, show_default=True)
@click.option("--minutes", default=50.0, show_default=True, help="Time limit.")
@click.option("--rate", default=8e-4, show_default=True, help="Largest learning rate.")
@click.option(
    "--start",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Weights to start from, such as the shipped ones.",
)
@click.option("--device", default="cpu", show_default=True, help="cpu or cuda.")
@click.option("--workers", default=0, show_default=True, help="Processes that make examples, 0 for none.")
@click.option("--seed", default=1, show_default=True)
def main(
    manifests: tuple[str, ...], kept: Path | None, out: Path, steps: int, seed: int, **effort: Any
) -> None:
    """Train the network of `relief` on the characters of the manifests' splits `train`.

    Manifests are taken in proportion to their shares, 1 by default: a.jsonl=0.6 b.jsonl=0.4. Without any,
    pictures that an earlier command kept are taken, so that a machine with a GPU needs no characters.
    """
    shares = [with_share(argument) for argument in manifests]
    out.mkdir(parents=True, exist_ok=True)
    if shares:
        try:
            weighted = [(share, pictures(path)) for path, share in shares]
        except SpecsiaError as error:
            raise click.ClickException(str(error)) from error
        drawn = [(picture, share * weight) for share, each in weighted for picture, weight in each]
        if kept is not None:
            save_pictures(kept, drawn)
    elif kept is not None and kept.is_file():
        drawn = load_pictures(kept)
    else:
        raise click.UsageError("name manifests, or a file that --pictures kept")
    train(Batches(drawn, steps, seed), out, Effort(**effort))


if __name__ == "__main__":
    main()
