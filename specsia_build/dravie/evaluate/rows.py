"""Rows of an evaluation's tables by name, and what each is. Needs no torch, so that help is quick."""

from typing import NamedTuple

from specsia_build.look.evaluation import UNREPAIRED


class ComparedRow(NamedTuple):
    """A row beside those of each model as it is and adapted.

    `of_models` says that each model has such a row; else there is one, a baseline.
    """

    name: str
    meaning: str
    of_models: bool = False


LINE_ADDED, PASTE = "line", "look-up"
SAMPLE_WISE, SINGLE_PAIR = "sample-wise", "single-pair"
OUTLINE_ALONE = "outline"
WITHOUT_DRAWING, WITHOUT_POSITIONS = "no-drawing", "no-positions"
ONE_EPOCH = "one-epoch"
DIFIX = "difix3d"

ROWS = (
    ComparedRow(UNREPAIRED, "Z itself"),
    ComparedRow(LINE_ADDED, "Z with a contour in the style of the drawing's"),
    ComparedRow(PASTE, "the same with the drawing's colours where it shows the place"),
    ComparedRow(SAMPLE_WISE, "a network trained from scratch on the frontal pair and the drawing"),
    ComparedRow(SINGLE_PAIR, "a network trained from scratch on only the frontal pair, as in DrawingSpinUp"),
    ComparedRow(OUTLINE_ALONE, "a network fitted only to the frontal contour, around look-up's colours"),
    ComparedRow(DIFIX, "Difix3D with the drawing as reference, in its own environment"),
    ComparedRow(WITHOUT_DRAWING, "each model without the drawing", True),
    ComparedRow(WITHOUT_POSITIONS, "each model without positions and colours looked up by them", True),
    ComparedRow(ONE_EPOCH, "each model after one plain epoch on the frontal pair, all weights free", True),
)
# Updates, and patches an update, of a network that is fitted to one frontal pair from nothing
FIT_STEPS, FIT_BATCH = 1500, 8
FAST = (UNREPAIRED, LINE_ADDED, PASTE)  # Rows without a training, which are compared by default
ROW_NAMES = tuple(row.name for row in ROWS)


def rows_help() -> str:
    """Text that lists all rows."""
    return "; ".join(f"{row.name}: {row.meaning}" for row in ROWS)
