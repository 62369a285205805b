"""The interface of a reconstruction backend: one image in, one mesh in the project's frame out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from specsia_build.errors import CharacterError, plural
from specsia_build.rendering.mesh import Mesh
from specsia_build.warning import Warning

if TYPE_CHECKING:
    from specsia_build.characters.read import AnimatedCharacter

SMALLEST = 64  # Minimum width of a picture in pixels


@dataclass(frozen=True)
class Reading:
    """How a mesh file of another program was read.

    Attributes:
        axes: signed axes of the file that were read as x, y, z of the frame.
        linear: whether its vertex colours were read as linear.
        stated_in: file with the settings ``axes`` and ``colors`` that change both; None without one.
        warnings: about the file.
    """

    axes: tuple[str, ...]
    linear: bool
    stated_in: str | None
    warnings: tuple[Warning, ...] = ()


@dataclass(frozen=True, eq=False)
class SideDrawing:
    """A drawing of the figure from its side, in the scale and the rows of the frontal picture.

    Attributes:
        picture: (S, W, 4) uint8, straight alpha, without a contour; W may be any number.
        shows: the figure's own side that is seen; with ``left`` it looks to the left of the picture.
    """

    picture: NDArray[np.uint8]
    shows: Literal["left", "right"]

    @property
    def from_left(self) -> NDArray[np.uint8]:
        """The picture (S, W, 4) as seen from the figure's left: columns grow from its front to its back."""
        picture = self.picture if self.shows == "left" else self.picture[:, ::-1]
        return np.ascontiguousarray(picture)


def _ignore(_: object) -> None: ...


@dataclass(frozen=True)
class Context:
    """Information for a backend besides the image.

    Attributes:
        character_id: id of the character in the picture.
        seed: 64-bit integer drawn from the build's seed and the character's id; the only randomness.
        ground_truth: returns the character's normalised mesh; None unless the backend `sees_ground_truth`.
        read: call it with every file of the backend's ``folder`` that was read for this character or looked
            for in vain, so that the mesh is made again if one changes.
        note: call it with a `Reading` if the mesh is read from a file.
        framed: whether the image is the frame's frontal view, `ORTHO_WIDTH` units wide with the character in
            its middle and its longest side, visible or not, about one unit; False for a user's own picture.
        back: (S, S, 4) uint8, straight alpha: a drawing of the figure from behind, in a frame of the same
            size, or None; only for backends with ``sees_back = True``.
        side: a drawing of the figure from its side, or None; only for backends with ``sees_side = True``.
        is_profile: whether the picture shows the figure from its side, so that the far side mirrors the near
            one; only for backends with ``sees_profile = True``.
        warn: call it with a sentence to add a warning to the character.
    """

    character_id: str
    seed: int
    ground_truth: Callable[[], Mesh] | None = None
    read: Callable[[Iterable[Path]], None] = _ignore
    note: Callable[[Reading], None] = _ignore
    framed: bool = False
    back: NDArray[np.uint8] | None = None
    side: SideDrawing | None = None
    is_profile: bool = False
    warn: Callable[[str], None] = _ignore


class Backend(ABC):
    """One reconstruction method, made by a factory of the entry-point group ``specsia.backends``.

    A subclass sets `name`, writes `reconstruct`, and overrides what differs from the defaults. Names of other
    members of the class begin with an underscore, so that a misspelt one is noticed.

    Attributes:
        name: name for `--backend`, without an argument.
        version: to be raised whenever the same input would give another mesh.
        sees_ground_truth: whether `Context.ground_truth` must be given. The dataset card says so.
        needs_yaw: whether registration must also search the turn about Z.
        keeps_frame: whether its meshes already cover the picture's silhouette, so that `repair` does not
            register them to a drawing.
        generates: False for a backend that reads meshes, as they need not look like the picture (`scoring`).
        sees_back: whether it uses `Context.back`.
        sees_side: whether it uses `Context.side`.
        sees_profile: whether it uses `Context.is_profile`.
        compiles: whether its first call compiles functions, which a build then does before it begins.
        folder: holds all files passed to `Context.read`.
        slots: pictures at a time; None for as many as there are workers.
        gpus: GPUs per process of a backend with `slots`.
        patience: seconds that one picture may take, if more than the build's ``timeout``.
    """

    name: str
    version: int = 1
    sees_ground_truth: bool = False
    needs_yaw: bool = False
    keeps_frame: bool = False
    generates: bool = True
    sees_back: bool = False
    sees_side: bool = False
    sees_profile: bool = False
    compiles: bool = False
    folder: Path | None = None
    slots: int | None = None
    gpus: int = 1
    patience: float = 0.0

    @abstractmethod
    def reconstruct(self, image: NDArray[np.uint8], context: Context) -> Mesh:
        """Make a textured mesh in the frame, in the scale of the image's orthographic camera if it is known.

        Args:
            image: (H, W, 4) uint8 sRGB, straight alpha: the frontal view without contour.
            context: see `Context`.

        Raises CharacterError if this character cannot be reconstructed.
        """

    def settings(self) -> Mapping[str, Any]:
        """JSON-serialisable settings that decide the result; part of the artefact's fingerprint."""
        return {}

    def inputs(self, character_id: str) -> Sequence[Path]:
        """Files that the result for this character depends on, besides the image and `Context.read`'s."""
        return ()

    def animated(self, character_id: str) -> AnimatedCharacter | None:
        """The mesh of `reconstruct` with its own rig and motions; None if it has none."""
        return None

    def logs_to(self, folder: Path) -> None:  # noqa: B027
        """Write logs to this folder of the run."""

    def work_on(self, device: str) -> None:  # noqa: B027
        """Use this GPU, on a cluster."""

    def close(self) -> None:  # noqa: B027
        """Free what the backend holds; called at the end, perhaps twice."""


def check_image(image: NDArray[np.uint8]) -> None:
    """Raise a CharacterError unless a picture is square, RGBA and at least `SMALLEST` pixels wide."""
    if image.ndim != 3 or image.shape[2] != 4 or image.dtype != np.uint8:
        raise CharacterError("the picture has no alpha channel of 8 bits, so there is no silhouette")
    height, width = image.shape[:2]
    if height != width:
        raise CharacterError(f"the picture is {width} x {height} pixels; it must be square")
    if width < SMALLEST:
        raise CharacterError(f"the picture is {plural(width, 'pixel')} wide; at least {SMALLEST} are needed")
