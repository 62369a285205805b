"""Read the document of a page, and its pictures as pixels."""

import base64
import io
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.commands import specsia

_DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)


def report_of(where: Path | str, out: Path) -> dict[str, Any]:
    """The document of the page that `specsia report` writes."""
    specsia("report", where, "--out", out)
    return document_of(out)


def document_of(page: Path) -> dict[str, Any]:
    """The document of a page."""
    (found,) = _DATA.findall(page.read_text(encoding="utf-8"))
    document: dict[str, Any] = json.loads(found)
    return document


def frames_of(source: str, document: dict[str, Any], page: Path) -> list[NDArray[np.uint8]]:
    """The frames of a strip, each (tile, tile, C), those that it has room for."""
    head, _, data = source.partition(",")
    inside = head.startswith("data:")
    stored = base64.b64decode(data) if inside else (page.parent / unquote(source)).read_bytes()
    with Image.open(io.BytesIO(stored)) as picture:
        pixels = np.asarray(picture if picture.mode == "L" else picture.convert("RGBA"))
    tile = document["tile"]
    rows, columns = pixels.shape[0] // tile, pixels.shape[1] // tile
    assert pixels.shape[:2] == (rows * tile, columns * tile)
    return [frame for row in np.split(pixels, rows) for frame in np.split(row, columns, axis=1)]


def item_of(document: dict[str, Any], key: str) -> dict[str, Any]:
    """Item of the document by its id."""
    (found,) = [one for one in document["items"] if one["id"] == key]
    item: dict[str, Any] = found
    return item
