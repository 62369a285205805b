"""Warnings about a reconstruction that was registered and drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specsia_build.backends.scoring import FAR, Likeness, Turned, better_frame, small, stated_axes
from specsia_build.characters.doubts.looks import plain_colour
from specsia_build.registration import LOST, lost_part
from specsia_build.rendering.layers import Look
from specsia_build.rendering.mesh import Mesh
from specsia_build.stages.stage import Meta

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Seen:
    """A drawn reconstruction, and the ground truth to compare it with.

    Attributes:
        mesh, placed: before and after registration.
        front, behind: (S, S, 4) uint8, its frontal view and that from behind, if any.
        masks: (V, S, S) uint8, its silhouettes.
        gt: (S, S, 4) uint8, the frontal Y*.
        gt_masks: (V, S, S) uint8, silhouettes of Y* without the contour.
    """

    mesh: Mesh
    placed: Mesh
    front: Pixels
    behind: Pixels | None
    masks: Pixels
    gt: Pixels
    gt_masks: Pixels
    look: Look


def doubts(seen: Seen, made: Meta) -> tuple[tuple[str, ...], str | None]:
    """Warnings about a reconstruction with meta data `made`, and why it meets silhouettes badly, if that is known."""
    goal = small(seen.gt, seen.gt_masks[0])
    front, behind = (None if view is None else small(view, view[..., 3]) for view in (seen.front, seen.behind))
    assert front is not None
    as_is, turned = better_frame(seen.mesh, seen.placed, front, behind, goal, seen.look)
    whose = f"the reconstruction by {made['backend']}"
    if turned is not None:
        # What is lost, added or coloured otherwise follows from that.
        end = misplaced(as_is, turned, made["reading"])
        return (*made["warnings"], f"{whose} {end}"), f"it {end}"
    ends = (_lacking(seen, made), _coloured(front, goal, as_is, made))
    return (*made["warnings"], *(f"{whose} {end}" for end in ends if end is not None)), None


def misplaced(as_is: Likeness, turned: Turned, reading: Meta | None) -> str:
    """Describe how a mesh lies in its frame, the evidence, and what would fix it: the end of a sentence."""
    now, then = as_is, turned.likeness
    read = () if reading is None else (reading["axes"], reading["stated_in"])
    line = stated_axes(turned.matrix, *read)
    ious = f"IoU {then.iou:.2f} instead of {now.iou:.2f}"
    colours = f"colours {then.colour_difference:.2f} apart instead of {now.colour_difference:.2f}"
    return f"seems to {turned.seems}: with {line} its front looks more like the picture ({ious}, {colours})"


def _lacking(seen: Seen, made: Meta) -> str | None:
    """Name a part that Z lacks in a view that the backend was given: the end of a sentence, or None."""
    shown = len(seen.masks) if made["sees_ground_truth"] else 1
    lost = [lost_part(z, y) for z, y in zip(seen.masks[:shown], seen.gt_masks[:shown], strict=True)]
    worst = int(np.argmax(lost))
    if lost[worst] < LOST:
        return None
    return f"lacks a part that view {worst} shows, {lost[worst]:.0%} of its silhouette: look at it in `specsia report`"


def _coloured(front: Pixels, goal: Pixels, as_is: Likeness, made: Meta) -> str | None:
    """Describe how colours of Z's front (s, s, 4) differ from the picture's (s, s, 4), as the end of a sentence."""
    plain, reading = plain_colour(front, front[..., 3]), made["reading"]
    if plain is not None and plain_colour(goal, goal[..., 3]) is None:
        return f"shows one plain {plain} where the picture has more: its texture or its vertices' colours were not read"
    if as_is.pale and reading is not None and reading["linear"]:
        line = f"with colors: srgb in {reading['stated_in']}" if reading["stated_in"] else "decoded once more"
        return (
            f"is too pale, as if its vertices' colours were encoded, which glTF has linear; {line} they would be "
            f"{as_is.decoded:.2f} from the picture's instead of {as_is.plain:.2f}"
        )
    if as_is.plain < FAR:
        return None
    return (
        f"has other colours than the picture, {as_is.plain:.2f} of full range apart where sound ones have less than "
        f"{FAR:.2f}: shading, a wrong texture or another character's mesh look so"
    )
