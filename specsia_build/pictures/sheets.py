"""Sheets of pictures as arrays: tiles in rows and columns with headings, in the font that Pillow has."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from specsia_build import png
from specsia_build.arrays import Pixels
from specsia_build.errors import UsageError, printable
from specsia_build.pictures.films import over

_INK = {True: (24, 24, 24), False: (240, 240, 240), None: (118, 118, 118)}
"""Colour of letters on a light page, a dark one and a transparent one."""

_PROBLEM = (236, 228, 222)  # Colour of a tile without a picture
_MOST_LETTERS = 400  # Letters of a text that are looked at
_CHANNELS, _PALETTE = {0: 1, 2: 3, 4: 2, 6: 4}, 3
"""Channels of a PNG by its colour type, which is its byte 25; the type with a palette."""

Ground = tuple[int, int, int] | None  # Colour of the background; None: transparent
WHITE: Ground = (255, 255, 255)


def parse_ground(text: str) -> Ground:
    """Parse `transparent` or a CSS colour; anything else is a UsageError."""
    if text == "transparent":
        return None
    try:
        red, green, blue, *alpha = ImageColor.getrgb(text)
    except ValueError:
        alpha = [0]
    if alpha and alpha != [255]:
        raise UsageError(f"'{text}' is not a background: name white, transparent, or a colour as #f0f0f0")
    return (red, green, blue)


def spread(count: int, most: int) -> list[int]:
    """At most `most` of the numbers below `count`, evenly spaced from 0."""
    return [k * count // min(most, count) for k in range(min(most, count))]


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def shortened(text: str, size: int, width: float) -> str:
    """Replace the middle of a text by "…" where it is wider than `width` pixels in letters of a size."""
    half = _MOST_LETTERS // 2
    whole = printable(text if len(text) <= _MOST_LETTERS else text[:half] + text[-half:])
    if len(text) <= _MOST_LETTERS and _font(size).getlength(whole) <= width:
        return whole
    cuts = (f"{whole[: (k + 1) // 2]}…{whole[len(whole) - k // 2 :]}" for k in range(len(whole) - 1, 0, -1))
    return next((cut for cut in cuts if _font(size).getlength(cut) <= width), "")


def as_stored(data: bytes) -> Pixels:
    """Decode a PNG in the channels that it has; raises ValueError if it is damaged or not of 8 bits."""
    kind = data[25] if data.startswith(png.SIGNATURE) and len(data) > 25 else 0
    return png.decode_rgba(data) if kind == _PALETTE else png.decode(data, _CHANNELS.get(kind, 1))


def rgba(data: bytes) -> Pixels:
    """Decode a PNG to (H, W, 4) uint8 with straight alpha; raises as `as_stored`."""
    return np.asarray(Image.fromarray(as_stored(data)).convert("RGBA"))


def scaled(picture: Pixels, side: int) -> Pixels:
    """Scale an RGBA picture (H, W, 4) uint8 to fit a square, centred: (side, side, 4) uint8."""
    height, width = picture.shape[:2]
    if (height, width) == (side, side):
        return picture
    share = side / max(height, width)
    shape = (max(1, round(width * share)), max(1, round(height * share)))
    small = np.asarray(Image.fromarray(picture).resize(shape, Image.Resampling.HAMMING))
    out = np.zeros((side, side, 4), np.uint8)
    top, left = (side - shape[1]) // 2, (side - shape[0]) // 2
    out[top : top + shape[1], left : left + shape[0]] = small
    return out


_Text = tuple[float, float, str, str]  # Anchor (x, y), text, and which of its points is anchored


def _write(picture: Pixels, texts: Sequence[_Text], size: int, ink: tuple[int, int, int]) -> Pixels:
    mask = Image.new("L", (picture.shape[1], picture.shape[0]))
    draw = ImageDraw.Draw(mask)
    for x, y, text, anchor in texts:
        draw.text((x, y), text, fill=255, font=_font(size), anchor=anchor)
    inked = np.dstack([np.full((*picture.shape[:2], 3), ink, np.uint8), np.asarray(mask)])
    blended = np.dstack([over(inked, picture[..., :3]), picture[..., 3]])
    return np.where((picture[..., 3:] == 0) & (inked[..., 3:] > 0), inked, blended)


@dataclass(frozen=True)
class Sheet:
    """Blocks of tiles beside and below each other; headings of a kind take no room if all are empty."""

    titles: Sequence[str]  # Of the blocks
    # rows, columns: headings within each block
    rows: Sequence[str]
    columns: Sequence[str]
    across: int = 1  # Blocks beside each other
    tile: int = 256  # Pixels on a side of a tile
    ground: Ground = WHITE
    notes: bool = False  # Whether there is room for a note below each tile

    @property
    def letters(self) -> int:
        """Size of the letters in pixels."""
        return max(10, self.tile // 14)

    @property
    def gap(self) -> int:
        """Pixels between tiles, and around all; between blocks there is four times as much."""
        return max(2, self.tile // 32)

    @property
    def _line(self) -> int:
        return self.letters * 3 // 2

    @cached_property
    def _heads(self) -> list[str]:
        return [shortened(text, self.letters, self.tile) for text in self.rows]

    @cached_property
    def _layout(self) -> tuple[int, int, int, int]:
        """Pixels left of a block's tiles, between tiles of a column, from block to block across and down."""
        widest = max((_font(self.letters).getlength(text) for text in self._heads), default=0.0)
        left = int(widest) + 1 + self.gap * 2 if widest else 0
        step = self.tile + self.gap + self._line * self.notes
        width = left + len(self.columns) * (self.tile + self.gap) + 3 * self.gap
        return left, step, width, self._above + len(self.rows) * step + 3 * self.gap

    @property
    def _above(self) -> int:
        return self._line * any(self.titles)

    @property
    def _head(self) -> int:
        """Height of the headings of columns, which stand between the uppermost titles and tiles."""
        return self._line * any(self.columns)

    @property
    def _across(self) -> int:
        return min(self.across, len(self.titles))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the sheet in pixels."""
        down, (_, _, width, height) = -(-len(self.titles) // self._across), self._layout
        return self._across * width - 2 * self.gap, down * height - 2 * self.gap + self._head

    def place(self, block: int, row: int = 0, column: int = 0) -> tuple[int, int]:
        """Left and top pixel of a tile."""
        down, across = divmod(block, self._across)
        left, step, width, height = self._layout
        x = self.gap + across * width + left + column * (self.tile + self.gap)
        return x, self.gap + self._head + down * height + self._above + row * step

    @cached_property
    def _bare(self) -> Pixels:
        """The sheet without tiles, (H, W, 4) uint8."""
        width, height = self.size
        out = np.zeros((height, width, 4), np.uint8)
        if self.ground is not None:
            out[:] = (*self.ground, 255)
        half, inside = self._line / 2, len(self.columns) * (self.tile + self.gap) - self.gap
        texts: list[_Text] = []
        for block, title in enumerate(self.titles):
            left, top = self.place(block)
            above = top - half - (self._head if block < self._across else 0)
            texts.append((left + inside / 2, above, shortened(title, self.letters, inside), "mm"))
            for row, text in enumerate(self._heads):
                x, y = self.place(block, row)
                texts.append((x - 2 * self.gap, y + self.tile / 2, text, "rm"))
        for block in range(self._across):
            for column, text in enumerate(self.columns):
                x, y = self.place(block, 0, column)
                texts.append((x + self.tile / 2, y - half, shortened(text, self.letters, self.tile), "mm"))
        return _write(out, texts, self.letters, self._ink)

    @property
    def _ink(self) -> tuple[int, int, int]:
        return _INK[None if self.ground is None else sum(self.ground) > 3 * 128]

    def draw(self, tiles: Sequence[Pixels | str], notes: Sequence[str] = ()) -> Pixels:
        """Draw the sheet with its tiles: (height, width, 4) uint8, straight alpha.

        `tiles` are block by block and row by row, RGBA (H, W, 4) uint8 of any size, or a text instead of a
        picture; `notes` are texts below them.
        """
        out, texts = self._bare.copy(), list[_Text]()
        for number, tile in enumerate(tiles):
            block, inner = divmod(number, len(self.rows) * len(self.columns))
            x, y = self.place(block, *divmod(inner, len(self.columns)))
            field = out[y : y + self.tile, x : x + self.tile]
            if isinstance(tile, str):
                field[:] = (*_PROBLEM, 255)
                text = shortened(tile, self.letters, self.tile - 2 * self.gap)
                middle = (self.tile / 2, self.tile / 2, text, "mm")
                field[:] = _write(field, [middle], self.letters, _INK[True])
            elif self.ground is None:
                field[:] = scaled(tile, self.tile)
            else:
                field[..., :3] = over(scaled(tile, self.tile), np.asarray(self.ground, np.uint8))
            if notes and notes[number]:
                text = shortened(notes[number], self.letters, self.tile)
                texts.append((x + self.tile / 2, y + self.tile + self._line / 2, text, "mm"))
        return _write(out, texts, self.letters, self._ink) if texts else out
