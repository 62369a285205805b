"""Difix3D as a method of `evaluate`: Z is its picture, the drawing its reference; in its own environment.

The result is on white. What is nearly white and joined to the frame's border is clear in the result.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import scipy
from PIL import Image

from specsia_build.arrays import Pixels
from specsia_build.backends.upstream.bridged import create
from specsia_build.backends.upstream.supervisor import Supervisor
from specsia_build.dataset.pairs import Pair
from specsia_build.dravie.data.frames import DrawnPair
from specsia_build.dravie.evaluate.rows import DIFIX
from specsia_build.errors import SpecsiaError
from specsia_build.pictures.sheets import rgba

_WHITE = 250  # Level from which on a pixel may be ground


@contextmanager
def difix_painter() -> Iterator[Callable[[DrawnPair], Callable[[Pair], Pixels]]]:
    """Start Difix3D, of `backends.yaml`; yields what gives a character's painter. UsageError without it."""
    backend = create(DIFIX, None)
    try:
        yield lambda front: partial(_repaired, backend.worker(), front.pair.gt)
    finally:
        backend.close()


def _repaired(worker: Supervisor, drawing: Pixels, pair: Pair) -> Pixels:
    seed = int.from_bytes(hashlib.sha256(pair.uid.encode()).digest()[:4], "big")
    with TemporaryDirectory(prefix="specsia-difix-", ignore_cleanup_errors=True) as folder:
        picture = Path(folder) / "picture.png"
        for path, pixels in ((picture, pair.z), (picture.with_name("reference.png"), drawing)):
            ground = Image.new("RGBA", pixels.shape[1::-1], "white")
            Image.alpha_composite(ground, Image.fromarray(pixels)).convert("RGB").save(path)
        try:
            repaired = rgba(worker.reconstruct(picture, Path(folder) / "made", seed).read_bytes())
        except ValueError as error:
            raise SpecsiaError(f"{DIFIX} wrote no picture for {pair.uid}: {error}") from error
    return without_ground(repaired)


def without_ground(picture: Pixels) -> Pixels:
    """Clear what is nearly white and joined to the border of a picture (H, W, 4)."""
    white = np.pad((picture[..., :3] >= _WHITE).all(axis=2), 1, constant_values=True)
    parts, _ = scipy.ndimage.label(white)
    out = picture.copy()
    out[parts[1:-1, 1:-1] == parts[0, 0]] = 0
    return out
