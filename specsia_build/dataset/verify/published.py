"""What the published schema lets one check of pictures: it has no alpha, no boxes and no mask of the ground truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from specsia_build.dataset.pairs import background, lift
from specsia_build.dataset.schema import COLOR, EDGE, GT, MASK, POS
from specsia_build.dataset.verify import images
from specsia_build.dataset.verify.report import ALPHA, CONTOUR, IMAGES, IOU, LICENSES, ORDER, POSITION, SHAPE, Findings
from specsia_build.dataset.verify.report import EDGE as EDGE_CHECK
from specsia_build.errors import plural
from specsia_build.films import Pixels

UNCHECKED = frozenset({CONTOUR, POSITION, IOU, SHAPE, ORDER, LICENSES})
"""Checks that need what the schema does not hold."""

OF_MASK = frozenset({ALPHA, EDGE_CHECK})
"""Those that need a mask which is the silhouette of `color` and `pos`."""

MOST_BARE = 0.002
"""Share of a picture's pixels that `mask` may cover though nothing is drawn there."""


MOSTLY = 1.5
"""Misfits of `mask` a row from which it is another picture's by intention: a single fault gives three in its row."""


def check_published_pixels(pixels: Mapping[str, Pixels]) -> Iterator[tuple[str, Sequence[str]]]:
    """What is wrong with the images of a row, by check."""
    if GT in pixels and background(pixels[GT]).all():
        yield IMAGES, ["gt shows nothing but the background"]
    if {COLOR, MASK, POS} <= pixels.keys():
        told = check_mask(pixels[COLOR], pixels[MASK], pixels[POS])
        yield ALPHA, told
        if EDGE in pixels and not told:
            yield EDGE_CHECK, images.check_edge(pixels[EDGE], lift(pixels[POS], pixels[MASK]))


def check_mask(color: Pixels, mask: Pixels, pos: Pixels) -> list[str]:
    """That `color` and `pos` are background where `mask` is 0, and drawn where it is 255."""
    found = []
    for name, image in ((COLOR, color), (POS, pos)):
        outside = int(np.count_nonzero(~background(image) & (mask == 0)))
        if outside:
            found.append(f"{name} is drawn in {plural(outside, 'pixel')} outside of mask")
    bare = int(np.count_nonzero(background(color) & background(pos) & (mask == 255)))
    if bare > MOST_BARE * mask.size:
        found.append(f"mask covers {plural(bare, 'pixel')} in which color and pos are the background")
    return found


def masks_are_others(findings: Findings, rows: int) -> bool:
    """Whether masks fit in next to no row of so many, so that they are another picture's by intention."""
    return findings.counts.get(ALPHA, 0) > MOSTLY * rows


def published_notes(masks_unfit: bool, has_splits: bool) -> list[str]:
    """What was not checked."""
    notes = [
        "this is the published schema, without alpha, gt_mask, iou, boxes and contours: whether positions land on "
        "their pixels, the contour surrounds the silhouette, iou is right, and pictures show the view they stand at "
        "was not checked"
    ]
    if not has_splits:
        notes.append("there is no splits.json: only that no character is in two splits was checked")
    if masks_unfit:
        notes.append(
            "mask is not the silhouette of color and pos in most rows: it is the ground truth's, perhaps, as in the "
            "published set; whether pictures fit it, and edge fits pos, was not checked"
        )
    return notes
