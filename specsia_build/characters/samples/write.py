"""Write procedural characters into a folder, each as a whole or not at all."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from specsia_build.characters.bicar_rig import RIG, rig_text
from specsia_build.characters.character import Entry
from specsia_build.characters.samples import LICENSE, SOURCE, VERSION
from specsia_build.characters.samples import eyes as eye_texture
from specsia_build.characters.samples.drawing import Layer, draw_front
from specsia_build.characters.samples.files import FILES, MARK, write_mesh
from specsia_build.characters.samples.make import TEXTURE, Sample, make_sample
from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.files.records import read_json
from specsia_build.files.writing import replacing_folder, writing
from specsia_build.ownership import remove_empty


def provide(entry: Entry) -> None:
    """See that a procedural character's files are there; any other character's are its owner's to keep.

    Raises:
        UsageError, WriteError: as `write_sample`.
    """
    if entry.sample is not None:
        write_sample(entry.path.parent, int(entry.id), entry.sample.seed)


def withdraw(entry: Entry) -> int:
    """Remove a procedural character's files, which `provide` writes again; what else lies beside them stays.

    Returns:
        Their bytes.

    Raises:
        WriteError: if one cannot be removed.
    """
    if entry.sample is None or not _is_ours(entry.path):
        return 0
    freed = 0
    with writing(entry.path):
        # What says whose it is goes last, so that a removal that was killed can go on.
        for name in (name for name in FILES if (entry.path / name).is_file()):
            freed += (entry.path / name).stat().st_size
            (entry.path / name).unlink()
        remove_empty(entry.path)
    return freed


def write_sample(folder: Path, index: int, seed: int = 0) -> None:
    """Write one character; one that is there already, whole and of this seed, stays untouched.

    Several may be written at once by several processes.

    Args:
        folder: made where it is missing; each character is a folder in it, in the layout of 3DBiCar.
        index: its number.
        seed: a character depends on the seed and its own number only.

    Raises:
        UsageError: if a folder of its name holds something else.
        WriteError: if it cannot be written.
    """
    target = folder / str(index)
    if _is_complete(target, seed):
        return
    if target.exists() and not _is_ours(target):
        raise UsageError(f"{target} holds something else than a procedural sample: choose another folder")
    sample = make_sample(seed, index)
    with replacing_folder(target, partial(_is_complete, seed=seed)) as made:
        _write(made, sample, index, seed)


def _stated(target: Path) -> dict[str, object]:
    try:
        stated = read_json(target / "metadata.json")
    except (OSError, SpecsiaError):
        return {}
    return stated if isinstance(stated, dict) else {}


def _is_complete(target: Path, seed: int) -> bool:
    stated = _stated(target)
    if (stated.get("source"), stated.get("seed"), stated.get("version")) != (SOURCE, seed, VERSION):
        return False
    return all((target / name).is_file() and (target / name).stat().st_size > 0 for name in FILES)


def _is_ours(target: Path) -> bool:
    """Whether a folder may be replaced: it says whose it is, or it is empty."""
    if _stated(target).get("source") == SOURCE:
        return True
    try:
        if not any(target.iterdir()):
            return True
        with (target / "tpose" / "m.obj").open(encoding="ascii", errors="replace") as lines:
            return lines.readline().strip() == MARK
    except OSError:
        return False


def _write(folder: Path, sample: Sample, index: int, seed: int) -> None:
    tpose, drawings, eyes = folder / "tpose", folder / "image", sample.eyes
    tpose.mkdir(parents=True)
    drawings.mkdir()
    uv = sample.uv / TEXTURE
    uv[..., 1] = 1.0 - uv[..., 1]
    write_mesh(tpose, "m", sample.mesh.vertices, sample.mesh.normals, sample.mesh.quads, uv, sample.image)
    write_mesh(tpose, "e", eyes.vertices, eyes.normals, eyes.quads, eyes.uv, eyes.image)
    (folder / RIG).write_text(rig_text(sample.rig), encoding="ascii", newline="\n")
    picture, mask = draw_front(layers(sample))
    Image.fromarray(picture).save(drawings / "image_reshape512.jpeg", quality=92)
    Image.fromarray(mask).save(drawings / "mask512.png")
    stated = {
        "name": sample.traits.name, "license": LICENSE, "source": SOURCE, "version": VERSION, "seed": seed, "id": index,
        "parameters": asdict(sample.traits),
    }  # fmt: skip
    (folder / "metadata.json").write_text(json.dumps(stated, indent=1) + "\n", encoding="utf-8", newline="\n")


def layers(sample: Sample) -> list[Layer]:
    """The body and the eyes, to be drawn."""
    eyes = sample.eyes
    uv = eyes.uv * eye_texture.TEXTURE
    uv[..., 1] = eye_texture.TEXTURE - uv[..., 1]
    return [
        Layer(sample.mesh.vertices, sample.mesh.normals, sample.mesh.quads, sample.uv, sample.image),
        Layer(eyes.vertices, eyes.normals, eyes.quads, np.ascontiguousarray(uv), eyes.image),
    ]
