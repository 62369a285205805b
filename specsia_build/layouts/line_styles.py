"""Line art of frames in other styles and colours, and as SVG."""

import colorsys
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from specsia_build.arrays import Doubles, Mask, Pixels
from specsia_build.config import ClipSettings, LineStyle

_MARKER_PX = 2.0  # Pixels that a marker's line is wider on either side, in frames of `_SIZE`
_SIZE = 256
_GRAIN, _LIGHTEST = 0.45, 0.75  # Share of a pencil's line that the paper's grain keeps white, and its grey
_WOBBLE_PX, _WOBBLE_CELLS = 1.0, 12  # Displacement of a pencil's lines, and cells of its field on a side
_HELD = 2  # Frames for which a pencil's lines are displaced alike, as animation on twos is


@dataclass(frozen=True)
class LineDrawing:
    """How the lines of a clip are drawn: a style, and a colour (3,) uint8; the key decides chance."""

    style: LineStyle
    colour: tuple[int, int, int]
    seed: int

    @staticmethod
    def of(options: Mapping[str, Any], key: str) -> "LineDrawing":
        """Return the drawing that the result of `line_options` asks for, of a clip of that name."""
        seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
        colour = (0, 0, 0)
        if options.get("line_colour") == "coloured":
            # A dark hue by chance, which tells nothing of the figure's colours.
            hue = np.random.default_rng(seed).random()
            red, green, blue = (round(255 * level) for level in colorsys.hsv_to_rgb(hue, 0.85, 0.6))
            colour = red, green, blue
        return LineDrawing(options.get("line_style", "thin"), colour, seed)

    def levels(self, line: Pixels, frame: int) -> Pixels:
        """Draw a frame's lines, black on white (H, W) uint8, in the style, in grey."""
        if self.style == "marker":
            reach = max(1, round(_MARKER_PX * len(line) / _SIZE))
            disc = np.hypot(*np.indices((2 * reach + 1,) * 2) - reach) <= reach + 0.25
            return np.asarray(scipy.ndimage.minimum_filter(line, footprint=disc))
        if self.style == "pencil":
            return self._pencil(line, frame)
        return line

    def _pencil(self, line: Pixels, frame: int) -> Pixels:
        size = len(line)
        grain = np.random.default_rng(self.seed).random(line.shape)
        field = np.random.default_rng([self.seed, frame // _HELD])
        cells = field.normal(0, _WOBBLE_PX * size / _SIZE, (2, _WOBBLE_CELLS, _WOBBLE_CELLS))
        moved = np.indices(line.shape) + np.stack([_stretched(part, line.shape) for part in cells])
        ink = 1 - scipy.ndimage.map_coordinates(line / 255, moved, order=1, mode="nearest")
        strength = _LIGHTEST * np.clip((ink + grain - _GRAIN) / (1 - _GRAIN), 0, 1) * (ink > 0.05)
        return np.rint(255 * (1 - strength)).astype(np.uint8)

    def picture(self, levels: Pixels) -> Pixels:
        """Colour grey lines (..., H, W) uint8: (..., H, W, 3) uint8."""
        white = levels[..., None].astype(np.float32) / 255
        return np.rint(np.array(self.colour, np.float32) * (1 - white) + 255 * white).astype(np.uint8)

    def svg(self, graph: Mapping[str, Any], size: int, width: float) -> bytes:
        """Write the strokes of a frame of `size` pixels, see `annotation.strokes`, one path for each line."""
        wide = width + 2 * _MARKER_PX * size / _SIZE if self.style == "marker" else width
        look = f'stroke="#{bytes(self.colour).hex()}" stroke-width="{wide:g}" fill="none"'
        look += f' stroke-opacity="{_LIGHTEST if self.style == "pencil" else 1:g}"'
        places = graph["vertex location"]
        paths = []
        for line in chains(graph["connection"]):
            points = " ".join(f"{places[k][0]:.2f},{places[k][1]:.2f}" for k in line)
            paths.append(f'<path d="M{points}"/>\n')
        head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}"'
        head += f' viewBox="0 0 {size} {size}"'
        joins = 'stroke-linecap="round" stroke-linejoin="round"'
        return f"{head}>\n<g {look} {joins}>\n{''.join(paths)}</g>\n</svg>\n".encode()


def _stretched(cells: Doubles, shape: tuple[int, ...]) -> Doubles:
    at = [np.linspace(0, len(cells) - 1, side) for side in shape]
    return np.asarray(scipy.ndimage.map_coordinates(cells, np.meshgrid(*at, indexing="ij"), order=3))


def line_options(clips: ClipSettings | None) -> dict[str, Any]:
    """Options of a layout for the style and the colour of lines; empty for thin black ones."""
    options = {} if clips is None else {"line_style": clips.line_style, "line_colour": clips.line_colour}
    return {name: value for name, value in options.items() if value not in ("thin", "black")}


def chains(connection: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Split a graph, the neighbours of each point, into lines between ends and junctions, each edge once."""
    used: set[tuple[int, int]] = set()

    def follow(start: int, following: int) -> list[int]:
        line = [start, following]
        used.update({(start, following), (following, start)})
        while len(connection[line[-1]]) == 2 and line[-1] != start:
            (onward,) = (k for k in connection[line[-1]] if k != line[-2])
            if (line[-1], onward) in used:
                break
            used.update({(line[-1], onward), (onward, line[-1])})
            line.append(onward)
        return line

    # Loops have no end, and begin where they are met.
    ends_first = sorted(range(len(connection)), key=lambda k: len(connection[k]) == 2)
    for start in ends_first:
        for following in connection[start]:
            if (start, following) not in used:
                yield follow(start, following)


def behind(lines: Pixels, alpha: Pixels, others: Pixels) -> Pixels:
    """Lay lines (H, W) of a figure of coverage `alpha` over the lines of another: (H, W) uint8."""
    hidden: Mask = alpha >= 128
    return np.asarray(np.minimum(lines, np.where(hidden, np.uint8(255), others)))
