"""Repair a drawing: reconstruct it, repair its frames with a model; writes nothing but a fitted model."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from specsia_build import terminal
from specsia_build.arrays import Pixels
from specsia_build.backends.registry import load_backend
from specsia_build.characters.formats import FORMATS
from specsia_build.config import cores
from specsia_build.dataset.pairs import Pair
from specsia_build.dravie.adapt.frontal import FrontalPair
from specsia_build.dravie.config import ADAPTATION
from specsia_build.dravie.drawing import Drawing, visible_places
from specsia_build.dravie.model.checkpoint import load_predictor
from specsia_build.dravie.runs import find_run
from specsia_build.errors import CharacterError, UsageError
from specsia_build.frame import view_yaws
from specsia_build.pool import map_ahead
from specsia_build.repairing.drawing import DrawingSettings, Frontal, read_drawing, render_front
from specsia_build.repairing.moving import Moving, Rigged, mention_side, moving, rig_of
from specsia_build.repairing.painting import Painter, art_painter, painter, seen_by_network, with_back
from specsia_build.repairing.reconstruction import (
    Frame,
    Placed,
    place_file,
    read_single,
    reconstruct,
    turntable,
    with_nearest_texels,
)
from specsia_build.repairing.settings import RepairSettings
from specsia_build.repairing.sheet import SideView, read_sheet, read_side
from specsia_build.warning import Warning

if TYPE_CHECKING:
    from specsia_build.dravie.adapt.adapt import Adapted

_AT_ONCE = 4 * 512**2  # Pixels of the frames that are repaired at the same time; 0.8 KB each

BACK_GUESSED = "the back was guessed: --back FILE, the character drawn from behind, shows it exactly"


class RepairedView(NamedTuple):
    """A frame: its yaw in degrees, Z, Zpos and the result, (S, S, 4) uint8 each with straight alpha."""

    yaw: float
    z: Pixels
    pos: Pixels
    repaired: Pixels


@dataclass(frozen=True, eq=False)
class Repair:
    """A drawing whose reconstruction is placed, ready to be shown and repaired from any side.

    Attributes:
        front: the drawing in the scale of the reconstruction.
        rigged: its rig, and the joints of a drawing.
        motion: what it plays while it turns, or None.
        adapted: how the model was fitted, or None; `model` is the fitted run, None where that did not help.
        back_guessed: whether `--back` would show what was guessed.
        roles: what the figures of a model sheet show, from left to right; none without a sheet.
    """

    settings: RepairSettings
    front: Frontal
    placed: Placed
    paint: Painter
    rigged: Rigged
    motion: Moving | None = None
    adapted: Adapted | None = None
    model: Path | None = None
    back_guessed: bool = False
    roles: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[Warning, ...]:
        """What may be wrong with the result."""
        motion, adapted = self.motion, self.adapted
        return (
            *self.front.warnings,
            *self.placed.warnings,
            *self.rigged.own.warnings,
            *(() if motion is None else motion.warnings),
            *(() if adapted is None else adapted.warnings),
        )

    def shots(self) -> Iterator[RepairedView]:
        """Render and repair the frames of the film."""
        settings = self.settings
        if self.motion is None:
            yield from self.around(settings.views)
            return
        frames = self.motion.frames(settings.views, settings.reading.size, float(settings.fps))
        yield from self._painted(frames, settings.views)

    def around(self, views: int) -> Iterator[RepairedView]:
        """Render and repair the still figure from evenly spaced views; the first is the drawing itself."""
        shots = self._painted(turntable(self.placed, views, self.settings.reading.size), views)
        first = next(shots)
        yield first._replace(repaired=self.front.image)
        yield from shots

    def _painted(self, frames: Iterator[Frame], views: int) -> Iterator[RepairedView]:
        def painted(shown: tuple[float, Frame]) -> RepairedView:
            yaw, (z, pos) = shown
            return RepairedView(yaw, z, pos, self.paint(z, pos, yaw))

        count = max(1, min(cores(), _AT_ONCE // self.settings.reading.size**2))
        with ThreadPoolExecutor(count) as pool:
            yield from map_ahead(pool, painted, zip(view_yaws(views), frames, strict=True), count)


def load_subject(subject: str | Path, reading: DrawingSettings) -> Frontal:
    """Load the front of a character: from a drawing's file, a mesh file, or `sample:1`.

    Raises `UsageError` if there is no such file, `SpecsiaError` if it cannot be read or cut out.
    """
    path = Path(subject)
    if path.suffix.lower() in FORMATS or path.is_dir() or str(subject).startswith("sample:"):
        if reading != DrawingSettings(reading.size):
            raise UsageError(
                f"{path.name} is a character, and --outline, --mask, --figure, --facing and --pixel are for "
                "drawings"
            )
        return render_front(read_single(path), reading.size)
    if not path.is_file():
        raise UsageError(f"there is no file {path}: give a drawing, or a character ({', '.join(FORMATS)})")
    return read_drawing(path, reading)


def prepare(
    subject: str | Path | Frontal | None,
    settings: RepairSettings,
    scratch: Path,
    device: str = "auto",
    back: Frontal | None = None,
) -> Repair:
    """Read a drawing, reconstruct it, and load the model, fitted to the drawing with `settings.adapt`.

    Args:
        subject: a drawing's file, a character, whose frontal render is the drawing, a framed front, or None
            with a sheet in the settings.
        scratch: folder that the fitted model is written to, if that helps.
        back: a framed back, in place of the file in the settings.

    Raises `UsageError` if a motion does not suit the figure, the joints are not of this drawing, the backend
    takes no back or no side, or the sheet or the side shows another figure, and `SpecsiaError` if the drawing
    cannot be cut out, or the mesh does not fit it.
    """
    reading, mesh = settings.reading, settings.mesh
    run = find_run(settings.model)
    predictor = None if reading.pixel else load_predictor(run, device)
    with terminal.bar("reconstruct" if mesh is None else "place", 1, "mesh") as bar:
        front, back, side, roles = _drawings(subject, settings, back)
        if side is not None:
            front = replace(front, warnings=(*front.warnings, *side.warnings))
        if back is not None:
            of_back = (warning.about("the back") for warning in back.warnings)
            front = replace(front, warnings=(*front.warnings, *of_back))
        seen = None if side is None else side.side
        with _naming_figures(front):
            if mesh is None:
                placed = reconstruct(front, settings.backend, settings.views, back, seen)
            else:
                placed = place_file(read_single(mesh), front, settings.views)
        if reading.pixel:
            placed = replace(placed, mesh=with_nearest_texels(placed.mesh))
        front = front.shrunk(placed.fit)
        back = None if back is None else back.shrunk(placed.fit)
        rigged = rig_of(placed, front, settings.joints)
        if reading.facing is None and side is None and back is None:
            rigged = mention_side(rigged, front)
        placed = replace(placed, mesh=rigged.mesh)
        with _naming_figures(front):
            motion = moving(rigged, settings.motion) if settings.motion else None
        bar()
    guessed = back is None and mesh is None and front.mesh is None and front.facing == "front"
    guessed = guessed and load_backend(settings.backend).sees_back
    adapted = None
    if predictor is None:
        paint = art_painter(front)
    else:
        # The drawing is Y* of the frontal pair.
        z, pos = next(turntable(placed, 1, reading.size))
        pair = Pair("front", front.name, 0, z, pos, front.image, front.mask, placed.iou)
        drawing = seen_by_network(front, pos)
        if settings.adapt:
            # Of all the steps this one alone needs torch.
            from specsia_build.dravie.adapt.adapt import adapt_run

            adapted = adapt_run(run, scratch, ADAPTATION, device, FrontalPair(pair, known=drawing))
            predictor = load_predictor(scratch, device) if adapted.helped else predictor
        if back is not None:
            _, (_, behind) = turntable(placed, 2, reading.size)
            drawing = with_back(drawing, back, behind)
        if side is not None:
            drawing = _with_sides(drawing, placed, reading.size)
        paint = painter(predictor, drawing)
    model = scratch if adapted is not None and adapted.helped else None
    return Repair(settings, front, placed, paint, rigged, motion, adapted, model, guessed, roles)


@contextmanager
def _naming_figures(front: Frontal) -> Iterator[None]:
    """Name a drawing's figures, of which one may be taken, in an error that several of them may cause."""
    try:
        yield
    except (CharacterError, UsageError) as error:
        for warning in front.warnings:
            if warning.code == "several-figures":
                raise UsageError(f"{error}; {warning}") from error
        raise


def _drawings(
    subject: str | Path | Frontal | None, settings: RepairSettings, back: Frontal | None
) -> tuple[Frontal, Frontal | None, SideView | None, tuple[str, ...]]:
    """Front, back and side, framed, and what the figures of a sheet show; see `prepare`."""
    reading = settings.reading
    if settings.sheet is not None:
        if subject is not None:
            raise UsageError("--sheet takes the place of DRAWING: give one of them")
        sheet = read_sheet(settings.sheet, reading, settings.order)
        return sheet.front, sheet.back, sheet.side, sheet.roles
    if subject is None:
        raise UsageError("there is nothing to repair: give a DRAWING, or a --sheet")
    front = subject if isinstance(subject, Frontal) else load_subject(subject, reading)
    if back is None and settings.back is not None:
        back = read_drawing(settings.back, DrawingSettings(reading.size, facing="back", pixel=reading.pixel))
    side = None if settings.side is None else read_side(settings.side, front, reading)
    return front, back, side, ()


def _with_sides(drawing: Drawing, placed: Placed, size: int) -> Drawing:
    """A drawing whose colours beside the front are those of the reconstruction, which are a drawn side's."""
    known = [] if drawing.back is None else [drawing.back]
    for number, (z, pos) in enumerate(turntable(placed, 4, size)):
        if number % 2:
            known.append(visible_places(pos, z, z[..., 3]))
    places, colours = (np.concatenate(arrays) for arrays in zip(*known, strict=True))
    return replace(drawing, back=(places, colours))
