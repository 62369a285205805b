"""The picture on the page in which a visitor drags the joints of a figure to where they belong."""

import base64
from pathlib import Path
from typing import Annotated, Any

import gradio as gr
import msgspec
import numpy as np

from specsia_build.arrays import Doubles
from specsia_build.errors import SpecsiaError
from specsia_build.rigging.joints import JOINTS
from specsia_build.rigging.skeleton import PARENTS
from specsia_build.web.jobs import FoundFigure

EDITED_SIZE = 512  # Pixels on a side of the picture

_ASSETS = Path(__file__).parent / "assets"

_Place = Annotated[float, msgspec.Meta(ge=0, le=EDITED_SIZE)]


class _Edited(msgspec.Struct):
    """What the page sends back: column, row and whether it is shown, of each joint."""

    joints: list[tuple[_Place, _Place, bool]]


def joints_editor() -> gr.HTML:
    """The picture, empty at first."""
    template, style, script = (
        (_ASSETS / f"joints.{ending}").read_text(encoding="utf-8") for ending in ("html", "css", "js")
    )
    return gr.HTML(
        value=None, html_template=template, css_template=style, js_on_load=script, elem_id="joints"
    )


def edited(seen: FoundFigure) -> dict[str, Any]:
    """The editor's value: the picture, and joints in its pixels if the figure is a person."""
    picture = base64.b64encode(seen.preview.read_bytes()).decode()
    joints = seen.joints
    shown = [] if joints is None else (joints.confidence > 0).tolist()
    places = [] if joints is None else joints.pixels.round(1).clip(0, EDITED_SIZE).tolist()
    bones = [(p, k) for k, p in enumerate(PARENTS) if shown and p >= 0 and shown[p] and shown[k]]
    return {
        "picture": f"data:image/png;base64,{picture}",
        "joints": [(*place, is_shown) for place, is_shown in zip(places, shown, strict=True)],
        "bones": bones,
        "names": JOINTS,
    }


def places_of(value: Any) -> Doubles | None:
    """Places of the joints (22, 2) in the picture as a visitor left them; None without any.

    Raises `SpecsiaError` if the page sends something else.
    """
    try:
        joints = msgspec.convert(value, _Edited).joints if value else []
    except msgspec.ValidationError as error:
        raise SpecsiaError(f"the joints cannot be understood ({error}): drop the drawing again") from error
    if joints and len(joints) != len(JOINTS):
        raise SpecsiaError("the joints cannot be understood: drop the drawing again")
    return np.array([(x, y) for x, y, _ in joints]) if joints else None
