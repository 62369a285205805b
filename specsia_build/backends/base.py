"""What a reconstruction backend is: one image in, one mesh in the project's frame out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from specsia_build.rendering.mesh import Mesh


@dataclass(frozen=True)
class Reading:
    """How a mesh file that somebody else wrote was read.

    Attributes:
        axes: which signed axes of the file were taken for our x, y, z.
        linear: whether it has colours of vertices that were taken for linear ones.
        stated_in: the file in which the user may say otherwise, by ``axes`` and ``colors``; None where there is none.
        warnings: sentences about what is doubtful in the file.
    """

    axes: tuple[str, ...]
    linear: bool
    stated_in: str | None
    warnings: tuple[str, ...] = ()


def _forget(_: object) -> None:
    """Takes no notice, as nothing is kept."""


@dataclass(frozen=True)
class Context:
    """What a backend may know besides the image.

    Attributes:
        character_id: whose picture it is.
        seed: 64-bit integer drawn from the build's seed and the character's id; the only source of randomness.
        ground_truth: reads the character's normalised mesh; None unless the backend declares `sees_ground_truth`.
        read: told every file that the backend read for this character or looked for in vain, so that the character is
            made again where one changes; all lie in the backend's ``folder``.
        note: told how the mesh was read, where that was from a file, so that it can be doubted.
        framed: whether the image is the frame's frontal view, `ORTHO_WIDTH` units wide with the character in its middle
            and its longest side, seen or not, about one unit; not a picture of anybody's own.
        back: (S, S, 4) uint8, straight alpha: the figure from behind in a frame of the same size, where it is drawn;
            only backends with ``sees_back = True`` are given one.
        doubt: told, in a sentence each, what is doubtful about the mesh although it serves: a warning of the character.
    """

    character_id: str
    seed: int
    ground_truth: Callable[[], Mesh] | None = None
    read: Callable[[Iterable[Path]], None] = _forget
    note: Callable[[Reading], None] = _forget
    framed: bool = False
    back: NDArray[np.uint8] | None = None
    doubt: Callable[[str], None] = _forget


class Backend(Protocol):
    """One reconstruction method, made by a factory of the entry-point group ``specsia.backends``.

    Attributes:
        name: what `--backend` calls it, without an argument.
        version: grows whenever the same input would give another mesh.
        sees_ground_truth: whether `Context.ground_truth` must be given. The dataset card says so.
        needs_yaw: whether registration must also search the turn about Z.

    A backend that reads meshes rather than makes them may say so by ``generates = False``: what is made must look like
    the picture to be accepted (`specsia_build.backends.gate`).

    A backend whose functions are compiled when they are first called says so by ``compiles = True``: it is given a tiny
    picture before a first build, so that this takes no character's time.

    A backend that tells `Context.read` what it reads names the folder that it all lies in as ``folder`` (Path).

    A backend that works through a process of its own may have more members: ``slots`` (int: how many pictures
    can be worked at together; without it, as many as the build has workers), ``patience`` (float: seconds that it may
    take for one picture by its own clocks, where that is longer than the build's ``timeout``) and
    ``logs_to(folder: Path)`` (called before each picture with the run's folder for such logs). On a cluster each of its
    processes holds ``gpus`` (int: 1 without it) and ``work_on(device: str)`` names the GPU that it was given.
    """

    name: str
    version: int
    sees_ground_truth: bool
    needs_yaw: bool

    def settings(self) -> Mapping[str, Any]:
        """What else decides the result, JSON-serialisable; part of the artefact's fingerprint."""
        ...

    def inputs(self, character_id: str) -> Sequence[Path]:
        """Files that the result for this character depends on, besides the image and what `Context.read` was told.

        None, where a class that inherits from this one does not say otherwise.
        """
        return ()

    def reconstruct(self, image: NDArray[np.uint8], context: Context) -> Mesh:
        """A textured mesh in the project's frame, in the scale of the image's orthographic camera where it is known.

        Args:
            image: (H, W, 4) uint8 sRGB, straight alpha: the frontal view without contour. The backend puts it on
                its own background.
            context: see `Context`.

        Raises:
            CharacterError: if this character cannot be reconstructed.
        """
        ...
