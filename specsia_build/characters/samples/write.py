"""Write procedural characters into a folder, each as a whole or not at all."""

import json
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from specsia_build import png
from specsia_build.characters.character import Entry
from specsia_build.characters.samples import LICENSE, METADATA, SAMPLES_VERSION, SOURCE, stated_by
from specsia_build.characters.samples.make import SampleMesh, draw_front, make_sample
from specsia_build.errors import UsageError
from specsia_build.files.writing import replacing_folder, writing
from specsia_build.folders import remove_empty

_MESH = "tpose/m.obj"
FILES = ("image/image_reshape512.jpeg", "image/mask512.png", "tpose/m.png", "tpose/m.mtl", _MESH, METADATA)
"""Every file of a complete character, relative to its folder; that which says whose it is goes last."""


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

    It depends on the seed and its number, which names its folder in the layout of 3DBiCar. Raises UsageError
    if a folder of its name holds something else, and WriteError if it cannot be written.
    """
    target = folder / str(index)
    if _is_complete(target, seed):
        return
    if target.exists() and not _is_ours(target):
        raise UsageError(f"{target} holds something else than a procedural sample: choose another folder")
    sample = make_sample(seed, index)
    picture, mask = draw_front(sample)
    metadata = {
        "name": sample.traits.name, "license": LICENSE, "source": SOURCE, "version": SAMPLES_VERSION,
        "seed": seed, "id": index, "parameters": vars(sample.traits),
    }  # fmt: skip
    texts = {
        _MESH: obj_text(sample),
        "tpose/m.mtl": "newmtl m\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nd 1\nillum 1\nmap_Kd m.png\n",
        METADATA: json.dumps(metadata, indent=1) + "\n",
    }
    pictures = {
        "tpose/m.png": sample.image,
        "image/image_reshape512.jpeg": picture,
        "image/mask512.png": mask,
    }
    with replacing_folder(target, partial(_is_complete, seed=seed)) as temporary:
        for name in FILES:
            (temporary / name).parent.mkdir(exist_ok=True)
            if name in texts:
                (temporary / name).write_text(texts[name], encoding="utf-8", newline="\n")
            elif name.endswith(".png"):
                (temporary / name).write_bytes(png.encode(pictures[name]))
            else:
                Image.fromarray(pictures[name]).save(temporary / name, quality=92)


def _is_complete(folder: Path, seed: int) -> bool:
    stated = stated_by(folder, folder)
    if stated is None or (stated.version, stated.seed) != (SAMPLES_VERSION, seed):
        return False
    return all((folder / name).is_file() and (folder / name).stat().st_size > 0 for name in FILES)


def _is_ours(folder: Path) -> bool:
    """Whether a folder may be replaced: it is empty, or a sample."""
    return stated_by(folder, folder) is not None or (folder.is_dir() and not any(folder.iterdir()))


def obj_text(sample: SampleMesh) -> str:
    """Write an OBJ of triangles with texture coordinates."""
    indices = np.stack([sample.faces, sample.corners], axis=2).reshape(-1, 6) + 1
    vertices = _lines("v %.4f %.4f %.4f\n", sample.vertices)
    texels = _lines("vt %.5f %.5f\n", sample.texels * (1, -1) + (0, 1))
    return "mtllib m.mtl\no m\n" + vertices + texels + "usemtl m\n" + _lines("f %d/%d %d/%d %d/%d\n", indices)


def _lines(template: str, values: NDArray[np.floating] | NDArray[np.int64]) -> str:
    return (template * len(values)) % tuple(values.ravel().tolist())
