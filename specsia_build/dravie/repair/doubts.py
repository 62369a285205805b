"""What is doubtful about frames: pictures that can be read, and do not show what a model was made for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from specsia_build.dravie.config import HALF_COVERED
from specsia_build.dravie.recall import Memory, recalled
from specsia_build.errors import plural

LEAST_PLACES = 64
"""Opaque pixels from which a single position for all of them is no chance."""

ALIKE = 4.0
"""Levels, in the mean, below which channels or pictures are the same but for how they were compressed: coordinates of
one place are tens of levels apart."""

FOREIGN = 0.12
"""Mean difference of colours, 0…1, between a frame and what is remembered of its places, from which another character
is remembered: 0.07 at most in 192 views of the same one by two backends, 0.16 in the median of others."""

SPOILT = 0.25
"""Mean difference between what a frame shows and what is made of it, 0…1, from which a model is spoilt: 0.03 at most in
36 views by a sound one and by fresh weights, 0.41 at least by weights that are 50 times as large or random."""

EMPTY = "without any coverage, so that nothing was painted there: the character is 255 in a mask, or opaque in color/"
FAINT = "nowhere covered by half: masks go from 0 to 255, so look at how mask/ was written"
INVERTED = (
    "covered all along the border, as inverted or white masks are: the character is 255 in a mask, and the rest 0"
)
FLAT = "of a single position throughout: pos/ must hold the place of each pixel on the character, see docs/frame.md"
GREY = (
    "of grey positions, as a depth map is: pos/ must hold three coordinates of each pixel's place on the character, "
    "see docs/frame.md"
)
COLOURS = "of positions that are the colours of color/: pos/ must hold places on the character, see docs/frame.md"
RUINED = (
    "repaired to something else altogether: the model's weights seem to be spoilt, so look at a result, and train anew "
    "or name another RUN"
)
OTHERS = (
    "at odds with the frontal view that the model was adapted to, in the colours of the same places: adapt one to this"
)


def doubts_of(z: NDArray[np.uint8], pos: NDArray[np.uint8], with_pos: bool) -> Iterator[str]:
    """What is doubtful about one frame, of the texts above.

    Args:
        z: (H, W, 4) uint8, Z with straight alpha.
        pos: (H, W, 4) uint8, Zpos.
        with_pos: whether the model sees it.
    """
    alpha = z[..., 3]
    if not alpha.any():
        yield EMPTY
        return
    if alpha.max() < HALF_COVERED:
        yield FAINT
        return
    if min(edge.min() for edge in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1])) >= HALF_COVERED:
        yield INVERTED
    places, colours = (picture[alpha >= HALF_COVERED, :3].astype(np.int16) for picture in (pos, z))
    if not with_pos or len(places) < LEAST_PLACES:
        return
    if (places == places[0]).all():
        yield FLAT
    elif np.ptp(places, axis=1).mean() < ALIKE:
        yield GREY
    elif np.abs(places - colours).mean() < ALIKE:
        yield COLOURS


def is_ruined(z: NDArray[np.uint8], result: NDArray[np.uint8]) -> bool:
    """Whether what a network made of a frame has nothing to do with it; a sound one leaves most of it as it is.

    Args:
        z: (H, W, 4) uint8, Z.
        result: (H, W, 4) uint8, what was made of it; where that is transparent, all of Z is lost.
    """
    inside = z[..., 3] == 255
    if np.count_nonzero(inside) < LEAST_PLACES:
        return False
    seen, made = z[inside].astype(np.float32), result[inside].astype(np.float32)
    alpha = made[:, 3] / 255
    lost = alpha * np.abs(seen - made)[:, :3].mean(axis=1) + (1 - alpha) * 255
    return float(lost.mean()) > SPOILT * 255


def is_foreign(z: NDArray[np.uint8], pos: NDArray[np.uint8], memory: Memory) -> bool:
    """Whether what a memory puts in the place of a frame's colours is another character's.

    Args:
        z: (H, W, 4) uint8, Z.
        pos: (H, W, 4) uint8, Zpos.
        memory: of the character that the model is adapted to.
    """
    # No colour is that of a pixel and of its inverse, so that what is remembered changes one of them.
    inverse = np.dstack([255 - z[..., :3], z[..., 3]])
    seen, other = (recalled(picture, z, pos, memory) for picture in (z, inverse))
    known = (seen != z).any(axis=-1) | (other != inverse).any(axis=-1)
    if np.count_nonzero(known) < LEAST_PLACES:
        return False
    return float(np.abs(z[known].astype(np.int16) - seen[known])[:, :3].mean()) > FOREIGN * 255


def told(found: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """A sentence for each doubt, of the names of the frames that it is about."""
    return tuple(
        f"{plural(len(names), 'frame')}, the first '{names[0]}', {'is' if len(names) == 1 else 'are'} {doubt}"
        for doubt, names in found.items()
    )
