"""`specsia enhance`: every frame of a dataset or of a folder, repaired and written beside a record of what did it."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from tqdm import tqdm

from specsia_build import __version__, png
from specsia_build.dataset.pairs import PAIR_COLUMNS, decode_pair, subject_of
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dravie.apply import repair
from specsia_build.dravie.config import ModelConfig
from specsia_build.dravie.frame_folder import list_frames, read_frame
from specsia_build.dravie.recall import VERSION, Memory, recalled
from specsia_build.dravie.video import side_by_side, write_film
from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.files import folded_name, read_json, relative_name, write_bytes

RECORD = "enhance.json"
FILM = "film"

FOLDER_FPS, DATASET_FPS = 24.0, 4.0

THREADS, AHEAD = 2, 4
"""Threads that decode and encode beside the network, and frames that wait on either side of it."""

Layers = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Z and Zpos, (H, W, 4) uint8 each."""


@dataclass(frozen=True)
class Frame:
    """A frame to repair: its result's path below the output folder, without a suffix; when its files last changed, in
    seconds, 0 where that cannot be; what decodes it; and what its places are of in every view (see `pairs.subject_of`),
    None where the user alone knows."""

    name: str
    changed: float
    load: Callable[[], Layers]
    subject: str | None = None


@dataclass(frozen=True)
class Frames:
    """Frames in order, to be gone through more than once; `identity` tells one input from another."""

    identity: str
    count: int
    fps: float
    each: Callable[[], Iterator[Frame]]


@dataclass(frozen=True)
class Enhanced:
    """What was done: results made now, results found finished, and the film, if one was asked for."""

    made: int
    kept: int
    film: Path | None


def folder_frames(folder: Path, with_pos: bool) -> Frames:
    """The frames of a folder of `color/`, `mask/` and `pos/`.

    Raises:
        UsageError: if its pictures do not belong together.
    """
    listed = list_frames(folder, with_pos)

    def each() -> Iterator[Frame]:
        for files in listed:
            yield Frame(files.name, max(path.stat().st_mtime for path in files.paths), partial(read_frame, files))

    return Frames(str(folder.resolve()), len(listed), FOLDER_FPS, each)


def dataset_frames(dataset: OpenedDataset, split: str | None) -> Frames:
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
    columns, places = PAIR_COLUMNS(dataset.schema), dataset.keeps_places()

    def each() -> Iterator[Frame]:
        for config, name, _ in chosen:
            above = f"{config}/{name}" if len(dataset.configs) > 1 else name
            for row in dataset.stream(config, name, columns):
                subject = subject_of(row) if places else ""
                yield Frame(f"{above}/{row['uid']}", 0.0, partial(_layers, row), subject)

    return Frames(f"{dataset.digest()} {split or 'all'}", sum(rows for *_, rows in chosen), DATASET_FPS, each)


def _layers(row: dict[str, object]) -> Layers:
    pair = decode_pair(row)
    return pair.z, pair.pos


def weights_digest(model: nn.Module) -> str:
    """SHA-256 of a model's weights."""
    found = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        found.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


def _memory_digest(memory: Memory) -> str:
    """SHA-256 of what is remembered and of how it is used."""
    return hashlib.sha256(bytes([VERSION]) + memory.places.tobytes() + memory.colours.tobytes()).hexdigest()


def _claim(out: Path, model: nn.Module, memory: Memory | None, identity: str) -> None:
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
        raise UsageError(f"{out} is not empty and holds no results of `specsia enhance`: name another --out")
    else:
        write_bytes(path, json.dumps(record, indent=1).encode())


def _ahead(pool: ThreadPoolExecutor, frames: Iterable[Frame]) -> Iterator[tuple[Frame, Future[Layers]]]:
    waiting: deque[tuple[Frame, Future[Layers]]] = deque()
    for frame in frames:
        waiting.append((frame, pool.submit(frame.load)))
        if len(waiting) > AHEAD:
            yield waiting.popleft()
    yield from waiting


def enhance(
    model: nn.Module,
    config: ModelConfig,
    frames: Frames,
    out: Path,
    device: torch.device,
    film: bool = False,
    memory: Memory | None = None,
) -> Enhanced:
    """Repair frames; those that are finished and younger than their files stay as they are.

    Args:
        model: a generator in evaluation mode.
        config: of it.
        frames: to repair.
        out: folder of the results, RGBA PNG each.
        device: that computes; decoding and encoding go on beside it.
        film: also write them side by side with Z as a film.
        memory: of the character that the model is adapted to; in its frames colours at the same places are recalled.

    Raises:
        UsageError: if the folder holds something else.
        SpecsiaError: if a frame cannot be read, or cannot name a file of its own; those before it are written.
    """
    _claim(out, model, memory, frames.identity)
    model = model.to(device)
    made, writing = 0, deque[Future[None]]()
    with (
        tqdm(total=frames.count, desc="enhance", unit="frame", disable=None, leave=False) as bar,
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
                if target.is_file() and target.stat().st_mtime >= frame.changed:
                    bar.update()
                else:
                    yield frame

        try:
            for frame, layers in _ahead(pool, unfinished()):
                z, pos = layers.result()
                result = repair(model, config, z, pos, device)
                if memory is not None and frame.subject in (None, memory.subject):
                    result = recalled(result, z, pos, memory)
                writing.append(pool.submit(_write, _target(out, frame), result))
                if len(writing) > AHEAD:
                    writing.popleft().result()
                made += 1
                bar.update()
            while writing:
                writing.popleft().result()
        finally:
            wait(writing)
            pool.shutdown(cancel_futures=True)
    return Enhanced(made, frames.count - made, _film(frames, out) if film else None)


def _target(out: Path, frame: Frame) -> Path:
    return out / f"{relative_name(frame.name, 'frame')}.png"


def _write(path: Path, result: NDArray[np.uint8]) -> None:
    write_bytes(path, png.encode(result))


def _film(frames: Frames, out: Path) -> Path:
    sizes = []
    for frame in frames.each():
        with Image.open(_target(out, frame)) as image:
            sizes.append(image.size)
    shape = max(height for _, height in sizes), max(width for width, _ in sizes)

    def composed() -> Iterator[NDArray[np.uint8]]:
        for frame in tqdm(frames.each(), total=frames.count, desc="film", unit="frame", disable=None, leave=False):
            result = png.decode(_target(out, frame).read_bytes(), 4)
            yield side_by_side(frame.load()[0], result, shape)

    return write_film(out / FILM, frames.count, chain(composed()), frames.fps)
