"""Clips that the page plays: small animated pictures within the page, few and short enough for any browser."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from specsia_build import png
from specsia_build.films import side_by_side
from specsia_build.report.markup import Html, image_of, join, section, tag

MOST_CLIPS = 60
"""That a page plays."""

MOST_FRAMES = 24
"""Of a clip; of a longer one every so-manieth is shown, as long."""

PIXELS = 160
"""On a side of each picture, at most."""

QUALITY = 72


@dataclass(frozen=True)
class Playing:
    """An animated picture: a data URI, and its width and height in pixels."""

    uri: str
    width: int
    height: int


def shown_frames(count: int) -> range:
    """Numbers of the frames of a clip that are shown."""
    return range(0, count, max(1, ceil(count / MOST_FRAMES)))


def playing(frames: Sequence[Sequence[bytes]], fps: float) -> Playing:
    """Play frames over and over.

    Args:
        frames: the pictures of each that stand beside each other, square RGBA PNGs of one size.
        fps: frames a second.

    Raises:
        ValueError: if a picture cannot be decoded.
    """
    pictures = list(_composed(frames))
    stream = io.BytesIO()
    pictures[0].save(
        stream,
        "WEBP",
        save_all=True,
        append_images=pictures[1:],
        duration=round(1000 / fps),
        loop=0,
        quality=QUALITY,
        method=2,
    )
    uri = "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode()
    return Playing(uri, pictures[0].width, pictures[0].height)


def _composed(frames: Sequence[Sequence[bytes]]) -> Iterator[Image.Image]:
    for found in frames:
        pictures = [_small(data) for data in found]
        yield Image.fromarray(side_by_side(pictures, pictures[0].shape[:2]))


def _small(data: bytes) -> NDArray[np.uint8]:
    picture = Image.fromarray(png.decode(data, 4))
    side = min(PIXELS, picture.width)
    return np.asarray(picture if side == picture.width else picture.resize((side, side), Image.Resampling.HAMMING))


def card(clip: str, facts: Sequence[object], shown: Playing | str) -> Html:
    """One clip: its name, facts and what plays, or why nothing does."""
    line = join((tag("span", fact) for fact in facts), " ")
    head = tag("header", tag("h4", clip), tag("p", line, cls="facts"))
    if isinstance(shown, str):
        return tag("article", head, tag("p", shown, cls="problem"), cls="card")
    picture = image_of(shown.uri, f"{clip}, playing", shown.width, shown.height)
    return tag("article", head, tag("div", picture, cls="look"), cls="card")


def clips_section(parts: Sequence[Html], pairs: bool = True, backends: Sequence[str] = ()) -> Html:
    """The section of all that plays: of pairs, by those backends where there are several, or of characters alone."""
    if not pairs:
        return section("clips", "Clips", *parts)
    of = f" by {', '.join(backends)}, in this order," if len(backends) > 1 else ""
    z = join([tag("b", "Z"), f" the reconstruction{of} moved as its character does"])
    return section("clips", "Clips", tag("p", z, " · ", tag("b", "Y*"), " the clean target.", cls="lead"), *parts)
