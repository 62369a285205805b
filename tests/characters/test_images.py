"""Decode textures of every kind to straight RGBA, and find image files beside meshes."""

import base64
import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from specsia_build import memory, png
from specsia_build.characters.images import load_texture, with_opacity
from specsia_build.characters.searches import below, listing
from specsia_build.characters.side_files import SideFiles
from specsia_build.errors import CharacterError, CostError
from specsia_build.pipeline.store import Index
from specsia_build.stages.stage import Sources
from tests.hostile.bombs import chunk


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def corners_image() -> Image.Image:
    """2 wide, 3 high; red top left, blue bottom right, grey elsewhere."""
    pixels = np.full((3, 2, 3), 128, np.uint8)
    pixels[0, 0], pixels[2, 1] = (255, 0, 0), (0, 0, 255)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TGA", "TIFF", "PPM", "GIF"])
def test_lossless_formats_keep_corners(kind: str) -> None:
    pixels = load_texture(encoded(corners_image(), kind), "t")
    assert pixels.shape == (3, 2, 4) and pixels.dtype == np.uint8
    assert pixels[[0, 2], [0, 1]].tolist() == [[255, 0, 0, 255], [0, 0, 255, 255]]


def test_floats_are_levels_of_grey() -> None:
    image = Image.fromarray(np.array([[0.0, 0.5], [np.nan, 7.0]], np.float32))
    assert load_texture(encoded(image, "TIFF"), "t")[..., :2].tolist() == [
        [[0] * 2, [128] * 2],
        [[0] * 2, [255] * 2],
    ]


@pytest.mark.parametrize(("upright", "shape"), [(False, (3, 2, 4)), (True, (2, 3, 4))])
def test_orientation_tag(upright: bool, shape: tuple[int, ...]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert load_texture(encoded(corners_image(), "JPEG", exif=exif), "t", drawn=upright).shape == shape


def linear_profile(*primaries: str) -> bytes:
    """Build an ICC profile of linear light, whose primaries are those of sRGB in an order, such as "rgb"."""
    places = {"r": (0.4361, 0.2225, 0.0139), "g": (0.3851, 0.7169, 0.0971), "b": (0.1431, 0.0606, 0.7141)}
    xyz = [places[primary] for primary in primaries] + [(0.9642, 1.0, 0.8249)]
    parts = [b"XYZ " + struct.pack(">4x3i", *(round(x * 65536) for x in place)) for place in xyz]
    parts += [b"curv" + struct.pack(">4xI", 0)]
    names = [b"rXYZ", b"gXYZ", b"bXYZ", b"wtpt", b"rTRC", b"gTRC", b"bTRC"]
    body, table = 132 + 12 * len(names), struct.pack(">I", len(names))
    for k, name in enumerate(names):
        part = min(k, 4)
        table += name + struct.pack(">II", body + 20 * part, len(parts[part]))
    size = body + 20 * 4 + len(parts[4])
    head = struct.pack(">I4xI4s4s4s12x4s", size, 0x02400000, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    head += bytes(28) + struct.pack(">3i", *(round(x * 65536) for x in xyz[3]))
    return head.ljust(128, b"\0") + table + b"".join(parts)


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize(("primaries", "colours"), [("rgb", [255, 0, 0]), ("grb", [0, 255, 0])])
def test_profile_of_a_drawing_is_converted(primaries: str, colours: list[int], transparent: bool) -> None:
    alpha = Image.new("L", (2, 3), 77 if transparent else 255)
    image = Image.merge("RGBA", (*corners_image().split(), alpha))
    data = encoded(image, "PNG", icc_profile=linear_profile(*primaries))
    pixels = load_texture(data, "t", drawn=True)
    assert_allclose(pixels[0, 0], [*colours, 77 if transparent else 255], atol=2)
    # Half of linear light is level 188 of sRGB.
    assert_allclose(pixels[1, 0, :3], 188, atol=1)
    assert_array_equal(load_texture(data, "t"), np.asarray(image))


def test_grey_drawing_with_a_profile_of_colours_is_converted() -> None:
    data = encoded(corners_image().convert("LA"), "PNG", icc_profile=linear_profile(*"rgb"))
    assert_allclose(load_texture(data, "t", drawn=True)[1, 0], [188, 188, 188, 255], atol=1)


@pytest.mark.parametrize("profile", [b"of no kind", linear_profile(*"rgb").replace(b"RGB ", b"CMYK")])
def test_profile_that_does_not_fit_is_ignored(profile: bytes) -> None:
    data = encoded(corners_image(), "PNG", icc_profile=profile)
    assert_array_equal(load_texture(data, "t", drawn=True), load_texture(data, "t"))


@pytest.mark.parametrize(
    ("width", "height", "is_large"), [(8192, 8192, False), (8193, 8192, True), (60000, 60000, True)]
)
def test_decompression_bomb_is_refused(width: int, height: int, is_large: bool) -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    with pytest.raises(CharacterError, match=r"^bomb\.png ") as caught:
        load_texture(data, "bomb.png")
    assert ("more than 8192x8192" in str(caught.value)) == is_large


def test_files_of_over_a_gibibyte_are_refused(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as stream:
        stream.truncate(2**30 + 1)
    with pytest.raises(CharacterError, match="at most 1,024 MB"):
        load_texture(tmp_path / "a.png", "a.png")


@given(
    st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]),
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(0, 2**32 - 1),
    st.sampled_from([{}, {"transparency": 3}, {"compress_level": 0}, {"dpi": (72, 72)}]),
)
def test_png_agrees_with_pillow(mode: str, height: int, width: int, seed: int, options: Any) -> None:
    if mode in ("RGB", "RGBA", "LA") and "transparency" in options:
        options = {"transparency": (3, 3, 3)} if mode == "RGB" else {}
    random = np.random.default_rng(seed)
    values = random.integers(0, 5, (height, width, 4), np.uint8) * random.integers(1, 60, dtype=np.uint8)
    grey = Image.fromarray(values[..., 0].astype(np.uint16) * 257)
    image = grey if mode == "I;16" else Image.fromarray(values).convert(mode)
    data = encoded(image, "PNG", **({} if mode == "I;16" else options))
    with Image.open(io.BytesIO(data)) as opened:
        expected = np.asarray((Image.fromarray(values[..., 0]) if mode == "I;16" else opened).convert("RGBA"))
    with patch.object(png, "decode", wraps=png.decode) as decode:
        assert_array_equal(load_texture(data, "t"), expected)
    # Ours decodes what is plain, which Pillow does at a fifth of the speed.
    assert decode.call_count == (mode in ("L", "LA", "RGB", "RGBA") and "transparency" not in options)


@pytest.mark.parametrize(("alpha", "opacity"), [(255, 76), (254, 254)])
def test_opacity_is_alpha_or_else_luminance(alpha: int, opacity: int) -> None:
    cutout = np.full((3, 2, 4), (255, 0, 0, alpha), np.uint8)
    assert with_opacity(None, cutout)[0, 0].tolist() == [255, 255, 255, opacity]
    wide = np.full((1, 5, 4), (9, 8, 7, 6), np.uint8)
    whole = with_opacity(wide, cutout)
    assert whole.shape == (3, 5, 4) and (whole == (9, 8, 7, opacity)).all()


@pytest.mark.parametrize(("kind", "cost"), [("PNG", 8), ("WEBP", 16), ("JPEG2000", 24)])
def test_memory_while_decoded(kind: str, cost: int) -> None:
    with patch.object(memory, "ask", wraps=memory.ask) as ask:
        load_texture(encoded(corners_image(), kind), "t")
    assert [call.args[0] for call in ask.call_args_list][:2] == [6 * 4, 6 * cost]


UASTC = base64.b64decode(
    "q0tUWCAyMLsNChoKAAAAAAEAAAAQAAAAEAAAAAAAAAAAAAAAAQAAAAEAAAAAAAAAaAAAACwAAACUAAAALAAAAAAAAAAAAAAAAAAAAAAA"
    "AADAAAAAAAAAAAABAAAAAAAAAAEAAAAAAAAsAAAAAAAAAAIAKACmAQIAAwMAABAAAAAAAAAAAAB/AAAAAAAAAAAA/////x8AAABLVFh3"
    "cml0ZXIAQmFzaXMgVW5pdmVyc2FsIDIuMTAAAAQAAAB/fwAAlxuZ5//iOgEAAAAAAAAAAJcbmef/4joBAAAAAAAAAAAXBZnnPx22AAAA"
    "AAAAAAAAFwWZ5z8dtgAAAAAAAAAAAJcbmef/4joBAAAAAAAAAACXG5nn/+I6AQAAAAAAAAAAFwWZ5z8dtgAAAAAAAAAAABcFmec/HbYA"
    "AAAAAAAAAACX24Pnf9TjAAAAAAAAAAAAl9uD53/U4wAAAAAAAAAAABfFg+d/JOMAAAAAAAAAAAAXxYPnfyTjAAAAAAAAAAAAl9uD53/U"
    "4wAAAAAAAAAAAJfbg+d/1OMAAAAAAAAAAAAXxYPnfyTjAAAAAAAAAAAAF8WD538k4wAAAAAAAAAAAA=="
)
"""16 x 16 texels in four squares: red changes from left to right, green from top to bottom."""


def test_basis_universal() -> None:
    pixels = load_texture(UASTC, "skin")
    assert pixels.dtype == np.uint8
    y, x = np.indices((16, 16))
    red, green = np.where(x < 8, 220, 40), np.where(y < 8, 200, 30)
    assert_array_equal(pixels, np.stack([red, green, 0 * x + 60, 0 * x + 255], axis=-1))


@pytest.mark.parametrize("data", [UASTC[:60], UASTC[:300], UASTC[:12]])
def test_damaged_ktx2_is_refused(data: bytes) -> None:
    with pytest.raises(CharacterError, match=r"^skin "):
        load_texture(data, "skin")


def test_oversized_header_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    huge = UASTC[:20] + (60_000).to_bytes(4, "little") * 2 + UASTC[28:]
    with pytest.raises((CharacterError, CostError)):
        load_texture(huge, "skin")
    monkeypatch.setattr(memory, "_allowed", 500)
    with pytest.raises(CostError):
        load_texture(UASTC, "skin")


def written(folder: Path, **contents: str) -> None:
    for name, content in contents.items():
        place = folder / name.replace("__", "/")
        place.mkdir(parents=True, exist_ok=True)
        (place / "Body.png").write_text(content)


@pytest.mark.parametrize(
    "name",
    ["C:\\work\\textures\\red\\body.png", "../Textures/RED/body.png", "red/body.png", "/a/b/red/Body.png"],
)
def test_folders_separate_equal_names(tmp_path: Path, name: str) -> None:
    written(tmp_path, textures__blue="blue", textures__red="red", red__old="old", green="green")
    files = SideFiles(tmp_path / "hero.obj")
    assert files.find(name) == tmp_path / "textures" / "red" / "Body.png"
    assert not files.warnings


@pytest.mark.parametrize(("content", "warnings"), [("blue", 0), ("red", 1)])
def test_ambiguous_images_are_not_taken(tmp_path: Path, content: str, warnings: int) -> None:
    written(tmp_path / "hero", blue="blue", red=content)
    files = SideFiles(tmp_path / "hero" / "hero.obj")
    assert (files.find("body.png") is None) == bool(warnings)
    assert len(files.warnings) == warnings
    written(tmp_path, Knight_Textures="blue", Mage_Textures=content)
    files = SideFiles(tmp_path / "FBX" / "thief.fbx", tmp_path)
    assert (files.find("body.png") is None) == bool(warnings)
    assert len(files.warnings) == warnings


PLACES = ("Textures", "textures/png", "Texture", "Materials", "Hero Textures", "Models/Tex", "HeroTextures")


@pytest.mark.parametrize("place", [*PLACES, "Textures_PBR", "."])
@pytest.mark.parametrize("name", ["C:\\work\\Skin.PNG", "C:\\work\\Skin.PSD"])
def test_image_folder_beside_meshes(tmp_path: Path, place: str, name: str) -> None:
    image, secret = tmp_path / "pack" / place / "skin.png", tmp_path / "Textures" / "secret.png"
    for file in (image, secret):
        file.parent.mkdir(parents=True)
        file.write_text("skin")
    mesh = tmp_path / "pack" / "Models" / "OBJ" / "hero.obj"
    files = SideFiles(mesh, tmp_path / "pack")
    assert files.find(name) == image
    assert files.find("secret.png") is files.find("skin.mtl") is None
    assert len(files.warnings) == name.endswith("PSD")
    assert SideFiles(mesh).find(name) is None


def test_nearest_image_folder(tmp_path: Path) -> None:
    written(tmp_path, Textures="shared", knight__Textures="knight", mage__Textures="mage")
    mage, thief = (SideFiles(tmp_path / name / "FBX" / "a.fbx", tmp_path) for name in ("mage", "thief"))
    assert mage.find("body.png") == tmp_path / "mage/Textures/Body.png"
    assert thief.find("body.png") == tmp_path / "Textures/Body.png"
    (tmp_path / "Textures" / "Body.png").unlink()
    assert SideFiles(tmp_path / "thief" / "FBX" / "a.fbx", tmp_path).find("body.png") is None


def test_names_ignore_case(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.png", "B.png", "cafe\u0301.png"):
        (tmp_path / name).touch()
    found = listing(tmp_path)
    assert found.names == ("B.png", "a.png", "b.PNG", "cafe\u0301.png")
    assert found.alike("b.png") == ("B.png", "b.PNG")
    assert found.alike("CAF\u00c9.PNG") == ("cafe\u0301.png",)
    assert found.alike("c.png") == ()


def test_a_thousand_folders_are_searched(tmp_path: Path) -> None:
    for number in range(1000):
        (tmp_path / f"{number:04}").mkdir()
    for number in (998, 999):
        (tmp_path / f"{number:04}" / f"{number}.png").touch()
    assert below(tmp_path, "998.png") == [tmp_path / "0998" / "998.png"]
    assert below(tmp_path, "999.png") == []


def test_changed_folder_is_read_again(tmp_path: Path) -> None:
    assert listing(tmp_path).names == ()
    (tmp_path / "new").touch()
    os.utime(tmp_path, (2, 2))
    assert listing(tmp_path).names == ("new",)


def test_new_and_changed_images_noticed(tmp_path: Path) -> None:
    (tmp_path / "FBX").mkdir()
    files = SideFiles(tmp_path / "FBX" / "hero.fbx", tmp_path)
    assert files.find("body.png") is None
    looked, digest = Sources(tmp_path / "FBX", tmp_path), Index().digest
    before = looked.digests(map(looked.name, files.tried), digest)
    assert set(before.values()) == {None}
    written(tmp_path, Hero_Tex="new")
    after = looked.digests(map(looked.name, files.tried), digest)
    assert after["../*/body.png"] == "Hero_Tex/Body.png"
    again = SideFiles(tmp_path / "FBX" / "hero.fbx", tmp_path)
    assert again.find("body.png") is not None
    taken = looked.digests(map(looked.name, again.tried), digest)
    written(tmp_path, Hero_Tex="changed")
    assert looked.digests(map(looked.name, again.tried), digest) != taken


def test_links_are_followed_within_the_root(tmp_path: Path) -> None:
    (tmp_path / "hero").mkdir()
    Image.new("RGBA", (1, 1), (1, 2, 3, 255)).save(tmp_path / "shared.png")
    link = tmp_path / "hero" / "skin.png"
    link.symlink_to(tmp_path / "shared.png")
    assert load_texture(link, "skin.png", tmp_path).tolist() == [[[1, 2, 3, 255]]]
    for root in (None, tmp_path / "hero"):
        with pytest.raises(CharacterError):
            load_texture(link, "skin.png", root)
