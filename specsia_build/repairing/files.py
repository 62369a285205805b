"""Read the file of a drawing: an image of any common kind, or an SVG."""

import io
from contextlib import suppress
from pathlib import Path

from PIL import Image

from specsia_build.arrays import Pixels
from specsia_build.characters.images import IMAGE_SUFFIXES, MOST_IMAGE_BYTES, load_texture
from specsia_build.errors import CharacterError, UsageError
from specsia_build.files.sources import read_source
from specsia_build.repairing.svg import MOST_SVG_BYTES, render_svg
from specsia_build.warning import Warning

_SUFFIXES = frozenset({*IMAGE_SUFFIXES, ".avif", ".gif", ".svg", ".tif", ".tiff"})
_ANYWHERE = Path("/")  # A drawing may be a link that leads anywhere


def is_drawing(path: Path) -> bool:
    """Whether a path is a file that is taken for a drawing."""
    return path.suffix.lower() in _SUFFIXES and path.is_file()


def load_drawing(path: Path) -> tuple[Pixels, tuple[Warning, ...]]:
    """Read a drawing as (h, w, 4) uint8, straight alpha, row 0 at the top, with warnings of what is missing.

    Raises `UsageError` if it does not exist, or is damaged, of no known kind, or too large.
    """
    try:
        if path.suffix.lower() != ".svg":
            data = read_source(path, _ANYWHERE, MOST_IMAGE_BYTES)
            picture = load_texture(data, path.name, drawn=True)
            sentence = f"{path.name} is an animation: only its first frame is used"
            return picture, (Warning("not-read", sentence, path.name),) if _is_animated(data) else ()
        svg, missing = render_svg(read_source(path, _ANYWHERE, MOST_SVG_BYTES), path.name)
        end = "save it as PNG to include all of it"
        warnings = tuple(
            Warning("not-read", f"{path.name} was drawn without {what}: {end}", path.name) for what in missing
        )
        return load_texture(svg, path.name), warnings
    except CharacterError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error


def _is_animated(data: bytes) -> bool:
    """Whether an image that can be read has more than one frame."""
    with suppress(OSError, SyntaxError, ValueError):
        image = Image.open(io.BytesIO(data), formats=("AVIF", "GIF", "PNG", "WEBP"))
        return bool(getattr(image, "is_animated", False))
    return False
