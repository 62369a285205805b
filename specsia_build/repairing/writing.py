"""`specsia repair`: the folder of a repaired drawing, with its frames, films, sheet and record."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from specsia_build import __version__, png, terminal
from specsia_build.errors import UsageError, spelled
from specsia_build.files.writing import replacing_folder, require_writable, write_bytes
from specsia_build.folders import is_vacant
from specsia_build.frame import view_yaws
from specsia_build.look.repair import COMPARE, DRAWING, FILMS, LAYERS, MODEL, RECORD, SHEET, picture
from specsia_build.pictures.films import Pixels
from specsia_build.pictures.sheets import spread
from specsia_build.repairing.drawing import Frontal
from specsia_build.repairing.films import enlarged, write_comparison, write_sheet, write_turn
from specsia_build.repairing.reconstruction import turntable
from specsia_build.repairing.repair import Repair, prepare
from specsia_build.repairing.settings import RepairSettings
from specsia_build.stages.stage import file_digest

EARLIER = ("film.webp", "film.mp4")  # Files of earlier versions, which may be replaced

_OURS = {*LAYERS, *FILMS, *EARLIER, COMPARE, DRAWING, MODEL, RECORD, SHEET}

ANGLES, SHEET_TILE = 8, 256  # Views that the sheet shows, 45° apart, and pixels on a side of each


@dataclass(frozen=True)
class WrittenRepair:
    """The folder of a repair that was written.

    Attributes:
        frames: number of frames.
        note: how the reconstruction was placed.
        films: files of the repaired figure alone.
        model: folder of the fitted model; None without one, or where fitting did not help.
        back_guessed: whether `--back` would show what was guessed.
    """

    name: str
    folder: Path
    frames: int
    note: str
    model: Path | None
    warnings: tuple[str, ...]
    back_guessed: bool

    @property
    def films(self) -> tuple[Path, ...]:
        """Files of the films of the repaired figure."""
        return tuple(self.folder / name for name in FILMS)


def require_own_folder(out: Path) -> None:
    """Raise `UsageError` unless a folder is new, empty, or of an earlier repair."""
    names = set() if is_vacant(out) else {path.name for path in out.iterdir()}
    if names and (RECORD not in names or not names <= _OURS):
        other = min(names - _OURS, default=min(names))
        raise UsageError(f"{spelled(out)} holds {other}, which no `specsia repair` wrote: name another --out")
    require_writable(out)


def run_repair(
    subject: str | Path | Frontal, settings: RepairSettings, out: Path, device: str = "auto"
) -> WrittenRepair:
    """Repair a drawing, and write a folder of its frames, films, a sheet and a record atomically.

    See `prepare` for the subject and errors. Raises `UsageError` if the folder holds something else.
    """
    require_own_folder(out)
    inputs = inputs_of(subject, settings)
    with TemporaryDirectory(prefix="specsia-") as scratch:
        # A drawing that is refused leaves nothing behind, not even the folders above --out.
        repair = prepare(subject, settings, Path(scratch) / MODEL, device)
        with replacing_folder(out, lambda _: False) as folder:
            if repair.model is not None:
                shutil.copytree(repair.model, folder / MODEL)
            _write(folder, repair)
            record = {**_record(repair), "inputs": inputs}
            write_bytes(folder / RECORD, json.dumps(record, indent=1, ensure_ascii=False).encode())
    model = None if repair.model is None else out / MODEL
    note, warnings = repair.placed.note, repair.warnings
    return WrittenRepair(repair.front.name, out, settings.views, note, model, warnings, repair.back_guessed)


def inputs_of(subject: str | Path | Frontal, settings: RepairSettings) -> dict[str, str]:
    """SHA-256 of the files that a repair reads, by option."""
    drawing = None if isinstance(subject, Frontal) else file_digest(Path(subject))
    return {**settings.digests(), **({} if drawing is None else {"drawing": drawing})}


def _record(repair: Repair) -> dict[str, Any]:
    front, adapted = repair.front, repair.adapted
    return {
        "specsia": __version__,
        "name": front.name,
        "frames": repair.settings.views,
        "placed": repair.placed.note,
        "facing": front.facing,
        "contour": None if front.contour is None else dict(front.contour),
        "warnings": list(repair.warnings),
        "back_guessed": repair.back_guessed,
        "adapted": None if adapted is None else {"l1_before": adapted.l1_before, "l1": adapted.l1},
        "settings": repair.settings.record(),
    }


def _write(folder: Path, repair: Repair) -> None:
    """Write all frames, then the sheet and the films of them."""
    settings, drawing = repair.settings, repair.front.image
    count, fps, pixel = settings.views, settings.fps, settings.reading.pixel
    write_bytes(folder / DRAWING, png.encode(drawing))
    with terminal.bar("repair", count, "frame") as bar:
        for number, shot in enumerate(repair.shots()):
            pictures = (shot.z, shot.z[..., 3], shot.pos, shot.repaired)
            for layer, pixels in zip(LAYERS, pictures, strict=True):
                write_bytes(picture(folder, layer, number), png.encode(pixels))
            bar()

    def stored(number: int) -> tuple[Pixels, Pixels]:
        """Z and the result of a frame."""
        before, after = (picture(folder, layer, number).read_bytes() for layer in (LAYERS[0], LAYERS[-1]))
        return png.decode(before, 4), png.decode(after, 4)

    def filmed() -> Iterator[tuple[Pixels, Pixels]]:
        """Z and the result of each frame, in the size of the films."""
        for number in range(count):
            before, after = stored(number)
            yield (enlarged(before), enlarged(after)) if pixel else (before, after)

    with terminal.bar("film", 2 + len(FILMS), "file") as bar:
        yaws, pairs = _around(repair, stored)
        # Pixel art is not scaled down, which would blur it.
        tile = len(enlarged(drawing, SHEET_TILE)) if pixel else SHEET_TILE
        write_sheet(folder / SHEET, drawing, yaws, pairs, tile)
        bar()
        for name in FILMS:
            write_turn(folder / name, count, (after for _, after in filmed()), fps, settings.ground)
            bar()
        write_comparison(folder / COMPARE, enlarged(drawing) if pixel else drawing, count, filmed(), fps)
        bar()


def _around(
    repair: Repair, stored: Callable[[int], tuple[Pixels, Pixels]]
) -> tuple[Sequence[float], list[tuple[Pixels, Pixels]]]:
    """Yaws of the sheet, and Z and the result from there: stored frames, or new ones where none has such a yaw.

    A figure that plays a motion is shown in frames of its film.
    """
    count = repair.settings.views
    if repair.motion is not None:
        numbers = spread(count, ANGLES)
        return [360 * number / count for number in numbers], list(map(stored, numbers))
    yaws, pairs = view_yaws(ANGLES), []
    for turn, (z, pos) in enumerate(turntable(repair.placed, ANGLES, len(repair.front.image))):
        number, beside = divmod(turn * count, ANGLES)
        pairs.append(stored(number) if beside == 0 else (z, repair.paint(z, pos, yaws[turn])))
    return yaws, pairs
