"""Cut figures out of painted checkerboards: with gaps, of many tones and sizes, and of JPEG."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from specsia_build.arrays import Pixels
from specsia_build.errors import UsageError
from specsia_build.repairing.checkers import checkerboard
from specsia_build.repairing.cutting import cut
from tests.repairing.test_cutting import overlap

SIZE = 240


def on_checkers(figure: Pixels, tones: tuple[int, int], field: int) -> Pixels:
    """A figure (h, w, 4) on an opaque checkerboard."""
    down, across = np.indices(figure.shape[:2]) // field
    fields = np.where((down + across) % 2, tones[0], tones[1]).astype(np.uint8)
    paper = Image.fromarray(np.dstack([fields] * 3)).convert("RGBA")
    paper.alpha_composite(Image.fromarray(figure))
    return np.asarray(paper)


def ring(colour: tuple[int, int, int]) -> Pixels:
    """A ring of one colour with a black contour."""
    down, across = np.indices((SIZE, SIZE)) - SIZE / 2
    distance = np.hypot(down, across)
    figure = np.zeros((SIZE, SIZE, 4), np.uint8)
    figure[(distance > 30) & (distance < 90)] = (0, 0, 0, 255)
    figure[(distance > 35) & (distance < 85)] = (*colour, 255)
    return figure


@pytest.mark.parametrize("field", [7, 16, 29])
@pytest.mark.parametrize("tones", [(255, 204), (255, 238), (102, 153), (40, 60)])
def test_figure_and_gap(tones: tuple[int, int], field: int) -> None:
    figure = ring((255, 255, 255) if tones[0] < 200 else (200, 40, 40))
    cutout = cut(on_checkers(figure, tones, field))
    assert overlap(cutout.picture, figure) > 0.98
    assert [(warning.code, warning.subject) for warning in cutout.warnings] == [
        ("ground-removed", "a painted checkerboard")
    ]


def test_jpeg() -> None:
    stream = io.BytesIO()
    Image.fromarray(on_checkers(ring((200, 40, 40)), (255, 204), 12)).convert("RGB").save(
        stream, "JPEG", quality=80
    )
    picture = np.asarray(Image.open(stream).convert("RGBA"))
    assert overlap(cut(picture).picture, ring((200, 40, 40))) > 0.97


def test_plain_parts_of_a_tone_are_not_torn() -> None:
    """White without a contour looks like the white fields: the figure is refused."""
    figure = ring((200, 40, 40))
    figure[100:140, 150:215] = 255
    picture = on_checkers(figure, (255, 204), 8)
    assert checkerboard(picture) is None
    with pytest.raises(UsageError, match="--mask"):
        cut(picture)


@pytest.mark.parametrize("paper", ["stripes of one row", "two halves", "grain"])
def test_other_papers_are_none(paper: str) -> None:
    picture = np.full((SIZE, SIZE, 4), 255, np.uint8)
    if paper == "grain":
        picture[..., :3] -= np.random.default_rng(0).integers(0, 16, (SIZE, SIZE, 1), np.uint8)
    else:
        picture[1 :: 2 if paper == "stripes of one row" else 1, : SIZE // 2, :3] = 204
    assert checkerboard(picture) is None


def test_real_drawing(drawings_dir: Path) -> None:
    figure = np.asarray(Image.open(drawings_dir / "wapuu.png").convert("RGBA"))
    figure = np.pad(figure, ((8, 8), (8, 8), (0, 0)))
    assert overlap(cut(on_checkers(figure, (255, 204), 10)).picture, figure) > 0.97
