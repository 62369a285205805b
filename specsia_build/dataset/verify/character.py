"""Checks that need all views of a character at once."""

from __future__ import annotations

from collections.abc import Mapping

from specsia_build.dataset.schema import row_uid
from specsia_build.dataset.verify.glimpse import Glimpse
from specsia_build.dataset.verify.order import swapped_views
from specsia_build.dataset.verify.report import ORDER, SHAPE, Findings
from specsia_build.dataset.verify.shape import copied_masks, exchanged_opposites, points_in_front, unlike_opposites


def check_character(character_id: str, seen: Mapping[int, Glimpse], views: int, findings: Findings) -> None:
    """Check that the views of a character belong together.

    Args:
        character_id: of the character.
        seen: what is left of each view; not all need be there.
        views: of every character, evenly spaced.
        findings: where problems go.
    """
    copied = copied_masks(seen)
    for view in copied:
        message = "mask is the ground truth's to the byte, while other views show another shape"
        findings.add(SHAPE, row_uid(character_id, view), message)
    # A copy fits better than what it should be like, which would be blamed for it.
    seen = {view: glimpse for view, glimpse in seen.items() if view not in copied}
    for column, view, opposite, pixels in unlike_opposites(seen, views):
        other = row_uid(character_id, opposite)
        message = f"{column} is not the mirror image of that of {other}, seen from behind: {pixels} pixels differ"
        findings.add(SHAPE, row_uid(character_id, view), message)
    for pair in exchanged_opposites(seen, views):
        for here, there in (pair, pair[::-1]):
            message = f"gt_mask seems to be that of {row_uid(character_id, there)}: mask fits the two better crosswise"
            findings.add(SHAPE, row_uid(character_id, here), message)
    for view, share in points_in_front(seen):
        message = f"{share:.0%} of its positions stand in front of what other views see, or the other way round"
        findings.add(SHAPE, row_uid(character_id, view), message)
    for column, i, j in swapped_views(seen, views):
        message = f"{column} seems to be that of view {{}}: the two fit better the other way round"
        for here, there in ((i, j), (j, i)):
            findings.add(ORDER, row_uid(character_id, here), message.format(there))
