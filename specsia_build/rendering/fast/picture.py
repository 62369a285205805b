"""The buffers that a view is drawn into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build.rendering.fast.raster import NO_FACE
from specsia_build.rendering.fast.rows import padded


class Picture(NamedTuple):
    """A view of S x S pixels as compiled code writes it, `padded`; see `Layers` and `Seen`.

    `face` and `sample` are anything where a picture is not asked what it shows and nothing was drawn.
    """

    color: NDArray[np.uint8]
    coverage: NDArray[np.uint8]
    position: NDArray[np.float32]
    face: NDArray[np.int32]
    sample: NDArray[np.uint8]

    @classmethod
    def empty(cls, size: int, seen: bool) -> Picture:
        """Nothing is seen yet; `seen` says whether it is to be asked what it shows."""
        shape = (size, size)
        face = padded(shape, np.int32, clear=False)
        if seen:
            face[:] = NO_FACE
        return cls(
            padded((*shape, 4), np.uint8),
            padded(shape, np.uint8),
            padded((*shape, 3), np.float32),
            face,
            padded(shape, np.uint8, clear=seen),
        )


@dataclass
class Canvas:
    """A picture that serves one view after the other: to clear it is cheaper than to be given fresh pages.

    Attributes:
        picture: empty outside the box.
        seen: whether the picture is asked what it shows.
        box: first and end row, first and end column of the pixels that the last view may have touched.
    """

    picture: Picture
    seen: bool
    box: tuple[int, int, int, int] = (0, 0, 0, 0)

    @classmethod
    def of(cls, size: int, seen: bool) -> Canvas:
        """An empty one."""
        return cls(Picture.empty(size, seen), seen)

    def begin(self, box: tuple[int, int, int, int]) -> Picture:
        """The picture, emptied for a view that touches no pixel outside `box`."""
        part = np.s_[self.box[0] : self.box[1], self.box[2] : self.box[3]]
        self.picture.color[part] = 0
        self.picture.coverage[part] = 0
        self.picture.position[part] = 0
        if self.seen:
            self.picture.face[part] = NO_FACE
        self.box = box
        return self.picture
