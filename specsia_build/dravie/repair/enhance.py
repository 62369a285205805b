"""`specsia enhance`: repair every frame of a dataset or folder, and record the model and the input."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import Image

from specsia_build import __version__, png, terminal
from specsia_build.arrays import Pixels
from specsia_build.config import cores
from specsia_build.dataset.pairs import decode_pair, pair_columns
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dravie.data.frame_folder import frame_warning, list_frames, read_frame
from specsia_build.dravie.data.frames import Drawings
from specsia_build.dravie.drawing import NO_DRAWING, Drawing
from specsia_build.dravie.model.predictor import Predictor
from specsia_build.dravie.repair.apply import repair
from specsia_build.errors import SpecsiaError, UsageError, no_such, plural
from specsia_build.files.names import folded_name, relative_name
from specsia_build.files.records import read_json
from specsia_build.files.writing import write_bytes
from specsia_build.folders import refuse_foreign_folder
from specsia_build.pictures.files import write_film
from specsia_build.pictures.films import side_by_side
from specsia_build.pool import map_ahead
from specsia_build.warning import Warning

_RECORD, FILM = "enhance.json", "film"
FOLDER_FPS, DATASET_FPS = 24.0, 4.0
_MOST_THREADS = 4  # Frames that are repaired at the same time, at most: 200 MB each at 512 px


@dataclass(frozen=True)
class FrameToRepair:
    """A frame to repair.

    Attributes:
        name: path of its result below the output folder, without a suffix.
        load: returns Z, Zpos and, of a dataset, Y*, (H, W, 4) uint8 each.
        files: input files; a result older than them is out of date.
        film: path of its clip's film below the output folder; None if all frames are of one film.
        time: in the clip, in seconds.
    """

    name: str
    load: Callable[[], Sequence[Pixels]]
    files: tuple[Path, ...] = ()
    drawing: Callable[[], Drawing] = lambda: NO_DRAWING
    film: str | None = None
    time: float = 0.0


@dataclass(frozen=True)
class FrameSource:
    """Frames in order, which can be iterated more than once; `identity` differs between inputs."""

    identity: str
    count: int
    fps: float
    each: Callable[[], Iterator[FrameToRepair]]


@dataclass(frozen=True)
class Enhanced:
    """Numbers of results written now and kept, the film or the folder of films if any, and warnings."""

    repaired: int
    kept: int
    film: Path | None
    warnings: tuple[Warning, ...] = ()


def folder_frames(folder: Path, drawing: Drawing = NO_DRAWING) -> FrameSource:
    """List the frames of a folder of `color/`, `mask/` and `pos/`, see `list_frames`; all share a drawing."""
    listed = list_frames(folder)
    ink = drawing.ink
    parts = (drawing.places, drawing.colours, np.float32(ink.width), ink.beside, ink.colours)
    digest = hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()

    def each() -> Iterator[FrameToRepair]:
        for name, files in listed.items():
            yield FrameToRepair(name, partial(read_frame, files), tuple(files.values()), lambda: drawing)

    return FrameSource(f"{folder.resolve()} {digest}", len(listed), FOLDER_FPS, each)


def dataset_frames(dataset: OpenedDataset, split: str | None, with_drawing: bool = False) -> FrameSource:
    """List the rows of a dataset, of one split or of all, in all configurations; named `[config/]split/uid`.

    With `with_drawing` each has a drawing: Y* of its character's frontal view. Raises `UsageError` if there
    is no such split.
    """
    splits = {
        (config, name): rows for config in dataset.configs for name, rows in dataset.splits(config).items()
    }
    chosen = {key: rows for key, rows in splits.items() if split in (None, key[1])}
    if not chosen:
        raise UsageError(
            f"{dataset.where}: {no_such('split', str(split), sorted({name for _, name in splits}))}"
        )

    def layers(row: dict[str, object]) -> Sequence[Pixels]:
        pair = decode_pair(row)
        return pair.z, pair.pos, pair.gt

    def each() -> Iterator[FrameToRepair]:
        for config, name in chosen:
            above = f"{config}/{name}" if len(dataset.configs) > 1 else name
            drawings = Drawings(dataset, config, tuple(dataset.splits(config)) if with_drawing else ())
            for row in dataset.stream(config, name, pair_columns(dataset)):
                drawing = partial(drawings.of, row["character_id"])
                film, time = (f"{above}/{row['clip']}", row["time"]) if dataset.moving else (None, 0.0)
                yield FrameToRepair(f"{above}/{row['uid']}", partial(layers, row), (), drawing, film, time)

    return FrameSource(f"{dataset.digest()} {split or 'all'}", sum(chosen.values()), DATASET_FPS, each)


def _check_folder(out: Path, predictor: Predictor, identity: str) -> None:
    """Record the model and the input, or check that the folder's results come from the same."""
    digest = hashlib.sha256(repr(predictor.config).encode())
    for name, weight in sorted(predictor.weights.items()):
        digest.update(name.encode() + weight.tobytes())
    record = {"model": digest.hexdigest(), "input": identity, "specsia": __version__}
    refuse_foreign_folder(out, "results of `specsia enhance`", _RECORD)
    if not (out / _RECORD).is_file():
        write_bytes(out / _RECORD, json.dumps(record, indent=1).encode())
    elif read_json(out / _RECORD) != record:
        raise UsageError(f"{out} holds results of another model, input or version: name another --out")


def enhance(predictor: Predictor, frames: FrameSource, out: Path, film: bool = False) -> Enhanced:
    """Repair frames and write RGBA PNGs; results that are younger than their frames stay as they are.

    With `film`, also write Z beside the result as a film; for clips a film each, with Y*. Raises `UsageError`
    if the folder holds something else, `SpecsiaError` if a frame cannot be read or two have one name.
    """
    _check_folder(out, predictor, frames.identity)
    warned: dict[str, list[str]] = {}
    written = 0
    count = min(cores(), _MOST_THREADS)
    with terminal.bar("enhance", frames.count, "frame") as bar, ThreadPoolExecutor(count) as pool:

        def unfinished() -> Iterator[FrameToRepair]:
            names: set[str] = set()
            for frame in frames.each():
                target, name = _target(out, frame), folded_name(frame.name)
                if name in names:
                    raise SpecsiaError(
                        f"two frames would be written to {target}, or differ only in case: rename one"
                    )
                names.add(name)
                since = target.stat().st_mtime_ns if target.is_file() else 0
                if since and all(path.stat().st_mtime_ns < since for path in frame.files):
                    bar()
                else:
                    yield frame

        def repaired(frame: FrameToRepair) -> tuple[str, str | None]:
            z, pos, *_ = frame.load()
            write_bytes(_target(out, frame), png.encode(repair(predictor, z, pos, frame.drawing())))
            return frame.name, frame_warning(z, pos)

        for name, warning in map_ahead(pool, repaired, unfinished(), count):
            if warning is not None:
                warned.setdefault(warning, []).append(name)
            written += 1
            bar()
    warnings: tuple[Warning, ...] = ()
    for text, names in warned.items():
        sentence = f"{plural(len(names), 'frame')} such as '{names[0]}': {text}"
        warnings += (Warning("frame-unlikely", sentence, names[0]),)
    return Enhanced(written, frames.count - written, _write_films(frames, out) if film else None, warnings)


def _target(out: Path, frame: FrameToRepair) -> Path:
    return out / f"{relative_name(frame.name, 'frame')}.png"


def _write_films(frames: FrameSource, out: Path) -> Path:
    """Write one film, or a film for each clip; return the file or the folder."""
    first = next(frames.each(), None)
    if first is None or first.film is None:
        return _write_film(out / FILM, frames.each, frames.count, frames.fps, out)
    with terminal.bar("films", frames.count, "frame") as bar:
        for name, group in groupby(frames.each(), key=lambda frame: frame.film or ""):
            clip = list(group)
            passed = clip[-1].time - clip[0].time
            fps = (len(clip) - 1) / passed if passed > 0 else FOLDER_FPS
            _write_film(out / FILM / relative_name(name, "clip"), clip.__iter__, len(clip), fps, out)
            bar(len(clip))
    return out / FILM


def _write_film(
    stem: Path, each: Callable[[], Iterator[FrameToRepair]], count: int, fps: float, out: Path
) -> Path:
    """Write a film of frames beside their results and, of a clip, Y*."""
    sizes = []
    for frame in each():
        with Image.open(_target(out, frame)) as image:
            sizes.append(image.size)
    shape = max(height for _, height in sizes), max(width for width, _ in sizes)

    def composed() -> Iterator[Pixels]:
        for frame in each():
            z, _, *gt = frame.load()
            result = png.decode(_target(out, frame).read_bytes(), 4)
            yield side_by_side((z, result, *(gt if frame.film is not None else ())), shape)

    stem.parent.mkdir(parents=True, exist_ok=True)
    return write_film(stem, count, composed(), fps)
