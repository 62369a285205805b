"""The published set's pictures, made from this project's.

V views of S x S pixels; pictures are uint8, with straight alpha, and RGB is 0 where alpha is 0. Which
pictures are which, and every rule here, follow the release's scripts (`stage0_gt_render`,
`stage3_obj_render`, `stage5_hf`).
"""

from collections.abc import Mapping, Sequence

import numpy as np

from specsia_build.arrays import Doubles, Pixels
from specsia_build.frame import IN_VIEW, Camera, decode_position, position_codes
from specsia_build.published.rows import Y_GROUND
from specsia_build.rendering.positions import edge_image


def positions_in_views(
    pos: Pixels, yaws: Sequence[float], boxes: Doubles, turned_boxes: Doubles | None = None
) -> Pixels:
    """Colour positions anew, as the published set has them: turned into each view, over a box of that view.

    R is the image's right, G away from the camera with 0 for the nearest, B up; halves are rounded up.
    Returns (V, S, S, 4) with the alpha of `pos`.

    Args:
        pos: (V, S, S, 4), positions on the character (`frame.ON_CHARACTER`).
        yaws: (V,) degrees.
        boxes: (V, 2, 3), smallest and largest x, y, z that the colours of a view span.
        turned_boxes: (V, 2, 3), smallest and largest right, away, up of all vertices in each view; None takes
            those of all points that any of the views shows.
    """
    shown = [picture[..., 3] > 0 for picture in pos]
    # A point in a column, as numpy takes ten times as long along the first axis.
    points = [
        np.ascontiguousarray(decode_position(picture[seen][:, :3], *box).T)
        for picture, seen, box in zip(pos, shown, boxes, strict=True)
    ]
    everything = np.concatenate(points, axis=1)
    coloured = np.zeros_like(pos)
    coloured[..., 3] = pos[..., 3]
    for view, yaw in enumerate(yaws):
        turn = Camera(yaw, pos.shape[2]).turn()
        if turned_boxes is not None:
            low, high = turned_boxes[view]
        elif everything.size:
            turned = turn @ everything
            low, high = turned.min(axis=1), turned.max(axis=1)
        else:
            continue
        gain, offset = position_codes(low, high, IN_VIEW)
        codes = (turn @ points[view]).T * gain + offset
        coloured[view, shown[view], :3] = np.clip(np.floor(codes + 0.5), 0, 255)
    return coloured


def on_ground(gt: Pixels) -> Pixels:
    """Y* (S, S, 4) on grey: (S, S, 3), computed in single precision and rounded down."""
    levels = gt.astype(np.float32)
    share = levels[..., 3:] / np.float32(255)
    mixed = levels[..., :3] * share + np.float32(Y_GROUND) * (np.float32(1) - share)
    return np.asarray(np.clip(mixed, 0, 255), np.uint8)


def silhouette(gt: Pixels) -> Pixels:
    """Mask (S, S) of Y* (S, S, 4): 255 where it has any alpha, its contour included, else 0."""
    return np.asarray(np.where(gt[..., 3] > 0, np.uint8(255), np.uint8(0)))


def row_pictures(color: Pixels, pos: Pixels, gt: Pixels, edge: Pixels) -> Mapping[str, Pixels]:
    """Pictures of a row by column, from Z, positions in the view and Y*, each (S, S, 4), and edges (S, S).

    `color` and `pos` lose their alpha without being laid on anything, and so lie on black; `gt` lies on grey.
    """
    return {
        "color": color[..., :3],
        "pos": pos[..., :3],
        "edge": np.dstack([edge, edge, edge]),
        "mask": silhouette(gt),
        "gt": on_ground(gt),
    }


def tree_pictures(color: Pixels, pos: Pixels, gt: Pixels) -> Mapping[str, Pixels]:
    """Pictures of a view by name in `tree.PICTURE_FILES`, from Z, positions in it and Y*, each (S, S, 4)."""
    pictures = {"color": color, "pos": pos, "edge": edge_image(pos)}
    return pictures | {"mask": silhouette(gt), "gt": gt, "gt_on_grey": on_ground(gt)}
