"""The networks that score the front: numbers of known views."""

import numpy as np
import pytest

from specsia_build.characters.front import AROUND, front_logits
from specsia_build.frame import view_cameras
from specsia_build.rendering.layers import Layers

SIZE = 64


def view(number: int, width: float, height: float = 26.0) -> Layers:
    """A striped figure, faint at its edge and nearest to camera `number` in its middle; none of width 0."""
    y, x = np.indices((SIZE, SIZE)) + 0.5
    depth = ((x - 30) / max(width, 1e-6)) ** 2 + ((y - 34) / height) ** 2
    color = np.zeros((SIZE, SIZE, 4), np.uint8)
    color[..., :3] = 128 + 100 * np.sin(np.stack([x / (2 + number), y / 3, x * y / 90], axis=-1))
    color[..., 3] = (1000 * (1.1 - depth)).clip(0, 255)
    color[color[..., 3] == 0] = 0
    position = np.cos(depth)[..., None] * view_cameras(4, SIZE)[number].basis()[2]
    position[color[..., 3] == 0] = 0
    return Layers(color, color[..., 3], position.astype(np.float32))


@pytest.mark.parametrize(
    ("sizes", "logits"),
    [
        (((6, 26), (9, 26), (12, 26), (15, 26)), (-1.25855, -1.25943, 1.04969, -0.17931)),
        (((12, 40), (0, 26), (12, 3), (40, 26)), (-2.25949, -1.93995, -1.64343, 4.29831)),
        (((2, 2), (3, 2), (2, 3), (1, 1)), (1.40195, 0.09463, 1.01949, -3.1774)),
    ],
    ids=["whole", "cut by the picture or empty", "small"],
)
def test_logits_of_known_views(sizes: tuple[tuple[float, float], ...], logits: tuple[float, ...]) -> None:
    found = front_logits([view(number, *size) for number, size in enumerate(sizes)])
    assert list(found) == list(AROUND)
    assert list(found.values()) == pytest.approx(logits, abs=1e-4)
