"""Drawings made from signed distances, renders of backends' results, and a fake backend."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import registration
from specsia_build.backends.base import Backend, Context
from specsia_build.frame import Camera
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import Mesh

Field = NDArray[np.float64]
Image = NDArray[np.uint8]

SKIN, HAIR, SHIRT, LEGS, EYE = (230, 180, 150), (90, 50, 30), (200, 40, 40), (40, 60, 160), (20, 20, 20)
PALETTE = (SKIN, HAIR, SHIRT, LEGS, EYE)


def pixels(size: int) -> tuple[Field, Field]:
    """Columns and rows of the pixel centres in parts of the picture."""
    rows, columns = (np.mgrid[:size, :size] + 0.5) / size
    return columns, rows


def disc(size: int, x: float, y: float, radius: float) -> Field:
    """Signed distance in parts of the picture, positive inside."""
    columns, rows = pixels(size)
    return np.asarray(radius - np.hypot(columns - x, rows - y))


def limb(size: int, start: tuple[float, float], end: tuple[float, float], radius: float) -> Field:
    columns, rows = pixels(size)
    dx, dy = end[0] - start[0], end[1] - start[1]
    along = np.clip(((columns - start[0]) * dx + (rows - start[1]) * dy) / (dx * dx + dy * dy), 0, 1)
    return np.asarray(radius - np.hypot(columns - start[0] - along * dx, rows - start[1] - along * dy))


def painted(distance: Field, colours: Field | tuple[int, int, int] = SHIRT) -> Image:
    """RGBA of a signed distance; RGB is 0 where nothing is covered, as in the project's pictures."""
    coverage = np.clip(distance * len(distance) + 0.5, 0, 1)
    image = np.zeros((*distance.shape, 4), np.uint8)
    image[..., :3] = colours
    image[..., 3] = np.rint(255 * coverage)
    image[image[..., 3] == 0] = 0
    return image


def figure(size: int) -> tuple[Field, Field]:
    """A figure in T-pose with head, torso, arms and legs: signed distance, and colours with a face."""
    head = disc(size, 0.5, 0.27, 0.12)
    torso = limb(size, (0.5, 0.43), (0.5, 0.6), 0.095)
    arms = limb(size, (0.2, 0.42), (0.8, 0.42), 0.035)
    legs = np.maximum(*(limb(size, (x, 0.62), (x, 0.85), 0.042) for x in (0.45, 0.55)))
    colours = np.empty((size, size, 3))
    colours[:] = SHIRT
    colours[pixels(size)[1] > 0.64] = LEGS
    colours[(head > 0) & (head >= torso)] = HAIR
    colours[disc(size, 0.5, 0.28, 0.075) > 0] = SKIN
    for x in (0.47, 0.53):
        colours[disc(size, x, 0.27, 0.012) > 0] = EYE
    return np.maximum.reduce([head, torso, arms, legs]), colours


def picture() -> Image:
    """A red box."""
    image = np.zeros((64, 64, 4), np.uint8)
    image[8:56, 16:48] = (200, 30, 30, 255)
    return image


def seen(mesh: Mesh, yaw: float = 0.0, size: int = 512) -> Image:
    return next(iter(FastRenderer().render(mesh, [Camera(yaw, size)]))).color


def iou(one: Image, two: Image) -> float:
    return registration.iou(one[..., 3], two[..., 3])


@dataclass
class Fake(Backend):
    """Backend that returns the result of `make`, and counts calls of `close`."""

    make: Callable[[Context], Mesh]
    name: str = "mine"
    version: int = 1
    sees_ground_truth: bool = False
    needs_yaw: bool = False
    closed: int = 0

    def settings(self) -> Mapping[str, Any]:
        return {}

    def reconstruct(self, image: Image, context: Context) -> Mesh:
        return self.make(context)

    def close(self) -> None:
        self.closed += 1
