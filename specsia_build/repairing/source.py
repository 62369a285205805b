"""A drawing as a source of characters: its reconstruction with a rig, a character file as any other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from specsia_build import png
from specsia_build.errors import UsageError, spelled
from specsia_build.files.writing import require_writable, write_bytes
from specsia_build.folders import is_vacant
from specsia_build.repairing.character import CharacterFile
from specsia_build.repairing.moving import moving
from specsia_build.repairing.repair import prepare
from specsia_build.repairing.settings import RepairSettings

MANIFEST = "characters.jsonl"


def write_source(drawing: Path, folder: Path) -> Path:
    """Write a drawing's character with its rig and the motions that any figure can play, and its manifest.

    Its textures are the repaired frames; equal drawings give equal bytes. Returns the manifest, a source of
    `specsia clips`. Raises `UsageError` if the folder holds something else, and as `prepare`.
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
    CharacterFile(repair).write(character)
    write_bytes(picture, png.encode(repair.front.image))
    line = {
        "id": name,
        "path": character.name,
        "drawing": picture.name,
        "source": f"reconstructed from the drawing {drawing.name}, so Y* is a reconstruction, too",
    }
    write_bytes(folder / MANIFEST, (json.dumps(line, ensure_ascii=False) + "\n").encode())
    return folder / MANIFEST
