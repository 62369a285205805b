"""Rows of an evaluation's tables by name, and what each is. Needs no torch, so that help is quick."""

from specsia_build.look.evaluation import UNREPAIRED

LINE_ADDED, PASTE = "line", "look-up"
SAMPLE_WISE, SINGLE_PAIR = "sample-wise", "single-pair"
OUTLINE_ALONE = "outline"
WITHOUT_DRAWING, WITHOUT_POSITIONS = "no-drawing", "no-positions"
ONE_EPOCH = "one-epoch"
DIFIX = "difix3d"

ROWS = {
    UNREPAIRED: "Z itself",
    LINE_ADDED: "Z with a contour in the style of the drawing's",
    PASTE: "the same with the drawing's colours where it shows the place",
    SAMPLE_WISE: "a network trained from scratch on the frontal pair and the drawing",
    SINGLE_PAIR: "a network trained from scratch on only the frontal pair, as in DrawingSpinUp",
    OUTLINE_ALONE: "a network fitted only to the frontal contour, around look-up's colours",
    DIFIX: "Difix3D with the drawing as reference, in its own environment",
    WITHOUT_DRAWING: "each model without the drawing",
    WITHOUT_POSITIONS: "each model without positions and colours looked up by them",
    ONE_EPOCH: "each model after one plain epoch on the frontal pair, all weights free",
}
"""Rows beside those of each model as it is and adapted; those from `no-drawing` on are of each model."""

# Updates, and patches an update, of a network that is fitted to one frontal pair from nothing
FIT_STEPS, FIT_BATCH = 1500, 8
FAST = (UNREPAIRED, LINE_ADDED, PASTE)  # Rows without a training, which are compared by default
ROW_NAMES = tuple(ROWS)


def rows_help() -> str:
    """Text that lists all rows."""
    return "; ".join(f"{name}: {meaning}" for name, meaning in ROWS.items())
