"""The published rows by the rules of the release's scripts, written down without this package's writer."""

import io
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MODES = {"color": "RGB", "pos": "RGB", "edge": "RGB", "mask": "L", "gt": "RGB"}
GROUNDS = {"color": 0, "pos": 0, "edge": 255, "mask": 0, "gt": 240}

Levels = NDArray[np.int64]


def read(data: bytes) -> tuple[str, Levels]:
    """Mode and levels (H, W, C) of a PNG."""
    with Image.open(io.BytesIO(data)) as opened:
        levels = np.asarray(opened).astype(np.int64)
        return opened.mode, levels.reshape(*levels.shape[:2], -1)


def problems(row: Mapping[str, bytes]) -> Iterator[str]:
    """Names of what differs from a row of an unlit ball, its background in the corners."""
    assert list(row) == ["color", "pos", "edge", "mask", "gt"]
    pictures = {}
    for name, data in row.items():
        mode, pictures[name] = read(data)
        if mode != MODES[name]:
            yield f"mode of {name}"
        if (pictures[name][[0, 0, -1, -1], [0, -1, 0, -1]] != GROUNDS[name]).any():
            yield f"ground of {name}"
    pos = pictures["pos"]
    y, x = np.nonzero((pos > 2).any(axis=2))
    right, away, up = pos[y, x].T
    if np.corrcoef(right, x)[0, 1] < 0.99:
        yield "pos: R is not the image's right"
    if np.corrcoef(up, -y)[0, 1] < 0.99:
        yield "pos: B is not up"
    # A ball's nearest point is in its middle, and its visible half is the nearer one.
    from_middle = np.hypot(x - x.mean(), y - y.mean())
    if np.corrcoef(away, from_middle)[0, 1] < 0.8 or away.max() > 150 or away.min() > 3:
        yield "pos: G does not grow away from the camera"
    if set(np.unique(pictures["mask"])) != {0, 255} or set(np.unique(pictures["edge"])) != {0, 255}:
        yield "levels of mask or edge"
    if ((pictures["gt"] != 240).any(axis=2) & (pictures["mask"][..., 0] == 0)).any():
        yield "mask lacks what gt shows"
