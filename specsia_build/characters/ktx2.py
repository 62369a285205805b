"""KTX2 textures with Basis Universal's data, decoded by its own library in bounded memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.errors import CharacterError

KTX2_MAGIC = b"\xabKTX 20\xbb\r\n\x1a\n"


def decode_ktx2(data: bytes, name: str, most_pixels: int) -> NDArray[np.uint8]:
    """The largest of an image's sizes that has at most `most_pixels`, (H, W, 4) uint8, straight alpha.

    Raises:
        CharacterError: if it is damaged, too large, or holds no Basis Universal data.
        CostError: if it would take more memory than is left for the character.
    """
    import opengl_basisu

    try:
        with memory.held():
            image = opengl_basisu.open(data)
            sizes = [image.level_size(level) for level in range(image.levels)]
            level = next((k for k, (width, height) in enumerate(sizes) if width * height <= most_pixels), None)
            if level is None:
                raise CharacterError(f"{name} has {image.width}x{image.height} pixels, which is too large to be read")
            width, height = sizes[level]
            memory.take(4 * width * height)
            return np.asarray(image.transcode("rgba8", level).data, np.uint8)
    except (opengl_basisu.BasisuError, ValueError) as error:
        raise CharacterError(
            f"{name} is a KTX2 image that cannot be decoded ({error}): export it again with PNG textures"
        ) from error
