"""Write procedural characters into a folder, each as a whole or not at all."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from specsia_build.characters.bicar import RIG, rig_text
from specsia_build.characters.character import Entry
from specsia_build.characters.samples import LICENSE, SOURCE, VERSION
from specsia_build.characters.samples.make import Sample, draw_front, make_sample
from specsia_build.errors import UsageError
from specsia_build.files.records import remembered_json
from specsia_build.files.writing import replacing_folder, writing
from specsia_build.folders import remove_empty

MESH = "tpose/m.obj"
FILES = (
    "metadata.json", "image/image_reshape512.jpeg", "image/mask512.png", RIG, "tpose/m.png", "tpose/m.mtl", MESH,
)  # fmt: skip
"""Every file of a complete character, relative to its folder; the mesh, which says whose folder it is, goes last."""

MARK = "# specsia procedural sample"
"""First line of an OBJ that this package wrote."""


def provide(entry: Entry) -> None:
    """Write the files of a procedural character; other entries are left alone."""
    if entry.sample is not None:
        write_sample(entry.path.parent, int(entry.id), entry.sample.seed)


def withdraw(entry: Entry) -> int:
    """Remove what `provide` wrote, and return its bytes; other files in the folder stay."""
    if entry.sample is None or not _is_ours(entry.path):
        return 0
    freed = 0
    with writing(entry.path):
        for path in (entry.path / name for name in FILES if (entry.path / name).is_file()):
            freed += path.stat().st_size
            path.unlink()
        remove_empty(entry.path)
    return freed


def write_sample(folder: Path, index: int, seed: int = 0) -> None:
    """Write one character whole or not at all, unless it is there; several processes may do so at once.

    It depends on the seed and its number, which names its folder in the layout of 3DBiCar.

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
    picture, mask = draw_front(sample)
    metadata = {
        "name": sample.traits.name, "license": LICENSE, "source": SOURCE, "version": VERSION, "seed": seed, "id": index,
        "parameters": vars(sample.traits),
    }  # fmt: skip
    texts = {
        MESH: obj_text(sample),
        "tpose/m.mtl": "newmtl m\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nd 1\nillum 1\nmap_Kd m.png\n",
        RIG: rig_text(sample.rig),
        "metadata.json": json.dumps(metadata, indent=1) + "\n",
    }
    pictures = {"tpose/m.png": sample.image, "image/image_reshape512.jpeg": picture, "image/mask512.png": mask}
    with replacing_folder(target, partial(_is_complete, seed=seed)) as temporary:
        for name in FILES:
            (temporary / name).parent.mkdir(exist_ok=True)
            if name in texts:
                (temporary / name).write_text(texts[name], encoding="utf-8", newline="\n")
            else:
                Image.fromarray(pictures[name]).save(temporary / name, quality=92)


def _is_complete(target: Path, seed: int) -> bool:
    metadata = remembered_json(target / "metadata.json")
    known = {"source": SOURCE, "seed": seed, "version": VERSION}
    if not isinstance(metadata, dict) or metadata | known != metadata:
        return False
    return all((target / name).is_file() and (target / name).stat().st_size > 0 for name in FILES)


def _is_ours(target: Path) -> bool:
    """Whether a folder may be replaced: it or its mesh is empty, or this package wrote the mesh."""
    try:
        with (target / MESH).open(encoding="ascii", errors="replace") as lines:
            return lines.readline().strip() in ("", MARK)
    except FileNotFoundError:
        return target.is_dir() and not any(target.iterdir())
    except OSError:
        return False


def obj_text(sample: Sample) -> str:
    """Write an OBJ of quads and triangles that share texture coordinates."""
    uv = np.rint(sample.uv.reshape(-1, 2) * (1, -1) * 1e5 + (0, 1e5)).astype(np.int64)
    _, first, ids = np.unique(uv[:, 0] * 1_000_003 + uv[:, 1], return_index=True, return_inverse=True)
    pairs = np.stack([sample.corners + 1, ids.reshape(-1, 4) + 1], axis=2)
    keep = sample.corners != np.roll(sample.corners, 1, axis=1)
    parts = [f"{MARK}\nmtllib m.mtl\no m\n", _lines("v %.4f %.4f %.4f\n", sample.vertices)]
    parts += [_lines("vt %.5f %.5f\n", uv[first] / 1e5), "usemtl m\n"]
    for count in (4, 3):
        faces = keep.sum(axis=1) == count
        parts.append(_lines("f" + " %d/%d" * count + "\n", pairs[faces][keep[faces]].reshape(-1, 2 * count)))
    return "".join(parts)


def _lines(template: str, values: NDArray[np.floating] | NDArray[np.int64]) -> str:
    return (template * len(values)) % tuple(values.ravel().tolist())
