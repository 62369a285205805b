"""The whole way from a drawing to its repaired frames, and the folder that holds them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from specsia_build import __version__, png
from specsia_build.characters.formats import FORMATS
from specsia_build.config import BuildConfig
from specsia_build.dataset.pairs import Pair
from specsia_build.dravie.adapt.command import Adapted, adapt_pair
from specsia_build.dravie.adapt.command import Frontal as Fitting
from specsia_build.dravie.config import ADAPTATION
from specsia_build.dravie.model.checkpoint import load_generator
from specsia_build.dravie.reference import Drawing, shown_places
from specsia_build.dravie.repair.apply import find_device, repair
from specsia_build.dravie.runs import NAME, find_run
from specsia_build.errors import UsageError, spelled
from specsia_build.files.writing import replacing_folder, require_writable, write_bytes
from specsia_build.films import has_ffmpeg, side_by_side
from specsia_build.picture_files import write_moving, write_still
from specsia_build.pipeline.progress import Progress
from specsia_build.repairing.drawing import Frontal, Pixels, frame_drawing, read_drawing, render_front
from specsia_build.repairing.frames import FPS, Frame, Moving, front_of, moving, turntable
from specsia_build.repairing.placing import Placed, place_file, read_one, reconstruct
from specsia_build.sheets import Sheet, spread

RECORD, MODEL, FILM, SHEET = "repair.json", "model", "film", "sheet.png"

LAYERS = ("color", "mask", "pos", "repaired")
"""Folders of pictures; the first three are what `specsia enhance` takes."""

_OURS = {*LAYERS, RECORD, MODEL, SHEET, f"{FILM}.webp", f"{FILM}.mp4"}

ANGLES = 5
"""Frames that the sheet shows."""


@dataclass(frozen=True)
class RepairSettings:
    """What decides a repair besides the drawing and its mesh.

    Attributes:
        backend: `NAME[:ARG]`, which reconstructs where no mesh is given.
        model: a run, or `pretrained`.
        views: frames, evenly spaced over one turn.
        size: pixels on a side of a frame.
        motion: name of a motion or a file of one, for a rigged character.
        adapt: whether the model is fitted to the drawing first.
        back: file of the character drawn from behind, which the backend (if it takes one) and the model see.
    """

    backend: str = field(default_factory=lambda: BuildConfig().backends[0])
    model: str = NAME
    views: int = 36
    size: int = 512
    motion: str | None = None
    adapt: bool = False
    back: Path | None = None


@dataclass(frozen=True)
class Repaired:
    """What was done.

    Attributes:
        out: the folder.
        name: of the character.
        frames: how many there are.
        note: how the reconstruction was found.
        films: their files.
        adapted: what fitting the model gave; None where it was not fitted.
        warnings: sentences.
    """

    out: Path
    name: str
    frames: int
    note: str
    films: tuple[Path, ...]
    adapted: Adapted | None
    warnings: tuple[str, ...]


def load_subject(subject: str | Path | Pixels | Frontal, settings: RepairSettings) -> Frontal:
    """The front of what is to be repaired: a drawing's file or pixels, a mesh file, or `sample:1`.

    Raises:
        UsageError: if there is no such file.
        SpecsiaError: if it cannot be read, or cut out.
    """
    if isinstance(subject, Frontal):
        return subject
    if isinstance(subject, np.ndarray):
        return frame_drawing(subject, settings.size)
    path = Path(subject)
    if path.suffix.lower() in FORMATS or path.is_dir() or str(subject).startswith("sample:"):
        return render_front(read_one(path), settings.size)
    if not path.is_file():
        raise UsageError(f"there is no file {path}: give a drawing, or a character ({', '.join(FORMATS)})")
    return read_drawing(path, settings.size)


def see_ours(out: Path) -> None:
    """See that a folder may be written: new, empty, or of an earlier repair.

    Raises:
        UsageError: if it holds something else.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{spelled(out)} is a file: name another --out")
    names = {path.name for path in out.iterdir()} if out.is_dir() else set()
    if names and (RECORD not in names or not names <= _OURS):
        other = min(names - _OURS, default=min(names))
        raise UsageError(f"{spelled(out)} holds {other}, which no `specsia repair` wrote: name another --out")
    require_writable(out)


def run_repair(
    subject: str | Path | Pixels | Frontal, mesh: Path | None, settings: RepairSettings, out: Path, device: str = "auto"
) -> Repaired:
    """Repair a drawing and write a folder of its frames, a film and a sheet; whole, or not at all.

    Args:
        subject: a drawing's file or pixels, a character, whose frontal render is the drawing, or one that is framed.
        mesh: its reconstruction by whatever tool; None has the backend make one.
        settings: of the repair.
        out: the folder, which must be new, empty, or of an earlier repair.
        device: that the model computes on.

    Raises:
        UsageError: if the folder holds something else, or the motion has no rig.
        SpecsiaError: if the drawing cannot be cut out, or the mesh does not fit it.
    """
    see_ours(out)
    run = find_run(settings.model)
    with Progress().bar("reconstruct" if mesh is None else "place", 1, "mesh") as bar:
        front = load_subject(subject, settings)
        back = None if settings.back is None else read_drawing(Path(settings.back), settings.size)
        if mesh is None:
            placed = reconstruct(front, settings.backend, settings.views, back)
        else:
            placed = place_file(read_one(mesh), front, settings.views)
        front = front.shrunk(placed.fit)
        moved = None if settings.motion is None else moving(placed, front, settings.motion)
        bar()
    with replacing_folder(out, lambda _: False) as made:
        pair = _pair(front, placed, settings.size)
        adapted = None
        if settings.adapt:
            adapted = adapt_pair(run, made / MODEL, ADAPTATION, device, Fitting(pair))
            run = made / MODEL
        drawing = Drawing.of_pair(pair)
        if back is not None:
            drawing = with_back(drawing, back.shrunk(placed.fit), placed)
        films = _write(made, front, _frames(placed, moved, settings), _painter(run, drawing, device), settings)
        record = {"specsia": __version__, "name": front.name, "frames": settings.views, "placed": placed.note}
        write_bytes(made / RECORD, json.dumps(record, indent=1, ensure_ascii=False).encode())
    warnings = (*placed.warnings, *(moved.warnings if moved else ()), *(adapted.warnings if adapted else ()))
    files = tuple(out / film.name for film in films)
    return Repaired(out, front.name, settings.views, placed.note, files, adapted, warnings)


def _pair(front: Frontal, placed: Placed, size: int) -> Pair:
    """The frontal pair of a drawing, in which that is Y*."""
    frame = front_of(placed, size)
    return Pair("front", front.name, 0, frame.z, frame.pos, front.image, front.mask, placed.iou)


def with_back(drawing: Drawing, back: Frontal, placed: Placed) -> Drawing:
    """Add the colours of a drawn back, at the positions that the reconstruction shows from behind."""
    _, behind = turntable(placed, 2, len(back.image))
    return replace(drawing, back=shown_places(behind.pos, back.image, back.mask))


def _painter(run: Path, drawing: Drawing, device: str) -> Callable[[Frame], Pixels]:
    """Return a function that repairs a frame by the model of a run, with a drawing."""
    config, model = load_generator(run)
    where = find_device(device)
    model = model.to(where)
    return lambda frame: repair(model, config, frame.z, frame.pos, where, drawing)


def _frames(placed: Placed, moved: Moving | None, settings: RepairSettings) -> Iterator[Frame]:
    if moved is None:
        return turntable(placed, settings.views, settings.size)
    return moved.frames(placed, settings.views, settings.size)


def _name(number: int) -> str:
    return f"{number:04d}.png"


def _write(
    made: Path, front: Frontal, frames: Iterator[Frame], paint: Callable[[Frame], Pixels], settings: RepairSettings
) -> tuple[Path, ...]:
    """Write all frames and their results, the sheet and the films; returns the films."""
    count = settings.views
    with Progress().bar("repair", count, "frame") as bar:
        for number, frame in enumerate(frames):
            pictures = (frame.z, frame.mask, frame.pos, paint(frame))
            for layer, picture in zip(LAYERS, pictures, strict=True):
                write_bytes(made / layer / _name(number), png.encode(picture))
            bar()

    def stored(layer: str, number: int) -> Pixels:
        return png.decode((made / layer / _name(number)).read_bytes(), 4)

    shown = spread(count, ANGLES)
    before, after = ([stored(layer, number) for number in shown] for layer in (LAYERS[0], LAYERS[-1]))
    turns = [f"{360 * number / count:.0f}°" for number in shown]
    sheet = Sheet(("",), ("Z", "repaired"), ("drawing", *turns))
    write_still(made / SHEET, sheet.draw([front.image, *before, np.zeros_like(front.image), *after]))
    films = tuple(made / f"{FILM}{end}" for end in (".webp", *([".mp4"] if has_ffmpeg() else [])))
    with Progress().bar("film", len(films), "film") as bar:
        for path in films:
            pairs = ((stored(LAYERS[0], number), stored(LAYERS[-1], number)) for number in range(count))
            composed = (side_by_side(pair, (settings.size, settings.size)) for pair in pairs)
            write_moving(path, count, composed, Fraction(FPS))
            bar()
    return films
