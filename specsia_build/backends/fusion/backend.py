"""Imitation of a multi-view diffusion model: fuse six damaged views of the ground truth into one mesh.

Wonder3D draws six views of a character from one picture and fuses them with instant-nsr. Neither runs without
a GPU, but their faults can be imitated: views that disagree in colour, detail and outline (`damage`), a soft
hull carved from them (`carve`), and colours taken per vertex from whichever view faces it (`colour`). The
views are drawn from the truth, so that silhouettes are better than a single picture allows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from specsia_build.arrays import Pixels
from specsia_build.backends.base import Backend, Context, check_image
from specsia_build.backends.fusion.carve import fused_surface
from specsia_build.backends.fusion.colour import colours_of
from specsia_build.backends.fusion.damage import damaged, turns
from specsia_build.backends.fusion.views import CAMERAS, DrawnViews, true_views
from specsia_build.backends.settings import strength_of
from specsia_build.errors import CharacterError
from specsia_build.rendering.colour import srgb_to_linear
from specsia_build.rendering.mesh import Mesh


@dataclass(frozen=True)
class Fusion(Backend):
    """Backend that damages and fuses six views of the truth; strength 1 is like Wonder3D with instant-nsr."""

    strength: float = 1.0

    name = "fusion"
    version = 5
    sees_ground_truth = True
    compiles = True

    def settings(self) -> Mapping[str, Any]:
        return {"strength": self.strength}

    def reconstruct(self, image: Pixels, context: Context) -> Mesh:
        """A closed mesh of about 50,000 faces with a colour per vertex, in the frame.

        Raises CharacterError if the picture is not square or too small, there is no ground truth, or nothing
        is left of the character after carving.
        """
        check_image(image)
        if context.ground_truth is None:
            raise CharacterError("fusion draws its views from the ground truth, and there is none")
        # A random stream per view, so that one view's damage does not depend on another's.
        streams = [np.random.Generator(np.random.PCG64([context.seed, k])) for k in range(len(CAMERAS) + 2)]
        truth = true_views(context.ground_truth(), image, turns(streams[-1], self.strength))
        damaged_views = [damaged(*view, k, streams[k], self.strength) for k, view in enumerate(truth)]
        views = DrawnViews(*(np.stack(layer) for layer in zip(*damaged_views, strict=True)))
        mesh, normals = fused_surface(views)
        linear = np.ones((len(mesh.vertices), 4), np.float32)
        linear[:, :3] = srgb_to_linear(colours_of(mesh, normals, views, streams[-2], self.strength))
        return replace(mesh, colors=linear[mesh.faces])


def create(argument: str | None) -> Fusion:
    """Create the backend for ``fusion`` or ``fusion:STRENGTH``; a UsageError if that is no number in 0-2."""
    return Fusion(strength_of(Fusion.name, argument))
