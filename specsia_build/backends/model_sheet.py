"""Imitation of an artist's model sheet: the truth's side and back, redrawn with errors, for `relief`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.arrays import Doubles, Pixels
from specsia_build.backends.base import Backend, Context, SideDrawing, check_image
from specsia_build.backends.relief.backend import Relief
from specsia_build.backends.settings import strength_of
from specsia_build.backends.sides import matched, matched_back
from specsia_build.errors import CharacterError
from specsia_build.frame import Camera
from specsia_build.pictures.masks import box_around
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.layers import HALF_COVERED
from specsia_build.rendering.mesh import Mesh

# Largest errors at strength 1: of the figure's place in its heights and of its scale, and of its features
OFF, FEATURES = 0.02, 0.02
LINE_ERROR = 0.004  # Of a line, in heights of the figure
_FEATURE, _WOBBLE = 0.12, 0.03  # Heights over which features are shifted together, and lines waver


@dataclass(frozen=True)
class ModelSheet(Backend):
    """Backend that gives `relief` the truth's side and back, redrawn, at strength 1 2 % of the height off."""

    strength: float = 1.0
    _relief: Relief = field(default_factory=Relief)

    name = "model-sheet"
    version = 1
    sees_ground_truth = True
    compiles = True

    def settings(self) -> Mapping[str, Any]:
        return {"strength": self.strength, "relief": [self._relief.version, dict(self._relief.settings())]}

    def reconstruct(self, image: NDArray[np.uint8], context: Context) -> Mesh:
        """The closed, textured mesh that `relief` makes of front, side and back.

        Raises CharacterError if the picture is not square or too small, there is no ground truth, or a
        drawing shows nothing.
        """
        check_image(image)
        if context.ground_truth is None:
            raise CharacterError("model-sheet draws its side from the ground truth, and there is none")
        size = len(image)
        cameras = [Camera(yaw, size) for yaw in (90.0, 180.0)]
        layers = FastRenderer().render(context.ground_truth(), cameras)
        streams = [np.random.Generator(np.random.PCG64([context.seed, k])) for k in range(len(cameras))]
        pairs = zip(layers, streams, strict=True)
        drawings = [redrawn(layer.color.copy(), stream, self.strength) for layer, stream in pairs]
        if not all((drawing[..., 3] >= HALF_COVERED).any() for drawing in (image, *drawings)):
            raise CharacterError("the character shows nothing from its front, its side or its back")
        side = SideDrawing(matched(drawings[0], image).picture, "left")
        back = matched_back(drawings[1], image).picture
        return self._relief.reconstruct(image, replace(context, side=side, back=back))


def redrawn(picture: Pixels, random: np.random.Generator, strength: float) -> Pixels:
    """Draw a figure (S, S, 4) again as an artist does: shifted, scaled, its features and lines a little off.

    Errors are up to `strength` times those of `OFF`, `FEATURES` and `LINE_ERROR`. An empty picture stays
    empty.
    """
    covered = picture[..., 3] >= HALF_COVERED
    if strength == 0 or not covered.any():
        return picture
    rows, columns = box_around(covered)
    height = rows.stop - rows.start
    middle = np.array([rows.start + rows.stop, columns.start + columns.stop]) / 2
    shift = random.uniform(-OFF, OFF, 2) * height * strength
    scale = 1 + random.uniform(-OFF, OFF) * strength
    places = np.indices(covered.shape).astype(np.float64)
    places = (places - (middle + shift)[:, None, None]) / scale + middle[:, None, None]
    # Features are off row by row, such as a belt that is drawn lower; lines waver everywhere.
    features = _wavering(random, (2, len(picture)), _FEATURE * height) * FEATURES * height * strength
    lines = _wavering(random, (2, *covered.shape), _WOBBLE * height) * LINE_ERROR * height * strength
    places += features[:, :, None] + lines
    premultiplied = picture.astype(np.float32)
    premultiplied[..., :3] *= premultiplied[..., 3:] / 255
    layers = [scipy.ndimage.map_coordinates(premultiplied[..., k], places, order=1) for k in range(4)]
    drawn = np.stack(layers, axis=-1)
    drawn[..., :3] *= 255 / np.maximum(drawn[..., 3:], 1)
    out = np.rint(drawn.clip(0, 255)).astype(np.uint8)
    out[out[..., 3] == 0] = 0
    return np.asarray(out)


def _wavering(random: np.random.Generator, shape: tuple[int, ...], width: float) -> Doubles:
    """Smooth noise of a shape (2, ...) that changes over so many pixels; each of the two reaches -1 or 1."""
    noise = random.standard_normal(shape)
    smooth = np.stack([scipy.ndimage.gaussian_filter(each, width, mode="nearest") for each in noise])
    largest = np.abs(smooth).max(axis=tuple(range(1, smooth.ndim)), keepdims=True)
    return np.asarray(smooth / np.maximum(largest, 1e-12))


def create(argument: str | None) -> ModelSheet:
    """Create the backend for ``model-sheet[:STRENGTH]``; a UsageError unless that is a number from 0 to 2."""
    return ModelSheet(strength_of(ModelSheet.name, argument))
