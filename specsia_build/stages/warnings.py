"""Warnings about a registered and rendered reconstruction."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from specsia_build.arrays import Pixels
from specsia_build.backends.scoring import FAR_COLOUR, Likeness, Turned, better_frame, small, stated_axes
from specsia_build.characters.checks.looks import plain_colour
from specsia_build.registration import LOST, lost_part
from specsia_build.rendering.layers import Look
from specsia_build.rendering.mesh import Mesh
from specsia_build.stages.stage import Meta
from specsia_build.warning import Code, Warning


@dataclass(frozen=True)
class Comparison:
    """A rendered reconstruction and the ground truth to compare it with."""

    mesh: Mesh  # The reconstruction before registration
    placed: Mesh  # After registration
    front: Pixels  # (S, S, 4) uint8, its view from the front
    behind: Pixels | None  # (S, S, 4) uint8, its view from behind, if there is one
    masks: Pixels  # (V, S, S) uint8, its silhouettes
    gt: Pixels  # (S, S, 4) uint8, the frontal Y*
    gt_masks: Pixels  # (V, S, S) uint8, silhouettes of Y* without the contour
    look: Look


def warnings_about(pair: Comparison, reconstructed: Meta) -> tuple[list[dict[str, str]], str | None]:
    """Records of warnings, and the reason why a reconstruction misses the silhouettes, if known."""
    goal = small(pair.gt, pair.gt_masks[0])
    front = small(pair.front, pair.front[..., 3])
    behind = None if pair.behind is None else small(pair.behind, pair.behind[..., 3])
    as_is, turned = better_frame(pair.mesh, pair.placed, front, behind, goal, pair.look)
    backend, known = reconstructed["backend"], reconstructed["warnings"]
    whose = f"the reconstruction by {backend}"
    if turned is not None:
        # Missing parts and other colours follow from that.
        end = misplaced(as_is, turned, reconstructed["reading"])
        return [*known, Warning("misplaced", f"{whose} {end}", backend).record()], f"it {end}"
    ends = (*_lacking(pair, reconstructed), *_coloured(front, goal, as_is, reconstructed))
    return [*known, *(Warning(code, f"{whose} {end}", backend).record() for code, end in ends)], None


def misplaced(as_is: Likeness, turned: Turned, reading: Meta | None) -> str:
    """End of a sentence: how a mesh is turned, the evidence, and what would fix it."""
    now, then = as_is, turned.likeness
    read = () if reading is None else (reading["axes"], reading["stated_in"])
    line = stated_axes(turned.matrix, *read)
    ious = f"IoU {then.iou:.2f} instead of {now.iou:.2f}"
    colours = f"colours {then.colour_difference:.2f} apart instead of {now.colour_difference:.2f}"
    return f"seems to {turned.seems}: with {line} its front looks more like the picture ({ious}, {colours})"


def _lacking(pair: Comparison, reconstructed: Meta) -> Iterator[tuple[Code, str]]:
    """Code and end of a sentence about a part that Z lacks in a view that the backend was given."""
    count = len(pair.masks) if reconstructed["sees_ground_truth"] else 1
    missing = [lost_part(z, y) for z, y in zip(pair.masks[:count], pair.gt_masks[:count], strict=True)]
    worst = int(np.argmax(missing))
    if missing[worst] >= LOST:
        part = f"a part of the character, {missing[worst]:.0%} of its silhouette in view {worst}"
        yield "part-lost", f"lacks {part}: look at it in `specsia report`"


def _coloured(
    front: Pixels, goal: Pixels, as_is: Likeness, reconstructed: Meta
) -> Iterator[tuple[Code, str]]:
    """Code and end of a sentence on how the colours of Z's front and the picture, (s, s, 4), differ."""
    plain, reading = plain_colour(front, front[..., 3]), reconstructed["reading"]
    if plain is not None and plain_colour(goal, goal[..., 3]) is None:
        cause = "its texture or its vertices' colours were not read"
        yield "one-colour", f"shows one plain {plain} where the picture has more colours: {cause}"
    elif as_is.pale and reading is not None and reading["linear"]:
        line = f"with colors: srgb in {reading['stated_in']}" if reading["stated_in"] else "decoded from sRGB"
        cause = "as if its vertices' colours were sRGB, although glTF requires linear ones"
        gain = (
            f"{line} they would differ from the picture's by {as_is.decoded:.2f} instead of {as_is.plain:.2f}"
        )
        yield "too-pale", f"is too pale, {cause}; {gain}"
    elif as_is.plain >= FAR_COLOUR:
        apart = f"they differ by {as_is.plain:.2f} of the full range, usual are less than {FAR_COLOUR:.2f}"
        causes = "the cause may be shading, a wrong texture or another character's mesh"
        yield "colours-differ", f"has other colours than the picture ({apart}): {causes}"
