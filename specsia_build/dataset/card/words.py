"""What a card says in words of how a dataset was made: of characters at rest, and of characters in motion."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Words:
    """Sentences of a card.

    Attributes:
        title: what the dataset holds.
        lead: what its rows are.
        camera: how they are framed.
        registration: what the table of IoU beside it shows.
        command: that builds it.
    """

    title: str
    lead: str
    camera: str
    registration: str
    command: str


def _seen(config: Mapping[str, Any]) -> str:
    return "its own drawing" if config["frontal"] == "drawing" else "its frontal view, without the contour"


def words_of_stills(config: Mapping[str, Any]) -> Words:
    """Of a dataset of views, by the settings that it was built with."""
    of_character = config["pos_frame"] == "character"
    turned = (
        "Position colours are in the frame of the registered character, the same for a point in every view."
        if of_character
        else "Position colours are taken after each view's turn, with a box for each view, as in the published script."
    )
    differs = "; and there positions are coloured after the view turn" if of_character else ""
    return Words(
        title="SPECSIA pairs",
        lead=f"""\
Pairs for learning to repair drawn characters seen from new angles. Each character is rendered from {config["views"]}
evenly spaced views (`gt`, the target Y\\*). A backend reconstructs it in 3D from {_seen(config)};
that mesh is registered and rendered from the same views (`color`, `mask`, `pos`: the damaged Z, Zmask, Zpos). Images
are {config["size"]}×{config["size"]} PNG.""",
        camera=f"""\
The camera is orthographic, 1.35 units wide, and walks counter-clockwise seen from above; characters have bounding-box
centre 0 and largest extent 1 (less where the frame would cut them), Z up, facing -Y. {turned}
The published SPECSIA-15K differs: its contour is centred on the silhouette, here it lies wholly outside{differs}.""",
        registration="""\
One similarity per character brings the reconstruction onto the ground truth. IoU of the silhouettes at half coverage,
contour left out, mean over the views of each character; `iou` holds that of each row:""",
        command="build",
    )


def words_of_clips(config: Mapping[str, Any]) -> Words:
    """Of a dataset of frames of clips, by the settings that it was built with."""
    clips, size = config["clips"], config["size"]
    views, most = clips["views"], clips["frames"]
    cameras = "a camera in front of it" if views == 1 else f"each of {views} evenly spaced cameras"
    lead = f"""\
Frames for learning to repair drawn characters in motion. A clip is one motion of a character, seen by {cameras} at
{clips["fps"]:g} frames a second{"" if most is None else f", {most} at most"}; a row is a frame, and those of a clip
stand together and in order. The character is drawn in motion (`gt`, the target Y\\*). A backend reconstructs it in 3D
from {_seen(config)}; that mesh is registered at rest, takes the character's motion by skin weights that are carried
over to it, and is drawn in the same frames (`color`, `mask`, `pos`: the damaged Z, Zmask, Zpos). Images are
{size}×{size} PNG."""
    around = (
        " In the action `turntable` it stands at rest and the camera walks around it." if clips["turntable"] else ""
    )
    held = " Figures are held over their place, but for up and down." if clips["in_place"] else ""
    camera = """\
The camera is orthographic; it is 1.35 units wide, or wider where a motion would leave that frame, and stays as it is
throughout a clip. At rest characters have bounding-box centre 0 and largest extent 1 (less where the frame would cut
them), Z up, facing -Y. Position colours say where a point is at rest: it has the same colour in every frame of every
clip."""
    registration = """\
One similarity per character brings the reconstruction onto the character at rest. IoU of the silhouettes at half
coverage in motion, contour left out, mean over the frames of each clip; `iou` holds that of each row:"""
    return Words("SPECSIA clips", _filled(lead + around), _filled(camera + held), registration, "clips")


def commonest(counted: Mapping[T, int]) -> list[tuple[T, int]]:
    """What was counted with how often, what there is most of first."""
    return sorted(counted.items(), key=lambda item: (-item[1], str(item[0])))


def _filled(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), 120, break_long_words=False, break_on_hyphens=False)
