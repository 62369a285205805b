"""Textures: image files of any common kind to straight sRGB pixels."""

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from specsia_build import memory, png
from specsia_build.arrays import Pixels
from specsia_build.errors import CharacterError
from specsia_build.files.sources import read_source
from specsia_build.rendering.mesh import Texture, Wrap

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tga", ".webp")
"""Suffixes, lower case and in order of preference, of an image that is found by a mesh's own name."""

MAX_TEXTURE_PIXELS = 8192 * 8192  # Largest texture that is read: 256 MiB
MOST_IMAGE_BYTES = 2**30  # Largest image file that is read

TEXEL_COST, DRAWN_TEXEL_COST = 4, 7
"""Bytes of a texel that is kept, and those it takes besides where it is drawn, with its coarser copies."""

_DECODER_COST = {"AVIF": 12, "WEBP": 12, "JPEG2000": 20}  # Bytes of a pixel in the decoder, if not 4
_DRAWN_COST = 14  # Bytes of a drawing's pixel that copies of it take: upright, with alpha and in sRGB

# Formats whose headers say how large they are; not ICO, whose image may differ, or EPS: needs Ghostscript.
_FORMATS = (
    *("PNG", "JPEG", "BMP", "DIB", "TGA", "WEBP", "AVIF"),
    *("GIF", "TIFF", "PPM", "DDS", "PSD", "PCX", "JPEG2000"),
)

# What Pillow's decoders raise on files that are cut, forged or not images at all.
_DECODER_ERRORS = (
    *(OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, AttributeError, ArithmeticError),
    *(NotImplementedError, struct.error, zlib.error),
)


def load_texture(source: Path | bytes, name: str, root: Path | None = None, *, drawn: bool = False) -> Pixels:
    """Decode an image of any kind as RGBA (H, W, 4) uint8, sRGB-encoded, straight alpha, row 0 at the top.

    `name` is for errors. A file may not lie outside of `root`, links followed; None is its own folder. The
    orientation tag and the colour profile of a drawing are applied if `drawn`. Those of a texture are not: UV
    coordinates refer to pixels as stored, and glTF wants profiles ignored. Raises CharacterError if it is
    missing, damaged, not a known kind of image or larger than 8192 x 8192, and CostError if it would take
    more memory than is left for the character.
    """
    if isinstance(source, Path):
        source = read_source(source, root or source.parent, MOST_IMAGE_BYTES)
    if source.startswith(b"\xabKTX 20\xbb\r\n\x1a\n"):
        return _ktx2(source, name)
    try:
        with warnings.catch_warnings():
            # Size is judged below; damaged metadata beside good pixels does not matter.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(source), formats=_FORMATS) as image:
                count = image.width * image.height
                if count > MAX_TEXTURE_PIXELS:
                    raise Image.DecompressionBombError
                memory.take(TEXEL_COST * count)
                memory.ask((_DECODER_COST.get(image.format or "", 4) + (_DRAWN_COST if drawn else 4)) * count)
                if drawn:
                    return drawn_rgba(image)
                quick = _plain_png(image, source)
                return rgba_of(image) if quick is None else quick
    except Image.DecompressionBombError as error:
        raise CharacterError(f"{name} has more than 8192x8192 pixels: make it smaller") from error
    except _DECODER_ERRORS as error:
        if "out of memory" in str(error):
            raise MemoryError from error
        why = "it is of no known kind" if isinstance(error, UnidentifiedImageError) else error
        raise CharacterError(f"{name} is an image that cannot be read ({why}): save it as PNG") from error


def _ktx2(data: bytes, name: str) -> Pixels:
    """Decode a KTX2 image of Basis Universal (KHR_texture_basisu)."""
    import opengl_basisu

    try:
        with memory.held():
            image = opengl_basisu.open(data)
            if image.width * image.height > MAX_TEXTURE_PIXELS:
                raise CharacterError(f"{name} has more than 8192x8192 pixels: make it smaller")
            memory.take(TEXEL_COST * image.width * image.height)
            return np.asarray(image.transcode("rgba8", 0).data, np.uint8)
    except (opengl_basisu.BasisuError, ValueError) as error:
        raise CharacterError(f"{name} is an image that cannot be read ({error}): save it as PNG") from error


def with_opacity(colour: Pixels | None, cutout: Pixels) -> Pixels:
    """Pixels of a colour image, white where it is None, with the opacity that another image holds.

    That is its alpha, or its luminance where it is opaque. The result has the larger size: a strand is drawn
    in the opacity, and its colour may be one texel.
    """
    alpha = cutout[..., 3]
    if (alpha == 255).all():
        alpha = np.asarray(Image.fromarray(cutout).convert("L"))
    if colour is None:
        colour = np.full((*alpha.shape, 4), 255, np.uint8)
    height, width = (max(sizes) for sizes in zip(colour.shape[:2], alpha.shape, strict=True))
    memory.take(TEXEL_COST * height * width)
    return np.dstack([_resized(colour[..., :3], width, height), _resized(alpha, width, height)])


def _resized(pixels: Pixels, width: int, height: int) -> Pixels:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def as_texture(
    pixels: Pixels, wrap: tuple[Wrap, Wrap] = ("repeat", "repeat"), nearest: bool = False
) -> Texture:
    """Pixels (H, W, 4) uint8 as a texture; the memory that drawing it takes is counted."""
    memory.take(DRAWN_TEXEL_COST * pixels.shape[0] * pixels.shape[1])
    return Texture(pixels, wrap, nearest)


def _plain_png(image: Image.Image, data: bytes) -> Pixels | None:
    """Decode an opened PNG 5x as fast as Pillow, (H, W, 4) uint8; None for others, rare or damaged ones."""
    is_plain = image.mode in ("L", "LA", "RGB", "RGBA") and "transparency" not in image.info
    if not is_plain or getattr(image, "is_animated", False):
        return None
    try:
        pixels = png.decode(data, len(image.mode))
    except ValueError:
        return None
    if image.mode == "RGBA":
        return pixels
    pixels = np.atleast_3d(pixels)
    out = np.full((*pixels.shape[:2], 4), 255, np.uint8)
    # Channel by channel: a copy of three bytes at a time takes four times as long.
    for channel in range(3):
        out[..., channel] = pixels[..., channel if image.mode == "RGB" else 0]
    if image.mode == "LA":
        out[..., 3] = pixels[..., 1]
    return out


def rgba_of(image: Image.Image) -> Pixels:
    """Pixels of an opened image, (H, W, 4) uint8."""
    if image.mode.startswith("I") or image.mode == "F":
        grey = np.asarray(image, dtype=np.float64)
        # Pillow opens 16-bit grey as I or I;16 and would clip it to 8 bits; floats are taken as 0-1.
        scaled = grey * 255.0 if image.mode == "F" else grey / 257.0
        level = np.rint(np.clip(np.nan_to_num(scaled), 0, 255)).astype(np.uint8)
        return np.ascontiguousarray(np.dstack([level, level, level, np.full_like(level, 255)]))
    if image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        image = image.convert("RGB")
    return np.array(image.convert("RGBA"), dtype=np.uint8)


def drawn_rgba(image: Image.Image) -> Pixels:
    """Pixels of an opened drawing, (H, W, 4) uint8: upright by its orientation tag, and in sRGB.

    A colour profile, such as the Display P3 of tablets or one of CMYK for print, is converted to sRGB. It is
    ignored if it is damaged or not of the image's kind of colours, as in browsers.
    """
    image = ImageOps.exif_transpose(image)
    pixels, profile = rgba_of(image), image.info.get("icc_profile")
    if not profile:
        return pixels
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        colours = Image.fromarray(pixels[..., :3]).convert("L" if space == "GRAY" else "RGB")
        if space == image.mode == "CMYK":
            colours = image
        srgb = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(colours, source, srgb, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return pixels
    return np.dstack([np.asarray(converted), pixels[..., 3]])
