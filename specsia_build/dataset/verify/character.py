"""Checks that need all views of a character at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from specsia_build.dataset.verify.glimpse import Glimpse
from specsia_build.dataset.verify.order import swapped_views
from specsia_build.dataset.verify.report import ORDER, SHAPE, Findings
from specsia_build.dataset.verify.shape import copied_masks, exchanged_opposites, points_in_front, unlike_opposites
from specsia_build.errors import plural


def check_character(uid_of: Callable[[int], str], seen: Mapping[int, Glimpse], views: int, findings: Findings) -> None:
    """Check that the views of a character, or of a clip that goes around it at rest, belong together.

    Args:
        uid_of: gives the uid of a view.
        seen: what is left of each view; not all need be there.
        views: of every character, evenly spaced.
        findings: where problems go.
    """
    copied = copied_masks(seen)
    for view in copied:
        message = "mask is the ground truth's to the byte, while other views show another shape"
        findings.add(SHAPE, uid_of(view), message)
    # A copy fits better than what it should be like, which would be blamed for it.
    seen = {view: glimpse for view, glimpse in seen.items() if view not in copied}
    for column, view, opposite, pixels in unlike_opposites(seen, views):
        other = uid_of(opposite)
        message = (
            f"{column} is not the mirror image of that of {other}, seen from behind: {plural(pixels, 'pixel')} differ"
        )
        findings.add(SHAPE, uid_of(view), message)
    for pair in exchanged_opposites(seen, views):
        for here, there in (pair, pair[::-1]):
            message = f"gt_mask seems to be that of {uid_of(there)}: mask fits the two better crosswise"
            findings.add(SHAPE, uid_of(here), message)
    for view, share in points_in_front(seen):
        message = f"{share:.0%} of its positions stand in front of what other views see, or the other way round"
        findings.add(SHAPE, uid_of(view), message)
    for column, i, j in swapped_views(seen, views):
        message = f"{column} seems to be that of view {{}}: the two fit better the other way round"
        for here, there in ((i, j), (j, i)):
            findings.add(ORDER, uid_of(here), message.format(there))
