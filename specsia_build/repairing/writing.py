"""`specsia repair`: the folder of a repaired drawing, with its frames, films, sheet and record."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from specsia_build import __version__, png, terminal
from specsia_build.arrays import Pixels
from specsia_build.config import cores
from specsia_build.dataset.schema import COLOR
from specsia_build.errors import UsageError, spelled
from specsia_build.files.digests import file_digest
from specsia_build.files.writing import replacing_folder, require_writable, write_bytes
from specsia_build.folders import is_vacant
from specsia_build.frame import view_yaws
from specsia_build.look.repair import (
    AVATAR_FILE,
    CHARACTER_FILE,
    COMPARE,
    FITTED_MODEL,
    FRAMED_DRAWING,
    JOINTS_FILE,
    REPAIR_FILMS,
    REPAIR_LAYERS,
    REPAIR_RECORD,
    REPAIR_SHEET,
    REPAIRED,
    picture,
)
from specsia_build.pictures.sheets import spread
from specsia_build.repairing.ahead import compiling_ahead
from specsia_build.repairing.character import CharacterFile
from specsia_build.repairing.drawing import Frontal
from specsia_build.repairing.films import enlarged, write_comparison, write_sheet, write_turn
from specsia_build.repairing.moving import joints_of_drawing
from specsia_build.repairing.reconstruction import turntable
from specsia_build.repairing.repair import Repair, prepare
from specsia_build.repairing.settings import RepairSettings
from specsia_build.rigging.picture import draw_joints
from specsia_build.warning import Warning, as_json

EARLIER = ("film.webp", "film.mp4")  # Files of earlier versions, which may be replaced

_OURS = {
    *REPAIR_LAYERS,
    *REPAIR_FILMS,
    *EARLIER,
    COMPARE,
    AVATAR_FILE,
    CHARACTER_FILE,
    FRAMED_DRAWING,
    FITTED_MODEL,
    JOINTS_FILE,
    REPAIR_RECORD,
    REPAIR_SHEET,
}

ANGLES, _TILE = 8, 256  # Views that the sheet shows, 45° apart, and pixels on a side of each


@dataclass(frozen=True)
class WrittenRepair:
    """The folder of a repair that was written.

    Attributes:
        frames: number of frames.
        note: how the reconstruction was placed.
        model: folder of the fitted model; None without one, or where fitting did not help.
        back_guessed: whether `--back` would show what was guessed.
        roles: what the figures of a model sheet show, from left to right.
    """

    name: str
    folder: Path
    frames: int
    note: str
    model: Path | None
    warnings: tuple[Warning, ...]
    back_guessed: bool
    roles: tuple[str, ...] = ()

    @property
    def films(self) -> tuple[Path, ...]:
        """Files of the films of the repaired figure."""
        return tuple(self.folder / name for name in REPAIR_FILMS)


def require_own_folder(out: Path) -> None:
    """Raise `UsageError` unless a folder is new, empty, or of an earlier repair."""
    names = set() if is_vacant(out) else {path.name for path in out.iterdir()}
    if names and (REPAIR_RECORD not in names or not names <= _OURS):
        other = min(names - _OURS, default=min(names))
        raise UsageError(
            f"{spelled(out)} holds {other}, which `specsia repair` did not write: give another --out"
        )
    require_writable(out)


def run_repair(
    subject: str | Path | Frontal | None, settings: RepairSettings, out: Path, device: str = "auto"
) -> WrittenRepair:
    """Repair a drawing, and write a folder of its frames, films, a sheet and a record atomically.

    See `prepare` for the subject and errors. Raises `UsageError` if the folder holds something else.
    """
    require_own_folder(out)
    inputs = inputs_of(subject, settings)
    with TemporaryDirectory(prefix="specsia-") as scratch, compiling_ahead():
        # A drawing that is refused leaves nothing behind, not even the folders above --out.
        repair = prepare(subject, settings, Path(scratch) / FITTED_MODEL, device)
        with replacing_folder(out, lambda _: False) as folder:
            if repair.model is not None:
                shutil.copytree(repair.model, folder / FITTED_MODEL)
            warnings = (*repair.warnings, *_write(folder, repair))
            record = {**_record(repair, warnings), "inputs": inputs}
            write_bytes(folder / REPAIR_RECORD, json.dumps(record, indent=1, ensure_ascii=False).encode())
    model = None if repair.model is None else out / FITTED_MODEL
    name, note = repair.front.name, repair.placed.note
    written = WrittenRepair(name, out, settings.views, note, model, warnings, repair.back_guessed)
    return replace(written, roles=repair.roles)


def inputs_of(subject: str | Path | Frontal | None, settings: RepairSettings) -> dict[str, str]:
    """SHA-256 of the files that a repair reads, by option."""
    drawing = None if subject is None or isinstance(subject, Frontal) else file_digest(Path(subject))
    return {**settings.digests(), **({} if drawing is None else {"drawing": drawing})}


def _record(repair: Repair, warnings: Sequence[Warning]) -> dict[str, Any]:
    front, adapted = repair.front, repair.adapted
    return {
        "specsia": __version__,
        "name": front.name,
        "frames": repair.settings.views,
        "placed": repair.placed.note,
        "facing": front.facing,
        "contour": None if front.contour is None else dict(front.contour),
        **as_json(warnings),
        "back_guessed": repair.back_guessed,
        "adapted": None if adapted is None else {"l1_before": adapted.l1_before, "l1": adapted.l1},
        "settings": repair.settings.record(),
        **({"roles": list(repair.roles)} if repair.roles else {}),
    }


def _write(folder: Path, repair: Repair) -> tuple[Warning, ...]:
    """Write all frames, then the character, the sheet and the films of them; returns warnings."""
    count = repair.settings.views
    write_bytes(folder / FRAMED_DRAWING, png.encode(repair.front.image))
    if repair.rigged.joints is not None:
        write_bytes(folder / JOINTS_FILE, joints_of_drawing(repair.rigged.joints, repair.front))
    character = CharacterFile(repair)
    with terminal.bar("repair", count, "frame") as bar:
        for number, shot in enumerate(repair.shots()):
            pictures = (shot.z, shot.z[..., 3], shot.pos, shot.repaired)
            for layer, pixels in zip(REPAIR_LAYERS, pictures, strict=True):
                write_bytes(picture(folder, layer, number), png.encode(pixels))
            character.see(number, shot)
            bar()
    warnings = character.write(folder / CHARACTER_FILE)
    _write_sheet(folder, repair)
    jobs = [partial(_write_turn, folder, name, repair.settings) for name in REPAIR_FILMS]
    # The longest first.
    jobs.insert(0, partial(_write_comparison, folder, repair))
    with terminal.bar("film", len(jobs), "film") as bar, ThreadPoolExecutor(cores()) as pool:
        for job in [pool.submit(job) for job in jobs]:
            job.result()
            bar()
    return warnings


def _stored(folder: Path, layer: str, number: int) -> Pixels:
    """A frame's picture in colour."""
    return png.decode(picture(folder, layer, number).read_bytes(), 4)


def _write_turn(folder: Path, name: str, settings: RepairSettings) -> None:
    """Write a film of the repaired figure alone."""
    frames: Iterator[Pixels] = (_stored(folder, REPAIRED, number) for number in range(settings.views))
    frames = map(enlarged, frames) if settings.reading.pixel else frames
    write_turn(folder / name, settings.views, frames, settings.fps, settings.ground)


def _write_comparison(folder: Path, repair: Repair) -> None:
    """Write the film of the drawing, before and after."""
    count, drawing = repair.settings.views, repair.front.image
    triples: Iterator[tuple[Pixels, ...]] = (
        (drawing, _stored(folder, COLOR, number), _stored(folder, REPAIRED, number))
        for number in range(count)
    )
    if repair.settings.reading.pixel:
        triples = (tuple(map(enlarged, triple)) for triple in triples)
    write_comparison(folder / COMPARE, count, triples, repair.settings.fps)


def _write_sheet(folder: Path, repair: Repair) -> None:
    """Write the sheet: stored frames, or new ones where no frame of the film has such a yaw.

    A figure that plays a motion is shown in frames of its film.
    """
    count, size = repair.settings.views, len(repair.front.image)
    # Pixel art is not scaled down, which would blur it.
    tile = len(enlarged(repair.front.image, _TILE)) if repair.settings.reading.pixel else _TILE
    yaws: Sequence[float] = view_yaws(ANGLES)
    pairs = []
    if repair.motion is not None:
        numbers = spread(count, ANGLES)
        yaws = [360 * number / count for number in numbers]
        pairs = [(_stored(folder, COLOR, number), _stored(folder, REPAIRED, number)) for number in numbers]
    else:
        for turn, (z, pos) in enumerate(turntable(repair.placed, ANGLES, size)):
            number, beside = divmod(turn * count, ANGLES)
            after = repair.paint(z, pos, yaws[turn]) if beside else _stored(folder, REPAIRED, number)
            pairs.append((z, after))
    image, joints = repair.front.image, repair.rigged.joints
    skeleton = None if joints is None or not repair.rigged.limbs else draw_joints(image, joints)
    write_sheet(folder / REPAIR_SHEET, image, skeleton, yaws, pairs, tile)
