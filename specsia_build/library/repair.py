"""A drawing, repaired from every side."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.dravie.config import need_torch
from specsia_build.errors import UsageError
from specsia_build.library.given import given_path, given_pixels, given_whole
from specsia_build.library.model import Model


@dataclass(frozen=True, eq=False)
class Repair:
    """What `repair` gives.

    Attributes:
        z, pos: (N, S, S, 4) uint8, Z and Zpos of each frame.
        repaired: (N, S, S, 4) uint8, the results, straight alpha.
        model: that repaired them; the fitted one with ``adapt``.
        mesh: how the reconstruction was found, in a sentence.
        warnings: sentences.
    """

    z: NDArray[np.uint8] = field(repr=False)
    pos: NDArray[np.uint8] = field(repr=False)
    repaired: NDArray[np.uint8] = field(repr=False)
    model: Model
    mesh: str
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.repaired)


def repair(
    drawing: str | Path | NDArray[np.uint8],
    mesh: str | Path | None = None,
    *,
    out: str | Path | None = None,
    views: int = 36,
    size: int = 512,
    device: str = "auto",
    **settings: Any,
) -> Repair:
    """Reconstruct a drawing, turn it, and repair each frame with the drawing, as `specsia repair` does.

    Args:
        drawing: a file, or (H, W, 4) uint8: the character from the front, on transparency or on white; or a mesh file
            or ``sample:1``, whose frontal render is the drawing.
        mesh: file of its reconstruction by any tool, in any axes and scale; by the backend without it.
        out: folder that keeps all that the command writes; without it nothing stays on the disk.
        views: frames, 1-360.
        size: pixels on a side of a frame, 64-2048.
        device: `auto`, `cpu` or `cuda`.
        settings: ``backend``, ``back`` (a file), ``model`` (a run), ``motion`` (a name or a file) and ``adapt`` (fit
            the model first).

    Raises:
        UsageError: if a setting is unknown, or the folder holds something else.
        SpecsiaError: if the drawing cannot be cut out, or the mesh does not fit it.
    """
    need_torch()
    from specsia_build.repairing.repair import LAYERS, MODEL, RepairSettings, run_repair

    what = "a drawing"
    subject = given_pixels(drawing, what) if isinstance(drawing, np.ndarray) else given_path(drawing, what)
    given: dict[str, Any] = {name: str(value) if isinstance(value, Path) else value for name, value in settings.items()}
    count, side = given_whole("views", views, 1, 360), given_whole("size", size, 64, 2048)
    try:
        chosen = RepairSettings(views=count, size=side, **given)
    except TypeError as error:
        raise UsageError(f"repair takes backend, back, model, motion and adapt: {error}") from error
    found = None if mesh is None else Path(given_path(mesh, "a mesh"))
    keep = TemporaryDirectory(prefix="specsia-repair-") if out is None else None
    folder = Path(given_path(out, "out")) if out is not None else Path(keep.name)  # type: ignore[union-attr]
    done = run_repair(subject, found, chosen, folder, str(device))

    def stacked(layer: str) -> NDArray[np.uint8]:
        return np.stack([png.decode(path.read_bytes(), 4) for path in sorted((folder / layer).glob("*.png"))])

    z, pos, repaired = (stacked(layer) for layer in (LAYERS[0], LAYERS[2], LAYERS[3]))
    model = Model(chosen.model if done.adapted is None else folder / MODEL, device, keep)
    return Repair(z, pos, repaired, model, done.note, done.warnings)
