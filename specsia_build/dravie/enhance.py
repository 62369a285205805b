"""`specsia enhance`: every frame of a dataset or of a folder, repaired and written beside a record of what did it."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from specsia_build import __version__, png
from specsia_build.dataset.pairs import PAIR_COLUMNS, decode_pair, subject_of
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dravie.ahead import made_ahead
from specsia_build.dravie.apply import repair
from specsia_build.dravie.code import PAINTING, code_digest
from specsia_build.dravie.config import ModelConfig
from specsia_build.dravie.data.frame_folder import COLOR, MASK, POS, FrameFiles, list_frames, missing_frames, read_frame
from specsia_build.dravie.doubts import OTHERS, RUINED, doubts_of, is_foreign, is_ruined, told
from specsia_build.dravie.recall import VERSION, Memory, recalled
from specsia_build.errors import SpecsiaError, UsageError, plural, spelled
from specsia_build.files.names import folded_name, relative_name
from specsia_build.files.records import parse_json, read_json
from specsia_build.files.writing import append, write_bytes
from specsia_build.films import side_by_side
from specsia_build.picture_files import write_film
from specsia_build.pipeline.progress import Progress

RECORD, ORIGINS = "enhance.json", "origins.jsonl"
FILM = "film"

FOLDER_FPS, DATASET_FPS = 24.0, 4.0

THREADS, AHEAD = 2, 4
"""Threads that decode and encode beside the network, and frames that wait on either side of it."""

CODE = (*PAINTING, "dravie/enhance.py", "dravie/data/frame_folder.py")
"""What decides a result besides the model and the pictures."""

Layers = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Z and Zpos, (H, W, 4) uint8 each."""


@dataclass(frozen=True)
class Frame:
    """A frame to repair: its result's path below the output folder, without a suffix; what tells the digest of its
    pictures, where that does not follow from the input's identity; what decodes it; what its places are of in every
    view (see `pairs.subject_of`), None where the user alone knows; and the clip that it is of, None where all frames
    are of one film."""

    name: str
    digest: Callable[[], str]
    load: Callable[[], Layers]
    subject: str | None = None
    clip: _Clip | None = None


@dataclass(frozen=True)
class _Clip:
    """Where a frame of a clip belongs: its film's path below the output folder, its seconds, and what decodes Y*."""

    film: str
    time: float
    truth: Callable[[], NDArray[np.uint8]]


@dataclass(frozen=True)
class FrameSource:
    """Frames in order, to be gone through more than once; `identity` tells one input from another.

    `doubts` are sentences about what may be wrong with a film of them.
    """

    identity: str
    count: int
    fps: float
    each: Callable[[], Iterator[Frame]]
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Enhanced:
    """What was done: results made now, results found finished, the film or the folder of clips' films, if asked for,
    and what is doubtful about the frames that were made now."""

    made: int
    kept: int
    film: Path | None
    doubts: tuple[str, ...] = ()


def folder_frames(folder: Path, with_pos: bool) -> FrameSource:
    """The frames of a folder of `color/`, `mask/` and `pos/`.

    Raises:
        UsageError: if its pictures do not belong together.
    """
    listed = list_frames(folder, with_pos)

    def each() -> Iterator[Frame]:
        for files in listed:
            yield Frame(files.name, partial(_files_digest, files), partial(read_frame, files))

    missing, first = missing_frames([files.name for files in listed])
    jumps = f"{plural(missing, 'frame')} by their numbers, the first is '{first}': the film jumps there"
    return FrameSource(str(folder.resolve()), len(listed), FOLDER_FPS, each, (jumps,) if missing else ())


def dataset_frames(dataset: OpenedDataset, split: str | None) -> FrameSource:
    """The rows of a dataset, of one split or of all, in all its configurations; named `[config/]split/uid`.

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
            for row in dataset.stream(config, name, columns):
                subject = subject_of(row) if places else ""
                clip = None
                if dataset.moving:
                    clip = _Clip(f"{above}/{row['clip']}", row["time"], partial(_truth, row))
                yield Frame(f"{above}/{row['uid']}", lambda: "", partial(_layers, row), subject, clip)

    return FrameSource(f"{dataset.digest()} {split or 'all'}", sum(rows for *_, rows in chosen), DATASET_FPS, each)


def _files_digest(files: FrameFiles) -> str:
    """SHA-256 over the pictures of a frame and what each of them is."""
    found = hashlib.sha256()
    for kind, path in ((COLOR, files.color), (MASK, files.mask), (POS, files.pos)):
        if path is not None:
            found.update(kind.encode() + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def _layers(row: dict[str, object]) -> Layers:
    pair = decode_pair(row)
    return pair.z, pair.pos


def _truth(row: dict[str, object]) -> NDArray[np.uint8]:
    return decode_pair(row).gt


def weights_digest(model: nn.Module) -> str:
    """SHA-256 of a model's weights."""
    found = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        found.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


def _memory_digest(memory: Memory) -> str:
    """SHA-256 of what is remembered and of how it is used."""
    return hashlib.sha256(bytes([VERSION]) + memory.places.tobytes() + memory.colours.tobytes()).hexdigest()


def _record_origin(out: Path, model: nn.Module, memory: Memory | None, identity: str) -> None:
    """Record in the folder what its results come from, or see that they come from the same."""
    record = {"model": weights_digest(model), "input": identity, "specsia": __version__}
    if memory is not None:
        record["memory"] = _memory_digest(memory)
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


class _Origins:
    """What each finished result was made of, by its frame's name: a file of one line for each time one was made."""

    def __init__(self, path: Path) -> None:
        self._path, self._code, self._known = path, code_digest(CODE), dict[str, str | None]()
        try:
            lines = path.read_bytes().splitlines()
        except FileNotFoundError:
            lines = []
        for line in lines:
            # A line that a kill cut short only has its frame made again.
            with suppress(SpecsiaError, KeyError, TypeError):
                found = parse_json(line, path.name)
                self._known[str(found["frame"])] = found["of"]

    def of(self, frame: Frame) -> str:
        """Digest of what a result of the frame is made of now; the folder's record names the model."""
        return hashlib.sha256(f"{self._code} {frame.digest()}".encode()).hexdigest()

    def finished(self, frame: Frame) -> bool:
        """Whether what is noted of a frame's result is what it would be made of now."""
        known = self._known.get(frame.name)
        return known is not None and known == self.of(frame)

    def note(self, frame: Frame, of: str | None) -> None:
        """Note what a result was made of that is written; None before one that is known takes the place of another."""
        if of is not None or self._known.get(frame.name) is not None:
            self._known[frame.name] = of
            append(self._path, json.dumps({"frame": frame.name, "of": of}) + "\n")


def enhance(
    model: nn.Module,
    config: ModelConfig,
    frames: FrameSource,
    out: Path,
    device: torch.device,
    film: bool = False,
    memory: Memory | None = None,
) -> Enhanced:
    """Repair frames; those whose results were made of the same pictures by the same code stay as they are.

    Args:
        model: a generator in evaluation mode.
        config: of it.
        frames: to repair.
        out: folder of the results, RGBA PNG each.
        device: that computes; decoding and encoding go on beside it.
        film: also write them side by side with Z as a film; of a dataset of clips a film of each, Z beside the result
            beside Y*.
        memory: of the character that the model is adapted to; in its frames colours at the same places are recalled.

    Raises:
        UsageError: if the folder holds something else.
        SpecsiaError: if a frame cannot be read, or cannot name a file of its own; those before it are written.
    """
    _record_origin(out, model, memory, frames.identity)
    model = model.to(device)
    origins = _Origins(out / ORIGINS)
    found: dict[str, list[str]] = {}
    made, writing = 0, deque[tuple[Frame, str, Future[None]]]()

    def load(frame: Frame) -> tuple[Frame, str, Layers]:
        # In this order, so that a picture that changes in between is found to be another the next time.
        return frame, origins.of(frame), frame.load()

    def finish() -> None:
        frame, of, written = writing.popleft()
        written.result()
        origins.note(frame, of)

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
                if target.is_file() and origins.finished(frame):
                    bar()
                else:
                    origins.note(frame, None)
                    yield frame

        try:
            for frame, of, (z, pos) in made_ahead(pool, load, unfinished(), AHEAD):
                result = repair(model, config, z, pos, device)
                doubts = list(doubts_of(z, pos, config.with_pos))
                doubts += [RUINED] if is_ruined(z, result) else []
                if memory is not None and frame.subject in (None, memory.subject):
                    result = recalled(result, z, pos, memory)
                    doubts += [OTHERS] if is_foreign(z, pos, memory) else []
                for doubt in doubts:
                    found.setdefault(doubt, []).append(frame.name)
                writing.append((frame, of, pool.submit(_write, _target(out, frame), result)))
                if len(writing) > AHEAD:
                    finish()
                made += 1
                bar()
            while writing:
                finish()
        finally:
            wait([written for *_, written in writing])
            pool.shutdown(cancel_futures=True)
    return Enhanced(made, frames.count - made, _film(frames, out) if film else None, told(found))


def _target(out: Path, frame: Frame) -> Path:
    return out / f"{relative_name(frame.name, 'frame')}.png"


def _write(path: Path, result: NDArray[np.uint8]) -> None:
    write_bytes(path, png.encode(result))


def _film(frames: FrameSource, out: Path) -> Path:
    """Write the film of all frames, or a film for each clip; returns the file, or the folder of the clips' films."""
    first = next(frames.each(), None)
    if first is None or first.clip is None:
        return _written(out / FILM, frames.each, frames.count, frames.fps, out)
    clips = groupby(frames.each(), key=lambda frame: frame.clip.film if frame.clip else "")
    with Progress().bar("films", frames.count, "frame") as bar:
        for name, found in clips:
            clip = list(found)
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

    def composed() -> Iterator[NDArray[np.uint8]]:
        for frame in each():
            result = png.decode(_target(out, frame).read_bytes(), 4)
            truth = () if frame.clip is None else (frame.clip.truth(),)
            yield side_by_side((frame.load()[0], result, *truth), shape)

    stem.parent.mkdir(parents=True, exist_ok=True)
    return write_film(stem, count, composed(), fps)
