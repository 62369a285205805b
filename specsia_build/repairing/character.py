"""The repaired figure as a file: its reconstruction, with a texture baked from its repaired frames."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from specsia_build import png
from specsia_build.errors import UsageError, spelled
from specsia_build.files.writing import require_writable, write_bytes
from specsia_build.folders import is_vacant
from specsia_build.frame import Camera, front_rotation
from specsia_build.look.repair import CHARACTER_FILE
from specsia_build.rendering.mesh import Mesh
from specsia_build.repairing.drawing import FACES
from specsia_build.repairing.moving import moving
from specsia_build.repairing.repair import Repair, RepairedView, prepare
from specsia_build.repairing.settings import RepairSettings
from specsia_build.warning import Warning
from specsia_build.writers.baking import Bake
from specsia_build.writers.exported import ExportedCharacter
from specsia_build.writers.glb import write_glb
from specsia_build.writers.vrm import write_vrm

MANIFEST = "characters.jsonl"  # Of a drawing that is a source of characters
_VIEWS = 12  # Views that the texture is baked from; more blur it, where frames differ
_FEWEST = 4  # Views that a film needs so that its frames serve
_DRAWING = 8.0  # Weight of the drawing, beside 1 of a repaired frame

_TRANSLUCENT = Warning(
    "not-written",
    f"{CHARACTER_FILE} has the colours of the reconstruction, not of the repaired frames, as parts of it are "
    "translucent",
    CHARACTER_FILE,
)


class CharacterFile:
    """Bakes the repaired frames of a still figure as they are made, and writes it.

    Pixel art and translucent figures keep the colours of their reconstruction.
    """

    def __init__(self, repair: Repair) -> None:
        self._repair = repair
        materials = repair.placed.mesh.materials
        self._translucent = any(material.alpha_mode != "opaque" for material in materials)
        self._bakes = not (repair.settings.reading.pixel or self._translucent)
        self._from_film = repair.motion is None and repair.settings.views >= _FEWEST

    @property
    def warnings(self) -> tuple[Warning, ...]:
        """What may be wrong with the file."""
        return (_TRANSLUCENT,) if self._translucent and not self._repair.settings.reading.pixel else ()

    @cached_property
    def _bake(self) -> Bake:
        return Bake.of(self._repair.placed.mesh, self._repair.settings.texture)

    def see(self, number: int, shot: RepairedView) -> None:
        """Take a frame of the film, if it shows the figure at rest and is one of those to bake."""
        if self._from_film and number % max(1, self._repair.settings.views // _VIEWS) == 0:
            self._add(shot)

    def _add(self, shot: RepairedView) -> None:
        if not self._bakes:
            return
        front = self._repair.front
        # The contour lies outside of the reconstruction, and frame 0 is the drawing with its own.
        picture, inside = (front.color, front.mask) if shot.yaw == 0 else (shot.repaired, shot.z[..., 3])
        bare = np.where((inside == 255)[..., None], picture, np.uint8(0))
        weight = _DRAWING if shot.yaw == 0 else 1.0
        self._bake.add(Camera(shot.yaw, len(bare)), bare, shot.pos, weight)

    def write(self, path: Path) -> tuple[Warning, ...]:
        """Write the figure as it faces, with its motions, and its rig if it has limbs; returns warnings.

        Beside it, a person of a drawing is written as VRM 1.0.
        """
        repair, settings = self._repair, self._repair.settings
        if self._bakes and not self._from_film:
            for shot in repair.around(_VIEWS):
                self._add(shot)
        turn = front_rotation(FACES[repair.front.facing])
        matrix = np.eye(4)
        matrix[:3, :3] = turn
        character = ExportedCharacter(
            mesh=self._mesh(), name=repair.front.name, height=settings.height, lit=settings.lit
        )
        rigged = repair.rigged
        if repair.motion is not None or rigged.own.humanoid:
            motions = () if repair.motion is None else repair.motion.motions
            character = replace(
                character,
                mesh=rigged.movable(character.mesh),
                rig=rigged.own.rig.placed(matrix),
                motions=motions,
                humanoid=rigged.own.humanoid,
            )
        character = replace(character, mesh=character.mesh.rotated(turn))
        warnings = (*self.warnings, *write_glb(path, character))
        if rigged.joints is not None and rigged.limbs:
            warnings += write_vrm(path.with_suffix(".vrm"), character)
        return warnings

    def _mesh(self) -> Mesh:
        return self._bake.finished() if self._bakes else self._repair.placed.mesh


def write_source(drawing: Path, folder: Path) -> tuple[Path, tuple[Warning, ...]]:
    """Write a drawing's character with its rig and the motions that any figure can play, and its manifest.

    Its textures are the repaired frames; equal drawings give equal bytes. Returns the manifest, a source of
    `specsia clips`, and warnings. Raises `UsageError` if the folder holds something else, and as `prepare`.
    """
    with TemporaryDirectory(prefix="specsia-") as scratch:
        repair = prepare(drawing, RepairSettings(), Path(scratch))
    name = repair.front.name
    character, picture = folder / f"{name}.glb", folder / f"{name}.png"
    names = set() if is_vacant(folder) else {path.name for path in folder.iterdir()}
    if not names <= {character.name, character.with_suffix(".vrm").name, picture.name, MANIFEST}:
        raise UsageError(f"{spelled(folder)} holds other files than this drawing's: name another --out")
    require_writable(folder)
    own = [motion.name for motion in repair.rigged.own.motions]
    repair = replace(repair, motion=moving(repair.rigged, own))
    warnings = (*repair.warnings, *CharacterFile(repair).write(character))
    write_bytes(picture, png.encode(repair.front.image))
    line = {
        "id": name,
        "path": character.name,
        "drawing": picture.name,
        "source": f"reconstructed from the drawing {drawing.name}, so Y* is a reconstruction, too",
    }
    write_bytes(folder / MANIFEST, (json.dumps(line, ensure_ascii=False) + "\n").encode())
    return folder / MANIFEST, warnings
