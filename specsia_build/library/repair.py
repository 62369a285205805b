"""Repair a drawing from Python: its frames, films and mesh in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from specsia_build.arrays import Pixels
from specsia_build.characters.images import drawn_rgba
from specsia_build.errors import ByShape, UsageError
from specsia_build.frame import front_rotation
from specsia_build.library.checks import check_pixels, plain
from specsia_build.pictures.files import check_target
from specsia_build.pictures.sheets import parse_ground
from specsia_build.rendering.mesh import Mesh
from specsia_build.warning import Warning

if TYPE_CHECKING:
    from specsia_build.repairing.drawing import DrawingSettings, Frontal
    from specsia_build.repairing.sheet import DrawnSide

PictureInput = str | Path | Image.Image | Pixels
"""A picture: a file, one of Pillow, or (H, W, 3) or (H, W, 4) uint8 with straight alpha."""


@dataclass(frozen=True, eq=False, repr=False)
class Repaired(ByShape):
    """A repaired drawing.

    Attributes:
        frames: (S, S, 4) uint8 each with straight alpha: one turn, which begins with the drawing.
        drawing: (S, S, 4) uint8, the drawing as it was cut out and scaled.
        mesh: the reconstruction, Z up and facing -Y, as large as in the frames.
        warnings: on what may be wrong with it.
        seconds: time of one turn in films.
        pixel: whether it is pixel art, whose films show each pixel as a square.
    """

    frames: Sequence[Pixels]
    drawing: Pixels
    mesh: Mesh
    warnings: tuple[Warning, ...]
    seconds: float
    pixel: bool = False

    def film(self, path: str | Path, ground: str = "transparent") -> Path:
        """Write the frames as a film: WebP, GIF, MP4 or PNG, by the file's name.

        `ground` is the colour behind the figure; MP4 cannot be transparent and is white then. Raises
        `UsageError` if another kind of file is there.
        """
        from specsia_build.repairing.films import enlarged, write_turn

        check_target(Path(path), film=True, clear=False)
        fps = Fraction(len(self.frames)) / Fraction(self.seconds).limit_denominator(1000)
        frames = map(enlarged, self.frames) if self.pixel else iter(self.frames)
        write_turn(Path(path), len(self.frames), frames, fps, parse_ground(ground))
        return Path(path)


def repair(drawing: PictureInput | None = None, *, device: str = "auto", **options: Any) -> Repaired:
    """Reconstruct a drawing, turn it, and repair each frame with the drawing, as `specsia repair` does.

    Nothing is written to disk.

    Args:
        drawing: a picture, or the file of a character, whose frontal render is the drawing; none with
            ``sheet="sheet.png"``, a model sheet.
        device: `auto`, `cpu` or `cuda`.
        options: those of the command, such as ``views=12``, ``outline="none"``, ``figure=2``,
            ``mask="mask.png"``, ``mesh="hero.glb"``, ``pixel=True``; ``back`` may be any picture, and
            ``side`` a pair of ``"left"`` or ``"right"`` and any picture.

    Raises: UsageError for wrong options and unreadable pictures; SpecsiaError if a mesh does not fit.
    """
    from specsia_build.repairing.drawing import FACES, DrawingSettings
    from specsia_build.repairing.repair import prepare
    from specsia_build.repairing.settings import RepairSettings

    given = plain(options)
    back = None if _is_file(given.get("back")) else given.pop("back", None)
    side = None if _is_file(given.get("side")) else _side(given.pop("side"))
    settings = RepairSettings.of(given)
    settings = settings if side is None else replace(settings, side=side)
    reading = settings.reading
    subject: str | Path | Frontal | None
    subject = drawing if drawing is None or isinstance(drawing, str | Path) else framed(drawing, reading)
    framed_back = None if back is None else framed(back, DrawingSettings(reading.size, pixel=reading.pixel))
    with TemporaryDirectory(prefix="specsia-") as scratch:
        prepared = prepare(subject, settings, Path(scratch) / "model", device, framed_back)
        frames = [shot.repaired for shot in prepared.shots()]
    front, placed = prepared.front, prepared.placed
    mesh = placed.mesh.rotated(front_rotation(FACES[front.facing]))
    return Repaired(frames, front.image, mesh, prepared.warnings, settings.seconds, reading.pixel)


def _is_file(value: object) -> bool:
    return value is None or isinstance(value, str | Path)


def _side(value: Any) -> DrawnSide:
    """The side of a pair of ``left`` or ``right`` and a picture; a `UsageError` if it is no such pair."""
    from specsia_build.repairing.sheet import DrawnSide

    match value:
        case ("left" | "right" as shows, picture):
            if isinstance(picture, str | Path):
                return DrawnSide(shows, Path(picture))
            return DrawnSide(shows, _pixels(picture))
    raise UsageError('side is a pair such as ("left", picture), or a text such as "left:side.png"')


def framed(picture: PictureInput, reading: DrawingSettings | None = None) -> Frontal:
    """Cut a picture out and scale it to the frame, as a drawing; raises `UsageError` if it cannot be read."""
    from specsia_build.repairing.drawing import DrawingSettings, frame_drawing, read_drawing

    reading = DrawingSettings() if reading is None else reading
    if isinstance(picture, str | Path):
        return read_drawing(Path(picture), reading)
    return frame_drawing(_pixels(picture), reading)


def _pixels(picture: Image.Image | Pixels) -> Pixels:
    """Return a picture of Pillow, or an array, as (H, W, 4) uint8, straight alpha, upright and in sRGB."""
    if isinstance(picture, Image.Image):
        return drawn_rgba(picture)
    pixels = check_pixels(picture, "a picture", alpha=False)
    if pixels.shape[2] == 4:
        return pixels
    return np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
