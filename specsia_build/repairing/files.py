"""Read the file of a drawing: an image of any common kind, or an SVG."""

from pathlib import Path

from specsia_build.characters.images import load_texture
from specsia_build.errors import CharacterError, UsageError
from specsia_build.pictures.films import Pixels


def load_drawing(path: Path) -> Pixels:
    """Read a drawing as (h, w, 4) uint8, straight alpha, row 0 at the top.

    Raises `UsageError` if it is missing, damaged, of no known kind, or too large.
    """
    try:
        # The drawing may be a link that leads anywhere.
        return load_texture(path, path.name, Path("/"), upright=True)
    except CharacterError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
