"""Registration: the one similarity per character that lays a reconstruction onto the ground truth's silhouettes."""

from specsia_build.registration.masks import shrink
from specsia_build.registration.recall import LOST, lost_part, recall
from specsia_build.registration.search import FRONTAL_LOSS, VERSION, Registration, register
from specsia_build.registration.similarity import Similarity
from specsia_build.rendering.overlap import iou

__all__ = [
    "FRONTAL_LOSS",
    "LOST",
    "VERSION",
    "Registration",
    "Similarity",
    "iou",
    "lost_part",
    "recall",
    "register",
    "shrink",
]
