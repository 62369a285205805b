"""`specsia enhance`: every frame of a dataset or of a folder, repaired and written beside a record of what did it."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from specsia_build import __version__, png
from specsia_build.dataset.pairs import PAIR_COLUMNS, character_of, decode_pair, subject_of
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dravie.config import ModelConfig
from specsia_build.dravie.data.ahead import made_ahead
from specsia_build.dravie.data.drawings import Drawings
from specsia_build.dravie.data.frame_folder import list_frames, missing_frames, read_frame
from specsia_build.dravie.recall import Memory, recalled
from specsia_build.dravie.reference import NO_DRAWING, Drawing
from specsia_build.dravie.repair.apply import repair
from specsia_build.dravie.repair.doubts import OTHERS, RUINED, doubts_of, is_foreign, is_ruined, told
from specsia_build.errors import SpecsiaError, UsageError, plural, spelled
from specsia_build.files.names import folded_name, relative_name
from specsia_build.files.records import read_json
from specsia_build.files.writing import write_bytes
from specsia_build.films import side_by_side
from specsia_build.picture_files import write_film
from specsia_build.pipeline.progress import Progress

RECORD, FILM = "enhance.json", "film"

FOLDER_FPS, DATASET_FPS = 24.0, 4.0

THREADS, AHEAD = 2, 4
"""Threads that decode and encode beside the network, and frames that wait on either side of it."""

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Frame:
    """A frame to repair.

    Attributes:
        name: its result's path below the output folder, without a suffix.
        files: whose change makes the result out of date.
        load: decodes Z and Zpos, (H, W, 4) uint8 each.
        drawing: makes the drawing of its character, for a model that sees it.
        subject: what its places are of (see `pairs.subject_of`); None where the user alone knows.
        clip: that it is of; None where all frames are of one film.
    """

    name: str
    files: tuple[Path, ...]
    load: Callable[[], tuple[Picture, Picture]]
    drawing: Callable[[], Drawing] = lambda: NO_DRAWING
    subject: str | None = None
    clip: _Clip | None = None


class _Clip(NamedTuple):
    """Where a frame of a clip belongs: its film's path below the output folder, its seconds, and what decodes Y*."""

    film: str
    time: float
    gt: Callable[[], Picture]


@dataclass(frozen=True)
class FrameSource:
    """Frames in order, to be gone through more than once; `identity` tells one input from another.

    `doubts` are warnings about a film of them.
    """

    identity: str
    count: int
    fps: float
    each: Callable[[], Iterator[Frame]]
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Enhanced:
    """What was done: results made now, results found finished, the film or the folder of clips' films, if asked for,
    and warnings about the frames that were made now."""

    made: int
    kept: int
    film: Path | None
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Repairer:
    """A model with what it knows of a character.

    Attributes:
        model: a generator in evaluation mode, on `device`.
        config: of it.
        device: that computes.
        memory: of the drawing that the user gave, or of the frontal pair that the model was adapted to.
    """

    model: nn.Module
    config: ModelConfig
    device: torch.device
    memory: Memory | None = None

    def identity(self) -> str:
        """SHA-256 of all that decides a result besides the frame."""
        found = hashlib.sha256(weights_digest(self.model).encode())
        found.update(repr(self.config).encode())
        if self.memory is not None:
            found.update(repr(self.memory.style).encode())
            found.update(self.memory.places.tobytes() + self.memory.colours.tobytes())
        return found.hexdigest()

    def __call__(self, frame: Frame, z: Picture, pos: Picture) -> tuple[Picture, list[str]]:
        """The repaired frame, and warnings about it."""
        mine = self.memory is not None and frame.subject in (None, self.memory.subject)
        drawing = NO_DRAWING
        if self.config.sees_drawing:
            drawing = self.memory.drawing if mine and self.memory else frame.drawing()
        result = repair(self.model, self.config, z, pos, self.device, drawing)
        doubts = list(doubts_of(z, pos, self.config.with_pos))
        doubts += [RUINED] if is_ruined(z, result) else []
        if mine and self.memory is not None and not self.config.sees_drawing:
            result = recalled(result, z, pos, self.memory)
            doubts += [OTHERS] if is_foreign(z, pos, self.memory) else []
        return result, doubts


def folder_frames(folder: Path, with_pos: bool) -> FrameSource:
    """The frames of a folder of `color/`, `mask/` and `pos/`.

    Raises:
        UsageError: if its pictures do not belong together.
    """
    listed = list_frames(folder, with_pos)

    def each() -> Iterator[Frame]:
        for files in listed:
            yield Frame(files.name, files.paths, partial(read_frame, files))

    missing, first = missing_frames([files.name for files in listed])
    jumps = f"{plural(missing, 'frame')} by their numbers, the first is '{first}': the film jumps there"
    return FrameSource(str(folder.resolve()), len(listed), FOLDER_FPS, each, (jumps,) if missing else ())


def dataset_frames(dataset: OpenedDataset, split: str | None, with_drawing: bool = False) -> FrameSource:
    """The rows of a dataset, of one split or of all, in all its configurations; named `[config/]split/uid`.

    Args:
        dataset: to read.
        split: one of its splits, None for all.
        with_drawing: whether the model sees drawings: Y* of the frontal view of each character.

    Raises:
        UsageError: if no configuration has such a split.
    """
    counts = {config: dataset.splits(config) for config in dataset.configs}
    chosen = [
        (config, name, rows)
        for config, found in counts.items()
        for name, rows in found.items()
        if split is None or name == split
    ]
    if not chosen:
        there = ", ".join(sorted({name for found in counts.values() for name in found}))
        raise UsageError(f"{dataset.where} has no split '{split}': it has {there}")
    columns, places = PAIR_COLUMNS(dataset.kind), dataset.keeps_places()

    def each() -> Iterator[Frame]:
        for config, name, _ in chosen:
            above = f"{config}/{name}" if len(dataset.configs) > 1 else name
            drawings = Drawings(dataset, config, tuple(counts[config])) if with_drawing else None
            for row in dataset.stream(config, name, columns):
                character_id = character_of(row, dataset.where)
                drawing = partial(drawings.of, character_id) if drawings is not None else lambda: NO_DRAWING
                clip = _Clip(f"{above}/{row['clip']}", row["time"], partial(_gt, row)) if dataset.moving else None
                subject = subject_of(row) if places else ""
                yield Frame(f"{above}/{row['uid']}", (), partial(_layers, row), drawing, subject, clip)

    return FrameSource(f"{dataset.digest()} {split or 'all'}", sum(rows for *_, rows in chosen), DATASET_FPS, each)


def _layers(row: dict[str, object]) -> tuple[Picture, Picture]:
    pair = decode_pair(row)
    return pair.z, pair.pos


def _gt(row: dict[str, object]) -> Picture:
    return decode_pair(row).gt


def weights_digest(model: nn.Module) -> str:
    """SHA-256 of a model's weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _check_folder(out: Path, repairer: Repairer, identity: str) -> None:
    """Record in the folder what its results come from, or see that they come from the same."""
    record = {"model": repairer.identity(), "input": identity, "specsia": __version__}
    path = out / RECORD
    if path.is_file():
        try:
            there = read_json(path)
        except SpecsiaError as error:
            raise SpecsiaError(f"{error}: name another --out") from error
        if there != record:
            there = there if isinstance(there, dict) else {}
            other = next((key for key in record | there if there.get(key) != record.get(key)), "settings")
            raise UsageError(f"{out} holds results of another {other}: name another --out")
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{spelled(out)} is not empty and holds no results of `specsia enhance`: name another --out")
    else:
        write_bytes(path, json.dumps(record, indent=1).encode())


def _is_current(target: Path, frame: Frame) -> bool:
    """Whether a result is there and younger than the files that it is made of."""
    if not target.is_file():
        return False
    made = target.stat().st_mtime_ns
    return all(path.stat().st_mtime_ns < made for path in frame.files)


def enhance(repairer: Repairer, frames: FrameSource, out: Path, film: bool = False) -> Enhanced:
    """Repair frames; results that are younger than their frames stay as they are.

    Args:
        repairer: the model, with what it knows.
        frames: to repair.
        out: folder of the results, RGBA PNG each.
        film: also write them side by side with Z as a film; of a dataset of clips a film of each, Z beside the result
            beside Y*.

    Raises:
        UsageError: if the folder holds something else.
        SpecsiaError: if a frame cannot be read, or cannot name a file of its own; those before it are written.
    """
    _check_folder(out, repairer, frames.identity)
    warnings: dict[str, list[str]] = {}
    made, writing = 0, deque[Future[None]]()

    def load(frame: Frame) -> tuple[Frame, tuple[Picture, Picture]]:
        return frame, frame.load()

    with (
        Progress().bar("enhance", frames.count, "frame") as bar,
        ThreadPoolExecutor(THREADS) as pool,
    ):

        def unfinished() -> Iterator[Frame]:
            names: set[str] = set()
            for frame in frames.each():
                target = _target(out, frame)
                if folded_name(frame.name) in names:
                    raise SpecsiaError(
                        f"two frames would be written to {target} (or differ only in case): rename one of them"
                    )
                names.add(folded_name(frame.name))
                if _is_current(target, frame):
                    bar()
                else:
                    yield frame

        try:
            for frame, (z, pos) in made_ahead(pool, load, unfinished(), AHEAD):
                result, doubts = repairer(frame, z, pos)
                for doubt in doubts:
                    warnings.setdefault(doubt, []).append(frame.name)
                writing.append(pool.submit(_write, _target(out, frame), result))
                if len(writing) > AHEAD:
                    writing.popleft().result()
                made += 1
                bar()
            while writing:
                writing.popleft().result()
        finally:
            wait(writing)
            pool.shutdown(cancel_futures=True)
    return Enhanced(made, frames.count - made, _film(frames, out) if film else None, told(warnings))


def _target(out: Path, frame: Frame) -> Path:
    return out / f"{relative_name(frame.name, 'frame')}.png"


def _write(path: Path, result: Picture) -> None:
    write_bytes(path, png.encode(result))


def _film(frames: FrameSource, out: Path) -> Path:
    """Write the film of all frames, or a film for each clip; returns the file, or the folder of the clips' films."""
    first = next(frames.each(), None)
    if first is None or first.clip is None:
        return _written(out / FILM, frames.each, frames.count, frames.fps, out)
    clips = groupby(frames.each(), key=lambda frame: frame.clip.film if frame.clip else "")
    with Progress().bar("films", frames.count, "frame") as bar:
        for name, group in clips:
            clip = list(group)
            _written(out / FILM / relative_name(name, "clip"), clip.__iter__, len(clip), _fps(clip), out)
            bar(len(clip))
    return out / FILM


def _fps(clip: Sequence[Frame]) -> float:
    """Frames a second of a clip, by the times of its frames."""
    times = [frame.clip.time for frame in clip if frame.clip is not None]
    passed = times[-1] - times[0]
    return (len(times) - 1) / passed if passed > 0 else FOLDER_FPS


def _written(stem: Path, each: Callable[[], Iterator[Frame]], count: int, fps: float, out: Path) -> Path:
    """Write frames beside their results, and beside Y* those of a clip."""
    sizes = []
    for frame in each():
        with Image.open(_target(out, frame)) as image:
            sizes.append(image.size)
    shape = max(height for _, height in sizes), max(width for width, _ in sizes)

    def composed() -> Iterator[Picture]:
        for frame in each():
            result = png.decode(_target(out, frame).read_bytes(), 4)
            gt = () if frame.clip is None else (frame.clip.gt(),)
            yield side_by_side((frame.load()[0], result, *gt), shape)

    stem.parent.mkdir(parents=True, exist_ok=True)
    return write_film(stem, count, composed(), fps)
