"""Registration: one similarity per character that fits a reconstruction to the ground truth's silhouettes."""

from specsia_build.registration.descent import Similarity
from specsia_build.registration.masks import LOST, lost_part, recall, shrink
from specsia_build.registration.search import FRONTAL_LOSS, REGISTRATION_VERSION, Registration, register
from specsia_build.rendering.layers import iou

__all__ = [
    "FRONTAL_LOSS",
    "LOST",
    "REGISTRATION_VERSION",
    "Registration",
    "Similarity",
    "iou",
    "lost_part",
    "recall",
    "register",
    "shrink",
]
