r"""Line art coloured by the frame before it: a small matcher of segments, trained here, beside colour by overlap.

python -m benchmarks.segment_matcher source OUT --characters everything.jsonl
specsia clips OUT/characters.jsonl --out RUN --recipe paintbucket --motion own --motion walk --motion wave \
    --motion jump --clip '*[Ww]alk' --clip '*[Jj]ump' --clip wave --clip '*[_|]Attack' --size 256 --views 3 --frames 9 \
    --in-place --no-turntable
nice python -m benchmarks.segment_matcher score RUN/paintbucket [--picture FILE.png]
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks.segment_frames import FIRST, LEAST, OVERLAPS, Clip, Frame, Overlap, by_most, iou, read_clips, together
from benchmarks.segment_network import Matcher, by_paint, train
from benchmarks.validation_source import write_source
from specsia_build.annotation.segments import BACKGROUND, LINES
from specsia_build.errors import UsageError
from specsia_build.files.writing import write_bytes

SAMPLES = 24

TRAINED = (
    *("kaykit_barbarian", "kaykit_knight", "quaternius_alien", "quaternius_female_tanktop", "quaternius_zombie"),
    *("animal_horse", "animal_shibainu", "dino_velociraptor", "enemy_rat", "mech_george", "cyber_character"),
    *("man_adventurer", "man_farmer", "woman_medieval", "space_astronaut_finnthefrog"),
)
VALIDATION = ("animal_fox", "platformer_crab", "man_suit", "woman_casual")
UNSEEN = (
    *("kaykit_mage", "quaternius_female_dress", "animal_alpaca", "dino_trex", "enemy_frog", "mech_mike"),
    *("platformer_character", "man_king", "man_punk", "woman_witch"),
)

CLIPS, STEPS = 12, 900
"""Most clips of a character, and steps of training."""

APART = (1, 2, 4)
"""Frames between the reference and what is coloured."""


@dataclass(frozen=True)
class Row:
    """Of a way to colour, what share it has right.

    Attributes:
        name: of the way.
        segments, pixels: by frames apart, of all segments of `LEAST` pixels, and of their pixels.
        moved: by frames apart, of the segments that lie where none of their colour did.
        none: by frames apart, F1 of saying that a segment's colour is not in the reference; None where nothing says so.
    """

    name: str
    segments: dict[int, float]
    pixels: dict[int, float]
    moved: dict[int, float]
    none: dict[int, float] | None = None


@dataclass(frozen=True)
class Scored:
    """Segments of a pair of frames that count.

    Attributes:
        character: whose they are.
        apart: frames between the two.
        pixels: (K,).
        new: (K,) bool, whether the reference lacks the colour.
        moved: (K,) bool, whether it has the colour, but nowhere where the segment is.
        right: (K,) bool, by way to colour.
        doubt: (K,) float64 how surely there is no counterpart, by way that says so.
    """

    character: str
    apart: int
    pixels: NDArray[np.int64]
    new: NDArray[np.bool_]
    moved: NDArray[np.bool_]
    right: dict[str, NDArray[np.bool_]]
    doubt: dict[str, NDArray[np.float64]]


MOST, LEARNT = "the most frequent colour", "the matcher"


def scored(clips: Sequence[Clip], model: Matcher) -> list[Scored]:
    """Every pair of frames of the clips, coloured in every way."""
    with torch.inference_mode():
        return [
            _scored(clip.character, apart, frame, reference, model)
            for apart in APART
            for clip in clips
            for reference, frame in clip.pairs(apart)
        ]


def _scored(character: str, apart: int, frame: Frame, reference: Frame, model: Matcher) -> Scored:
    count = frame.pixels >= LEAST
    count[:FIRST] = False
    same = frame.paint[:, None] == reference.paint[BACKGROUND:]
    shared = together(frame.seg, reference.seg, frame.count, reference.count)
    over = (shared[:, BACKGROUND:] * same).any(axis=1)
    learnt, none = by_paint(model([(frame, reference)])[0], frame, reference)
    painted = {rule.name: rule.paint(frame, reference) for rule in OVERLAPS}
    painted |= {MOST: by_most(frame, reference), LEARNT: learnt}
    right = {name: (paint == frame.paint)[count] for name, paint in painted.items()}
    known = same.any(axis=1)
    best = iou(shared)[:, BACKGROUND:].max(axis=1).astype(np.float64)
    doubt = {LEARNT: none[count], OVERLAPS[0].name: 1 - best[count]}
    return Scored(character, apart, frame.pixels[count], ~known[count], (known & ~over)[count], right, doubt)


def thresholds(pairs: Sequence[Scored]) -> dict[str, float]:
    """From where on each way had better say that a segment has no counterpart."""
    new = np.concatenate([pair.new for pair in pairs])
    found = {}
    for name in pairs[0].doubt:
        doubt = np.concatenate([pair.doubt[name] for pair in pairs])
        found[name] = max(np.unique(doubt.round(3)), key=lambda least: _f1(doubt >= least, new))
    return found


def _f1(said: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    return float(2 * (said & true).sum() / max(said.sum() + true.sum(), 1))


def table(pairs: Sequence[Scored], names: Sequence[str], least: Mapping[str, float]) -> list[Row]:
    """A row for each way to colour."""
    rows = []
    for name in names:
        found: dict[str, dict[int, float]] = {"segments": {}, "pixels": {}, "moved": {}, "none": {}}
        for apart in APART:
            of = [pair for pair in pairs if pair.apart == apart]
            right = np.concatenate([pair.right[name] for pair in of])
            pixels, moved, new = (
                np.concatenate([getattr(pair, field) for pair in of]) for field in ("pixels", "moved", "new")
            )
            found["segments"][apart] = float(right.mean())
            found["pixels"][apart] = float((right * pixels).sum() / pixels.sum())
            found["moved"][apart] = float(right[moved].mean()) if moved.any() else float("nan")
            if name in least:
                found["none"][apart] = _f1(np.concatenate([pair.doubt[name] for pair in of]) >= least[name], new)
        rows.append(Row(name, found["segments"], found["pixels"], found["moved"], found["none"] or None))
    return rows


def markdown(rows: Sequence[Row]) -> str:
    """The rows as a table."""
    heads = [f"{what}, {apart}" for what in ("segments", "pixels", "moved", "no counterpart, F1") for apart in APART]
    lines = ["| | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for row in rows:
        groups = (row.segments, row.pixels, row.moved, row.none or {})
        cells = [f"{group[apart]:.3f}" if apart in group else "" for group in groups for apart in APART]
        lines.append(f"| {row.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def counted(pairs: Sequence[Scored]) -> str:
    """How many segments the rows are of."""
    said = []
    for apart in APART:
        of = [pair for pair in pairs if pair.apart == apart]
        total, moved, new = (sum(int(n) for n in ns) for ns in zip(*(_counts(pair) for pair in of), strict=True))
        said.append(f"{apart} apart: {len(of)} pairs, {total} segments, {moved} moved away, {new} of a new colour")
    return "\n".join(said)


def by_character(pairs: Sequence[Scored], names: Sequence[str]) -> str:
    """What each way has right of each character's segments, at each distance."""
    lines = ["| | " + " | ".join(f"{name}, {apart}" for apart in APART for name in names) + " |"]
    lines.append("|---" * (len(APART) * len(names) + 1) + "|")
    for character in sorted({pair.character for pair in pairs}):
        own = [pair for pair in pairs if pair.character == character]
        shares = [
            float(np.concatenate([pair.right[name] for pair in own if pair.apart == apart]).mean())
            for apart in APART
            for name in names
        ]
        lines.append(f"| {character} | " + " | ".join(f"{share:.3f}" for share in shares) + " |")
    return "\n".join(lines)


def _counts(pair: Scored) -> tuple[int, int, int]:
    return len(pair.pixels), int(pair.moved.sum()), int(pair.new.sum())


def picture(clips: Sequence[Clip], model: Matcher, rule: Overlap, apart: int) -> NDArray[np.uint8]:
    """For one pair of each character: reference, line art, by overlap, by the matcher, truth."""
    rows = []
    for clip in {clip.character: clip for clip in clips}.values():
        reference, frame = list(clip.pairs(apart))[len(clip.frames) // 4]
        with torch.inference_mode():
            learnt = by_paint(model([(frame, reference)])[0], frame, reference)[0]
        blank = np.full(frame.count, -1)
        both = (blank, rule.paint(frame, reference), learnt, frame.paint)
        rows.append(np.hstack([_painted(reference, reference.paint), *(_painted(frame, paint) for paint in both)]))
    return np.vstack(rows)


def _painted(frame: Frame, paint: NDArray[np.int64]) -> NDArray[np.uint8]:
    colors = np.stack([paint >> 16, paint >> 8, paint], -1) & 255
    colors[paint < 0], colors[BACKGROUND], colors[LINES] = 255, 255, 0
    return np.asarray(colors.astype(np.uint8)[frame.seg])


@click.group()
def main() -> None:
    """Colour line art by the frame before it, learnt and by overlap."""


@main.command()
@click.argument("folder", metavar="OUT", type=click.Path(file_okay=False, path_type=Path))
@click.option("--characters", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
def source(folder: Path, characters: Path) -> None:
    """Write the manifest of the characters that are trained on, and of those that are not, to OUT."""
    path = write_source(folder, SAMPLES, characters)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    splits = dict.fromkeys(TRAINED, "train") | dict.fromkeys(VALIDATION, "validation")
    splits |= dict.fromkeys(UNSEEN, "test")
    splits |= {line["id"]: line["split"] for line in lines if line["id"].startswith("sample-")}
    kept = [line | {"split": splits[line["id"]]} for line in lines if line["id"] in splits]
    write_bytes(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept).encode())
    click.echo(f"{len(kept)} characters are in {path}")


@main.command()
@click.argument("folder", metavar="PAINTBUCKET", type=click.Path(file_okay=False, exists=True, path_type=Path))
@click.option("--steps", default=STEPS, show_default=True, type=click.IntRange(1))
@click.option("--picture", "shown", type=click.Path(dir_okay=False, path_type=Path), help="Of one pair of each.")
def score(folder: Path, steps: int, shown: Path | None) -> None:
    """Train on `train`, choose the best overlap on `validation`, and score all on `test`."""
    torch.set_num_threads(1)
    start = time.process_time()
    clips = {split: list(read_clips(folder, [split], CLIPS)) for split in ("train", "validation", "test")}
    for split, found in clips.items():
        characters = {clip.character for clip in found}
        click.echo(
            f"{split}: {len(characters)} characters, {len(found)} clips, {sum(len(c.frames) for c in found)} frames"
        )
        if not found:
            raise UsageError(f"{folder} has no clip of the split {split}: draw characters of all three splits")
    model = train(clips["train"], steps, click.echo)
    click.echo(f"trained in {time.process_time() - start:.0f} s of processor")
    tuned, pairs = scored(clips["validation"], model), scored(clips["test"], model)
    right = Counter({rule: sum(int(pair.right[rule.name].sum()) for pair in tuned) for rule in OVERLAPS})
    rule = right.most_common(1)[0][0]
    click.echo(f"best of the overlaps on validation: {rule.name}")
    click.echo(counted(pairs))
    click.echo(markdown(table(pairs, (MOST, *(rule.name for rule in OVERLAPS), LEARNT), thresholds(tuned))))
    click.echo(by_character(pairs, (rule.name, LEARNT)))
    if shown is not None:
        Image.fromarray(picture(clips["test"], model, rule, APART[-1])).save(shown)


if __name__ == "__main__":
    main()
