"""Pictures of a character that is quarantined for its looks: Y*, Z, and where their silhouettes differ."""

from __future__ import annotations

from collections.abc import Mapping

from specsia_build import png
from specsia_build.dataset.images import overlay_image
from specsia_build.dataset.layers import view_file
from specsia_build.dataset.schema import COLOR, GT, GT_MASK, MASK

OVERLAY = "overlay"

PICTURES = (COLOR, MASK, OVERLAY, GT)
"""Names of the views' pictures; files of them end in the view's number."""


def beside_truth(files: Mapping[str, bytes], view: int, rendered: Mapping[str, bytes]) -> dict[str, bytes]:
    """PNGs by name of one view: Z, its mask, Y*, and the overlay of their silhouettes.

    Args:
        files: with Z and its mask of the view.
        view: its number.
        rendered: files of the render artefact.
    """
    color, mask, gt = (view_file(name, view) for name in (COLOR, MASK, GT))
    silhouettes = png.decode(files[mask], 1), png.decode(rendered[view_file(GT_MASK, view)], 1)
    overlay = png.encode(overlay_image(*silhouettes))
    return {color: files[color], mask: files[mask], gt: rendered[gt], view_file(OVERLAY, view): overlay}
