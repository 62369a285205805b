"""Repair a drawing from start to end, and write the folder with its frames."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np

from specsia_build import __version__, png, terminal
from specsia_build.characters.formats import FORMATS
from specsia_build.config import BuildConfig
from specsia_build.dataset.pairs import Pair
from specsia_build.dravie.adapt.adapt import FrontalPair, adapt_run
from specsia_build.dravie.config import ADAPTATION
from specsia_build.dravie.drawing import Drawing, visible_places
from specsia_build.dravie.model.checkpoint import load_generator
from specsia_build.dravie.repair.apply import find_device, repair
from specsia_build.dravie.runs import NAME, find_run
from specsia_build.errors import UsageError, spelled
from specsia_build.files.writing import replacing_folder, require_writable, write_bytes
from specsia_build.folders import is_vacant
from specsia_build.pictures.files import write_moving, write_still
from specsia_build.pictures.films import Pixels, has_ffmpeg, side_by_side
from specsia_build.pictures.sheets import Sheet, spread
from specsia_build.repairing.drawing import Frontal, Reading, read_drawing, render_front
from specsia_build.repairing.reconstruction import FPS, Frame, moving, place_file, read_single, reconstruct, turntable

RECORD, MODEL, FILM, SHEET = "repair.json", "model", "film", "sheet.png"
LAYERS = ("color", "mask", "pos", "repaired")  # Folders of pictures; `specsia enhance` reads the first three
_OURS = {*LAYERS, RECORD, MODEL, SHEET, f"{FILM}.webp", f"{FILM}.mp4"}
ANGLES = 5  # Frames that the sheet shows


@dataclass(frozen=True)
class RepairSettings:
    """Settings of a repair.

    Attributes:
        backend: `NAME[:ARG]` of the backend to use if no mesh is given.
        model: a run, or `pretrained`.
        views, size: frames of one turn, and pixels on a side of each.
        motion: name of a motion or a file of one, for a rigged character.
        adapt: whether the model is fitted to the drawing first.
        back: file of the character drawn from behind, for the model and for backends that take one.
    """

    backend: str = field(default_factory=lambda: BuildConfig().backends[0])
    model: str | Path = NAME
    views: int = 36
    size: int = 512
    motion: str | Path | None = None
    adapt: bool = False
    back: str | Path | None = None


@dataclass(frozen=True)
class Repaired:
    """The result of a repair; `note` says how the reconstruction was placed, `adapted` whether the model was fitted."""

    name: str
    frames: int
    note: str
    films: tuple[Path, ...]
    adapted: bool
    warnings: tuple[str, ...]


def load_subject(subject: str | Path, size: int) -> Frontal:
    """Load the front of a character: from a drawing's file, a mesh file, or `sample:1`.

    Raises `UsageError` if there is no such file, `SpecsiaError` if it cannot be read or cut out.
    """
    path = Path(subject)
    if path.suffix.lower() in FORMATS or path.is_dir() or str(subject).startswith("sample:"):
        return render_front(read_single(path), size)
    if not path.is_file():
        raise UsageError(f"there is no file {path}: give a drawing, or a character ({', '.join(FORMATS)})")
    return read_drawing(path, Reading(size))


def require_own_folder(out: Path) -> None:
    """Raise `UsageError` unless a folder is new, empty, or of an earlier repair."""
    names = set() if is_vacant(out) else {path.name for path in out.iterdir()}
    if names and (RECORD not in names or not names <= _OURS):
        other = min(names - _OURS, default=min(names))
        raise UsageError(f"{spelled(out)} holds {other}, which no `specsia repair` wrote: name another --out")
    require_writable(out)


def run_repair(
    subject: str | Path | Frontal, mesh: Path | None, settings: RepairSettings, out: Path, device: str = "auto"
) -> Repaired:
    """Repair a drawing, and write a folder of its frames, a film and a sheet atomically.

    The subject is a drawing's file, a character, whose frontal render is the drawing, or a framed front. `mesh` is its
    reconstruction by any tool, None for one by the backend. Raises `UsageError` if the folder holds something else, or
    the motion has no rig, and `SpecsiaError` if the drawing cannot be cut out, or the mesh does not fit it.
    """
    require_own_folder(out)
    run, size = find_run(settings.model), settings.size
    with terminal.bar("reconstruct" if mesh is None else "place", 1, "mesh") as bar:
        front = subject if isinstance(subject, Frontal) else load_subject(subject, size)
        back = None if settings.back is None else read_drawing(Path(settings.back), Reading(size))
        if mesh is None:
            placed = reconstruct(front, settings.backend, settings.views, back)
        else:
            placed = place_file(read_single(mesh), front, settings.views)
        front = front.shrunk(placed.fit)
        motion = None if settings.motion is None else moving(placed, front, str(settings.motion))
        bar()
    with replacing_folder(out, lambda _: False) as folder:
        # The drawing is Y* of the frontal pair.
        pair = Pair("front", front.name, 0, *next(turntable(placed, 1, size)), front.image, front.mask, placed.iou)
        adapted = adapt_run(run, folder / MODEL, ADAPTATION, device, FrontalPair(pair)) if settings.adapt else None
        drawing = Drawing.of(pair)
        if back is not None:
            # The colours of the drawn back are at the positions that the reconstruction shows from behind.
            _, (_, pos) = turntable(placed, 2, size)
            behind = back.shrunk(placed.fit)
            drawing = replace(drawing, back=visible_places(pos, behind.image, behind.mask))
        generator = load_generator(run if adapted is None else folder / MODEL, find_device(device))
        frames = (turntable if motion is None else motion.frames)(placed, settings.views, size)
        films = _write(folder, front, frames, partial(repair, generator, drawing=drawing), settings)
        record = {"specsia": __version__, "name": front.name, "frames": settings.views, "placed": placed.note}
        write_bytes(folder / RECORD, json.dumps(record, indent=1, ensure_ascii=False).encode())
    warnings = (*placed.warnings, *(motion.warnings if motion else ()), *(adapted.warnings if adapted else ()))
    files = tuple(out / film for film in films)
    return Repaired(front.name, settings.views, placed.note, files, adapted is not None, warnings)


def _write(
    folder: Path,
    front: Frontal,
    frames: Iterator[Frame],
    paint: Callable[[Pixels, Pixels], Pixels],
    settings: RepairSettings,
) -> list[str]:
    """Write all frames and their results, the sheet and the films; returns the names of the films."""
    count = settings.views
    with terminal.bar("repair", count, "frame") as bar:
        for number, (z, pos) in enumerate(frames):
            pictures = (z, z[..., 3], pos, paint(z, pos))
            for layer, picture in zip(LAYERS, pictures, strict=True):
                write_bytes(folder / layer / f"{number:04d}.png", png.encode(picture))
            bar()

    def stored(number: int) -> tuple[Pixels, Pixels]:
        """Z and the result of a frame."""
        z, result = (folder / layer / f"{number:04d}.png" for layer in (LAYERS[0], LAYERS[-1]))
        return png.decode(z.read_bytes(), 4), png.decode(result.read_bytes(), 4)

    numbers = spread(count, ANGLES)
    before, after = zip(*map(stored, numbers), strict=True)
    sheet = Sheet(("",), ("Z", "repaired"), ("drawing", *(f"{360 * number / count:.0f}°" for number in numbers)))
    write_still(folder / SHEET, sheet.draw([front.image, *before, np.zeros_like(front.image), *after]))
    films = [f"{FILM}{end}" for end in (".webp", *([".mp4"] if has_ffmpeg() else []))]
    with terminal.bar("film", len(films), "film") as bar:
        for name in films:
            composed = (side_by_side(stored(number), (settings.size, settings.size)) for number in range(count))
            write_moving(folder / name, count, composed, Fraction(FPS))
            bar()
    return films
