"""Train the network that finds joints: ``python -m specsia_build.rigging.train --people SOURCE[=SHARE]...
--out FOLDER``.

Needs torch. See `examples` and `doodles` for what it is trained on, `looks` for how pictures are changed.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from specsia_build.backends.relief import net
from specsia_build.backends.relief import train as relief
from specsia_build.backends.relief.sheets import FILLED, SIZE
from specsia_build.characters.sources import open_source
from specsia_build.errors import SpecsiaError
from specsia_build.rigging import find
from specsia_build.rigging.doodles import drawn_creature, drawn_person
from specsia_build.rigging.examples import JointPicture, drawings_of, gathered
from specsia_build.rigging.joints import JOINTS
from specsia_build.rigging.looks import JointBatch, Looks

_BATCH = 8  # Pictures in a step
_RATE = 1.5e-3  # Largest learning rate
_BLUR = 2.5  # Standard deviation of a joint's place in the target heat map, in pixels of a crop
_DOODLES = 3000  # Number of doodles, a quarter of them creatures
_NEAR = 0.05  # Lengths of the figure within which a joint counts as found, for its confidence


class JointNet(nn.Module):
    """Maps (N, `find.MAPS`, S / 4, S / 4) from features of `relief`'s network, see `ReliefFeatures`."""

    def __init__(self) -> None:
        super().__init__()
        low, middle = find.WIDTHS
        self.low = relief.block(find.INNER_CHANNELS, low)
        self.middle = relief.block(low + find.OUTER_CHANNELS, middle)
        self.head = nn.Conv2d(middle, find.MAPS, 3, 1, 1)

    def forward(self, features: tuple[Tensor, Tensor]) -> Tensor:
        maps: Tensor = self.head(self.seen(*features)).float()
        return maps

    def seen(self, inner: Tensor, outer: Tensor) -> Tensor:
        """Its own features (N, `find.WIDTHS[1]`, S / 4, S / 4) of those of `relief`'s network."""
        own: Tensor = self.middle(torch.cat([_doubled(self.low(inner)), outer], 1))
        return own


class ReliefFeatures:
    """The shipped network of `relief`, which is not trained further."""

    def __init__(self) -> None:
        self._net = relief.load(relief.Net(), net.WEIGHTS_FILE)
        self._net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.no_grad()
    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features of its inputs (N, 8, S, S) at S / 8 px, `find.INNER_CHANNELS`, and at S / 4 px."""
        folded = functional.pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last)
        levels = [self._net.first(folded)]
        for down in self._net.down:
            levels.append(down(levels[-1]))
        back = [levels[-1]]
        for number in range(find.UPS):
            pair = [_doubled(back[-1]), levels[find.DEPTH - 1 - number]]
            back.append(self._net.up[number](torch.cat(pair, 1)))
        inner = torch.cat([_doubled(_doubled(back[0])), _doubled(back[1]), back[2]], 1)
        return inner, torch.cat([back[3], levels[1]], 1)


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0)


def losses(maps: Tensor, batch: JointBatch) -> tuple[Tensor, ...]:
    """Losses of heat maps, places, shares of the way through the body, confidences and kinds."""
    count = len(JOINTS)
    heat, inside, sure, kinds = maps.split((find.HEATS, count, count, len(find.KINDS)), 1)
    heat = functional.pixel_shuffle(heat, find.SUBCELLS)
    size = heat.shape[-1]
    steps = (torch.arange(size) + 0.5) * SIZE / size
    chances = heat.flatten(2).softmax(-1).view_as(heat)
    coarse = functional.avg_pool2d(chances, find.SUBCELLS) * find.SUBCELLS**2
    x, y = (chances.sum(2) * steps).sum(-1), (chances.sum(3) * steps).sum(-1)
    known = ~batch.joints[..., 0].isnan()
    joints = batch.joints.nan_to_num()
    total = known.sum().clamp(min=1)
    distance = (steps - joints[..., 0, None, None]) ** 2 + (steps[:, None] - joints[..., 1, None, None]) ** 2
    target = (-distance / (2 * _BLUR**2)).flatten(2).softmax(-1)
    entropy = -(target * heat.flatten(2).log_softmax(-1)).sum(-1)
    near = functional.smooth_l1_loss(torch.stack([x, y], -1), joints[..., :2], reduction="none", beta=2.0)
    deep = known & ~batch.joints[..., 2].isnan()
    through = (((coarse * inside).sum((2, 3)) - joints[..., 2]).abs() * deep).sum() / deep.sum().clamp(min=1)
    with torch.no_grad():
        error = torch.hypot(x - joints[..., 0], y - joints[..., 1])
        good = (known & (error < _NEAR * FILLED)).float()
    logits = (coarse.detach() * sure).sum((2, 3))
    judged = known | batch.absent
    doubt = functional.binary_cross_entropy_with_logits(logits, good, reduction="none")
    covered = batch.x[:, 3:4, find.FOLD // 2 :: find.FOLD, find.FOLD // 2 :: find.FOLD] > 0
    pooled = (kinds * covered).sum((2, 3)) / covered.sum((2, 3)).clamp(min=1)
    return (
        (entropy * known).sum() / total,
        (near.sum(-1) * known).sum() / total,
        through,
        (doubt * judged).sum() / judged.sum().clamp(min=1),
        functional.cross_entropy(pooled, batch.kinds),
    )


_WEIGHTS = (1.0, 0.1, 2.0, 0.3, 0.3)  # Weights of the losses


def train(looks: Looks, out: Path, *, minutes: float, seed: int = 1) -> JointNet:
    """Train a network for `minutes`, writing ``out/weights.safetensors`` every 500 steps and at the end.

    The learning rate falls by a cosine. What is written is the running average of the weights.
    """
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    features = ReliefFeatures()
    model, average = JointNet().to(memory_format=torch.channels_last), JointNet()  # type: ignore[call-overload]
    average.load_state_dict(model.state_dict())
    optimiser = torch.optim.AdamW(model.parameters(), _RATE, betas=(0.9, 0.98), weight_decay=0.01)
    half = torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    started = time.monotonic()
    running = np.zeros(len(_WEIGHTS))
    step = 0
    while (done := (time.monotonic() - started) / (60 * minutes)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = _RATE * min(1, (step + 1) / 100) * 0.5 * (1 + np.cos(np.pi * done))
        batch = looks.batch(np.random.default_rng((seed, step)), _BATCH)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            maps = model(features(batch.x))
        parts = losses(maps, batch)
        optimiser.zero_grad()
        (torch.stack(parts) * torch.tensor(_WEIGHTS)).sum().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        with torch.no_grad():
            for kept, new in zip(average.parameters(), model.parameters(), strict=True):
                kept.lerp_(new, 1 - min(0.998, (1 + step) / (10 + step)))
        running = 0.99 * running + 0.01 * np.array(torch.stack(parts).tolist())
        step += 1
        if step % 500 == 0:
            means = " ".join(f"{value:.4f}" for value in running / (1 - 0.99**step))
            took = f"{step} steps, {time.monotonic() - started:.0f} s"
            click.echo(f"{took}: heat, place, depth, sure, kind {means}")
            relief.save(average, out)
    relief.save(average, out)
    return average


def _of_sources(sources: Sequence[str], kind: int, each: int) -> Iterator[tuple[JointPicture, float]]:
    """Weighted pictures of characters of a kind that are not in the splits `validation` and `test`."""
    for argument in sources:
        source, share = relief.with_share(argument)
        with tempfile.TemporaryDirectory() as scratch:
            entries = open_source(str(source), Path(scratch)).entries
            drawn = gathered([e for e in entries if e.split in (None, "train")], kind, each)
        yield from ((picture, share / len(drawn)) for picture in drawn)


@click.command()
@click.option("--people", multiple=True, metavar="SOURCE[=SHARE]", help="Characters with arms and legs.")
@click.option("--animals", multiple=True, metavar="SOURCE[=SHARE]", help="Animals on four legs.")
@click.option("--others", multiple=True, metavar="SOURCE[=SHARE]", help="Other creatures, and things.")
@click.option(
    "--drawings", multiple=True, metavar="FOLDER[=SHARE]", help="Cut-out PNGs in a subfolder for each kind."
)
@click.option("--doodles", default=0.14, show_default=True, help="Share of drawings as a child makes them.")
@click.option("--each", default=24, show_default=True, help="Pictures of each character.")
@click.option("--minutes", default=50.0, show_default=True, help="Time for training.")
@click.option("--seed", default=1, show_default=True)
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of the weights."
)
def main(
    people: tuple[str, ...],
    animals: tuple[str, ...],
    others: tuple[str, ...],
    drawings: tuple[str, ...],
    doodles: float,
    each: int,
    minutes: float,
    seed: int,
    out: Path,
) -> None:
    """Train the network that finds joints on the characters of some sources, and on doodles.

    A source is a manifest, whose splits `validation` and `test` are left out, or any other that a build
    takes. Sources are taken in proportion to their shares, 1 by default.
    """
    out.mkdir(parents=True, exist_ok=True)
    drawn: list[tuple[JointPicture, float]] = []
    try:
        for kind, sources in enumerate((people, animals, others)):
            drawn += _of_sources(sources, kind, each)
        for argument in drawings:
            folder, share = relief.with_share(argument)
            own = drawings_of(folder)
            drawn += [(picture, share / len(own)) for picture in own]
    except SpecsiaError as error:
        raise click.ClickException(str(error)) from error
    for number in range(_DOODLES if doodles > 0 else 0):
        rng = np.random.default_rng((seed, number))
        picture = drawn_person(rng) if number % 4 else drawn_creature(rng)
        drawn.append((picture, doodles / _DOODLES))
    if not drawn:
        raise click.UsageError("nothing to learn from: name characters with --people, or give --doodles 1")
    train(Looks(drawn), out, minutes=minutes, seed=seed)


if __name__ == "__main__":
    main()
