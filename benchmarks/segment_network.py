"""A small matcher of segments: what it sees of two frames, the network, and how it learns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from time import process_time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.segment_frames import FIRST, LEAST, Clip, Frame, iou, together
from specsia_build.annotation.segments import BACKGROUND, LINES
from specsia_build.errors import UsageError

CELL = 4
"""Pixels on a side of a cell of what the network sees of a picture."""

WIDTH, HEADS, ROUNDS = 64, 4, 3
SHAPE, WITHIN, ACROSS = 12, 5, 9

BATCH, RATE, SEED = 8, 2e-3, 0


@dataclass(frozen=True)
class Seen:
    """What the network takes of a frame; its colours are none of it."""

    cells: Tensor
    """(2 CELL², H / CELL, W / CELL) uint8: lines, and the background around."""
    pool: Tensor
    """(N, cells) float32: share of a segment's pixels that lies in each."""
    shape: Tensor
    within: Tensor
    """(N, N, WITHIN)."""


def seen(frame: Frame) -> Seen:
    """What the network takes of a frame, from its background on."""
    height, width = (side // CELL for side in frame.seg.shape)
    pictures = torch.from_numpy(np.stack([frame.seg == LINES, frame.seg == BACKGROUND]).astype(np.float32))
    cells = functional.pixel_unshuffle(pictures[None], CELL)[0].to(torch.uint8)
    place = np.arange(height).repeat(CELL)[:, None] * width + np.arange(width).repeat(CELL)
    pool = together(frame.seg, place, frame.count, height * width) / np.maximum(frame.pixels, 1)[:, None]
    offset = frame.centre[None] - frame.centre[:, None]
    area = np.log2(frame.pixels + 1) / 4
    within = [offset * 2, frame.touching[..., None], frame.touching.T[..., None], (area - area[:, None])[..., None]]
    return Seen(
        cells,
        torch.from_numpy(pool[BACKGROUND:].astype(np.float32)),
        torch.from_numpy(frame.shape[BACKGROUND:]),
        torch.from_numpy(np.concatenate(within, -1).astype(np.float32)[BACKGROUND:, BACKGROUND:]),
    )


def across(frame: Frame, reference: Frame) -> Tensor:
    """(N, M, ACROSS) of each segment beside each of the reference, from their backgrounds on."""
    offset = reference.centre[None] - frame.centre[:, None]
    shared = together(frame.filled, reference.filled, frame.count, reference.count)
    spread = together(frame.seg, reference.spread, frame.count, reference.count)
    area, other = (np.log2(one.pixels + 1) / 4 for one in (frame, reference))
    found = [
        *np.moveaxis(offset * 3, -1, 0),
        np.exp(-((offset * 16) ** 2).sum(axis=-1)),
        np.exp(-((offset * 4) ** 2).sum(axis=-1)),
        iou(shared),
        shared / np.maximum(shared.sum(axis=1, keepdims=True), 1),
        shared / np.maximum(shared.sum(axis=0), 1),
        spread / np.maximum(spread.sum(axis=1, keepdims=True), 1),
        other - area[:, None],
    ]
    return torch.from_numpy(np.stack(found, -1).astype(np.float32)[BACKGROUND:, BACKGROUND:])


def _mlp(*widths: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for one, other in pairwise(widths):
        layers += [nn.Linear(one, other), nn.GELU()]
    return nn.Sequential(*layers[:-1])


class Attention(nn.Module):
    """Attention whose weights also go by a relation of the two."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.both, self.out = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.before, self.after = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.forward_ = _mlp(WIDTH, 2 * WIDTH, WIDTH)

    def forward(self, tokens: Tensor, others: Tensor, bias: Tensor) -> Tensor:
        """(N, WIDTH) of (N, WIDTH), (M, WIDTH) and (HEADS, N, M)."""
        query = self.query(self.before(tokens)).unflatten(-1, (HEADS, -1)).transpose(0, 1)
        key, value = self.both(self.before(others)).unflatten(-1, (2, HEADS, -1)).permute(1, 2, 0, 3)
        weights = (query @ key.transpose(1, 2) / query.shape[-1] ** 0.5 + bias).softmax(-1)
        tokens = tokens + self.out((weights @ value).transpose(0, 1).flatten(1))
        found: Tensor = tokens + self.forward_(self.after(tokens))
        return found


class Matcher(nn.Module):
    """Scores of segments of a reference, and of none of them, for each segment of a frame."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Sequential(nn.Conv2d(2 * CELL**2, 32, 3, padding=1), nn.GELU())
        self.coarse = nn.Sequential(
            nn.Conv2d(32, 48, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(48, 48, 3, padding=2, dilation=2),
            nn.GELU(),
            nn.Conv2d(48, 32, 1),
        )
        self.token = _mlp(32 + SHAPE, WIDTH, WIDTH)
        self.inner, self.outer = _mlp(WITHIN, 32, ROUNDS * HEADS), _mlp(ACROSS, 48, 2 * ROUNDS * HEADS + 1)
        self.alone = nn.ModuleList(Attention() for _ in range(ROUNDS))
        self.paired = nn.ModuleList(Attention() for _ in range(ROUNDS))
        self.side = nn.Parameter(torch.randn(2, WIDTH) * 0.1)
        self.match, self.none = nn.Linear(WIDTH, WIDTH), _mlp(WIDTH, 32, 1)

    def features(self, frames: Sequence[Seen]) -> list[Tensor]:
        """(N, WIDTH) of each frame."""
        fine = self.fine(torch.stack([frame.cells for frame in frames]).float())
        coarse = functional.interpolate(self.coarse(fine), scale_factor=2.0, mode="nearest")
        seen_ = functional.gelu(fine + coarse).flatten(2).transpose(1, 2)
        return [
            self.token(torch.cat([frame.pool @ field, frame.shape], -1))
            for frame, field in zip(frames, seen_, strict=True)
        ]

    def scores(self, frame: Tensor, reference: Tensor, one: Seen, other: Seen, relation: Tensor) -> Tensor:
        """(N, M + 1), the last that of none."""
        frame, reference = frame + self.side[0], reference + self.side[1]
        near, far = (self.inner(of.within).permute(2, 0, 1).split(HEADS) for of in (one, other))
        *outer, straight = self.outer(relation).permute(2, 0, 1).split([HEADS] * 2 * ROUNDS + [1])
        for k, (alone, paired) in enumerate(zip(self.alone, self.paired, strict=True)):
            frame, reference = alone(frame, frame, near[k]), alone(reference, reference, far[k])
            frame, reference = (
                paired(frame, reference, outer[2 * k]),
                paired(reference, frame, outer[2 * k + 1].transpose(1, 2)),
            )
        alike = self.match(frame) @ self.match(reference).T / WIDTH**0.5 + straight[0]
        return torch.cat([alike, self.none(frame)], -1)

    def forward(self, pairs: Sequence[tuple[Frame, Frame]]) -> list[Tensor]:
        """Logarithms of shares, (N, M + 1) of each pair of a frame and its reference."""
        both = [seen(frame) for pair in pairs for frame in pair]
        features = self.features(both)
        return [
            self.scores(features[2 * k], features[2 * k + 1], both[2 * k], both[2 * k + 1], across(*pair)).log_softmax(
                -1
            )
            for k, pair in enumerate(pairs)
        ]


def by_paint(shares: Tensor, frame: Frame, reference: Frame) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(N,) paint of each number of `frame`, and (N,) the share that says there is none."""
    paints, which = np.unique(reference.paint[BACKGROUND:], return_inverse=True)
    found = np.zeros((frame.count, len(paints)))
    weights = shares.exp().double().numpy()
    np.add.at(found[BACKGROUND:].T, which, weights[:, :-1].T)
    return paints[found.argmax(axis=1)], np.concatenate([[0.0], weights[:, -1]])


def _loss(shares: Tensor, frame: Frame, reference: Frame) -> Tensor:
    same = frame.paint[FIRST:, None] == reference.paint[BACKGROUND:]
    right = torch.from_numpy(np.column_stack([same, ~same.any(axis=1)]))
    weight = torch.from_numpy(np.where(frame.pixels[FIRST:] >= LEAST, 1.0, 0.2).astype(np.float32))
    told = shares[FIRST - BACKGROUND :].masked_fill(~right, -torch.inf).logsumexp(-1)
    return -(told * weight).sum() / weight.sum()


def train(clips: Sequence[Clip], steps: int, say: Callable[[str], None]) -> Matcher:
    """A matcher that learnt from pairs of frames, up to five apart, either way.

    Raises:
        UsageError: if no clip has two frames.
    """
    torch.manual_seed(SEED)
    rng, model = np.random.default_rng(SEED), Matcher()
    optimiser = torch.optim.AdamW(model.parameters(), RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    by_character: dict[str, list[Clip]] = {}
    for clip in clips:
        if len(clip.frames) > 1:
            by_character.setdefault(clip.character, []).append(clip)
    if not by_character:
        raise UsageError("no clip of the split train has two frames: draw motions of characters of that split")
    names, lately = sorted(by_character), []
    for step in range(1, steps + 1):
        pairs = [_drawn(by_character[names[int(rng.integers(len(names)))]], rng) for _ in range(BATCH)]
        losses = [_loss(shares, *pair) for pair, shares in zip(pairs, model(pairs), strict=True)]
        loss = torch.stack(losses).mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        lately.append(loss.item())
        if step % 50 == 0:
            say(f"step {step}: loss {np.mean(lately[-50:]):.3f}, {process_time():.0f} s of processor")
    return model.eval()


def _drawn(clips: Sequence[Clip], rng: np.random.Generator) -> tuple[Frame, Frame]:
    while True:
        frames = clips[int(rng.integers(len(clips)))].frames
        apart = int(rng.integers(1, 6))
        if apart < len(frames):
            k = int(rng.integers(len(frames) - apart))
            one, other = frames[k + apart], frames[k]
            return (one, other) if rng.random() < 0.5 else (other, one)
