"""Warnings: sentences about what may be wrong with a result, each with the code of its kind."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

Code = Literal[
    # Files of a character
    "file-missing",  # A file that another names is not there
    "file-replaced",  # An image was taken in place of one that is not there
    "file-ambiguous",  # Several files fit a name, so that none was taken
    "unusable",  # Data of a file is damaged, or of no use as it is
    "not-read",  # A file holds something that no reader takes
    "converted",  # Blender, which read the file, changed or left out something
    "material-missing",  # A material is used and defined nowhere
    "uv-missing",  # A surface lacks texture coordinates or normals
    "made-visible",  # All was hidden or transparent, and was drawn nevertheless
    "hidden-by-name",  # Parts were left out as helpers or coarser levels of detail
    "not-finite",  # Numbers that are not finite were replaced
    "part-unknown",  # `drop` names a part that there is not
    # Checks of a character
    "up-axis",  # The figure stands along another axis
    "front-axis",  # The figure faces another axis
    "front-unsure",  # It is not known which way the figure faces
    "outline-hull",  # A hull around the figure is drawn from its front only
    "backs-lost",  # Backs of faces are left out
    "scenery",  # The file holds a floor or a backdrop
    "several-figures",  # There is more than one figure
    "far-triangles",  # Triangles lie far away from the figure
    "props-in-hand",  # A hand holds several props
    "alternatives",  # Parts are shown in the same place as others
    "body-missing",  # Joints have no surface near them
    "rounded",  # The figure lies too far from the origin for its precision
    "flat",  # The figure has no thickness
    "one-colour",  # The figure shows one plain colour
    "scaled-down",  # The figure was made smaller so that no view cuts it
    # Reconstructions
    "backend",  # A backend says something about a character
    "misplaced",  # The reconstruction seems to be turned or mirrored
    "part-lost",  # The reconstruction lacks a part
    "too-pale",  # Colours of the reconstruction seem to be encoded
    "colours-differ",  # Two pictures have other colours
    "low-iou",  # The reconstruction does not meet the silhouettes
    # Motions and clips
    "motion-unplayable",  # A motion cannot be played
    "motion-changed",  # A motion is not played in full
    "motion-still",  # All frames of a clip are alike
    "no-motion",  # No clip of the character moves
    "small-actor",  # The figure is small, as its motion takes much room
    "empty-frames",  # Frames of a clip show nothing
    "rest-pose",  # Landmarks are of the rest pose, not of the A-pose
    "weights-guessed",  # Most of how the reconstruction moves is guessed
    "own-clips",  # Clips of the reconstruction itself are not played
    "not-packed",  # A character or clip does not suit a layout
    "not-written",  # The format of a file lacks what a character has
    # Drawings and models
    "ground-removed",  # A shadow, a haze or a rim was removed from the drawing
    "ground-kept",  # Ground may have been taken for the figure
    "figure-cut",  # The figure reaches the picture's border
    "joints-unsure",  # The drawing does not show clearly where joints are, or too few of a person
    "small-drawing",  # The figure has few pixels
    "side-unsure",  # The drawing may show another side, or another figure
    "drawing-advised",  # The model repairs better with a drawing
    "characters-shared",  # Training and validation show the same characters
    "no-gain",  # The model, or its adaptation, improves nothing
    "frame-unlikely",  # A frame's mask or positions seem to be wrong
    # Failures
    "empty-view",  # A view shows nothing
    "poor-mesh",  # The reconstruction does not look like a figure or the picture
    "too-large",  # More memory is needed than allowed
    "worker-lost",  # A worker ended, or was too slow
    "bug",  # The program failed
    "uncoded",  # Recorded by an earlier version
]


@dataclass(frozen=True)
class Warning:
    """What may be wrong with a result: the code of its kind, a sentence, and what it is about by name."""

    code: Code
    sentence: str
    subject: str  # A file, part, material, motion, backend, character or drawing

    def __str__(self) -> str:
        return self.sentence

    def about(self, picture: str) -> "Warning":
        """The warning on one of several pictures, such as `the back`, which its sentence names first."""
        return replace(self, sentence=f"{picture}: {self.sentence}")

    def record(self) -> dict[str, str]:
        """The warning as JSON."""
        return {"code": self.code, "sentence": self.sentence, "subject": self.subject}


def coded(warnings: Iterable[Warning]) -> list[dict[str, str]]:
    """Warnings as JSON, such as of an artefact's meta data."""
    return [warning.record() for warning in warnings]


def recorded(entries: Iterable[Mapping[str, Any] | str]) -> tuple[Warning, ...]:
    """Warnings from their records; those of earlier versions are sentences alone."""
    return tuple(Warning("uncoded", e, "") if isinstance(e, str) else Warning(**e) for e in entries)


def as_json(warnings: Iterable[Warning]) -> dict[str, list[Any]]:
    """Fields of a JSON document: the sentences, and in the same order the records."""
    records = coded(warnings)
    return {"warnings": [record["sentence"] for record in records], "coded": records}
