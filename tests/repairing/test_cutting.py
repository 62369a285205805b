"""Cut figures out of pictures with what strangers' drawings have around them."""

import base64
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from scipy.ndimage import gaussian_filter

from specsia_build.errors import UsageError
from specsia_build.repairing.cutting import cut
from specsia_build.repairing.drawing import DrawingSettings, read_drawing
from specsia_build.repairing.files import load_drawing
from specsia_build.repairing.pixel_art import scale_whole

Pixels = NDArray[np.uint8]
SIZE = WIDTH, HEIGHT = 300, 400
SHOES = (24, 16, 16, 255)


def person(middle: int = 150, scale: float = 1.0, ground: tuple[int, ...] = (0, 0, 0, 0)) -> Image.Image:
    """A person in dark shoes on a ground, with antialiased edges."""
    image = Image.new("RGBA", (4 * WIDTH, 4 * HEIGHT), ground)
    draw = ImageDraw.Draw(image)

    def box(left: float, top: float, right: float, bottom: float) -> tuple[float, ...]:
        x, y = 4 * (middle - 150 * scale), 4 * (360 - 360 * scale)
        return x + 4 * scale * left, y + 4 * scale * top, x + 4 * scale * right, y + 4 * scale * bottom

    draw.ellipse(box(115, 70, 185, 140), fill=(222, 180, 150, 255))
    draw.rectangle(box(118, 138, 182, 250), fill=(200, 60, 60, 255))
    for left, inner in ((90, 122), (178, 122)):
        draw.rectangle(box(left, 145, left + 32, 235), fill=(222, 180, inner, 255))
    for left, shoe in ((122, 112), (153, 153)):
        draw.rectangle(box(left, 248, left + 26, 345), fill=(60, 60, 160, 255))
        draw.rectangle(box(shoe, 344, shoe + 36, 360), fill=SHOES)
    return image.reduce(4)


def blue_shoes(image: Image.Image) -> Image.Image:
    """A person's picture with shoes of a colour that no shadow has."""
    pixels = np.array(image)
    pixels[340:, :, :3] = (70, 60, 250)
    return Image.fromarray(pixels)


def laid(*images: Image.Image) -> Image.Image:
    """Pictures laid over each other, the last on top."""
    below, *others = images
    for image in others:
        below = Image.alpha_composite(below, image)
    return below


def paper(colour: tuple[int, int, int] = (255, 255, 255)) -> Image.Image:
    return Image.new("RGBA", SIZE, (*colour, 255))


def shadow(box: tuple[int, int, int, int], opacity: int = 110) -> Image.Image:
    alpha = Image.new("L", SIZE)
    ImageDraw.Draw(alpha).ellipse(box, fill=opacity)
    image = Image.new("RGBA", SIZE, (10, 5, 20, 0))
    image.putalpha(alpha.filter(ImageFilter.GaussianBlur(8)))
    return image


def overlap(picture: Pixels, other: Pixels) -> float:
    """IoU of two silhouettes."""
    first, second = (of[..., 3] >= 128 for of in (picture, other))
    return float((first & second).sum() / (first | second).sum())


CLEAN = np.asarray(person())


@pytest.mark.parametrize("around", ["margin", "all"])
def test_haze(around: str) -> None:
    hazy = CLEAN.copy()
    alpha = Image.fromarray(CLEAN[..., 3])
    near = np.asarray(alpha.filter(ImageFilter.MaxFilter(51))) > 0
    empty = (CLEAN[..., 3] == 0) & (near if around == "margin" else True)
    hazy[empty] = (210, 210, 210, 8)
    cutout = cut(hazy)
    assert np.array_equal(cutout.picture[CLEAN[..., 3] >= 32], CLEAN[CLEAN[..., 3] >= 32])
    assert not cutout.picture[CLEAN[..., 3] == 0].any()
    assert len(cutout.warnings) == 1


def test_clean_edges_stay() -> None:
    cutout = cut(CLEAN)
    assert np.array_equal(cutout.picture[CLEAN[..., 3] > 0], CLEAN[CLEAN[..., 3] > 0])
    assert cutout.warnings == ()


def test_glass() -> None:
    """It is painted on white where lines enclose it or a mask says so, and else removed with a warning."""
    glass = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    glass[60:180, 90:210] = (0, 0, 255, 255)
    glass[64:176, 94:206, 3] = 85
    glass[180:360, 120:180] = (200, 40, 40, 255)
    whole = np.where(glass[..., 3:] > 0, np.uint8(255), np.uint8(0))
    cutout = cut(glass)
    assert overlap(cutout.picture, np.dstack([glass[..., :3], whole])) == 1
    assert cutout.picture[100, 150].tolist() == [170, 170, 255, 255]
    assert [(warning.code, warning.subject) for warning in cutout.warnings] == [("ground-kept", "lines")]
    glass[60:180, 90:94] = 0
    cutout = cut(glass)
    assert cutout.picture[100, 150, 3] == 0
    assert [warning.code for warning in cutout.warnings] == ["ground-removed"]
    assert cut(glass, np.repeat(whole, 4, axis=2)).picture[100, 150].tolist() == [170, 170, 255, 255]


@pytest.mark.parametrize("box", [(70, 340, 250, 376), (150, 335, 290, 372)], ids=["under", "beside"])
@pytest.mark.parametrize("ground", [None, (255, 255, 255), (244, 232, 210)])
def test_ground_shadow(ground: tuple[int, int, int] | None, box: tuple[int, int, int, int]) -> None:
    below = [] if ground is None else [paper(ground)]
    cutout = cut(np.asarray(laid(*below, shadow(box), person())))
    assert overlap(cutout.picture, CLEAN) > 0.97
    shoes = (CLEAN == SHOES).all(axis=2)
    assert (cutout.picture[shoes][:, 3] == 255).mean() > 0.95
    assert len(cutout.warnings) == 1


FLAT = (70, 340, 250, 372)


def flat(colour: tuple[int, int, int] = (170, 150, 165), line: int = 0) -> Image.Image:
    """An ellipse of one colour on the ground, with a dark line of some width."""
    large = Image.new("RGBA", (4 * WIDTH, 4 * HEIGHT), (*colour, 0))
    ImageDraw.Draw(large).ellipse([4 * at for at in FLAT], (*colour, 255), (0, 0, 0, 255), 4 * line)
    return large.reduce(4)


@pytest.mark.parametrize("ground", [None, (255, 255, 255), (244, 232, 210)])
def test_flat_shadow(ground: tuple[int, int, int] | None) -> None:
    below = [] if ground is None else [paper(ground)]
    cutout = cut(np.asarray(laid(*below, flat(), person())))
    # Paper between the legs is kept.
    assert overlap(cutout.picture, CLEAN) > 0.97
    assert not cutout.picture[362:, :, 3].any()
    assert [(warning.code, warning.subject) for warning in cutout.warnings] == [
        ("ground-removed", "a shadow on the ground")
    ]


@pytest.mark.parametrize("shape", ["ellipse", "rectangle", "rounded_rectangle"])
def test_badges_are_mentioned(shape: str) -> None:
    badge = Image.new("RGBA", SIZE)
    getattr(ImageDraw.Draw(badge), shape)(
        (20, 50, 280, 380), **({"radius": 60} if "_" in shape else {}), fill=(240, 150, 160)
    )
    for below in (badge, laid(paper(), badge)):
        warnings = cut(np.asarray(laid(below, person()))).warnings
        assert ("ground-kept", "badge") in [(warning.code, warning.subject) for warning in warnings]


def belly() -> Image.Image:
    """A round body whose lowest stripe is grey."""
    image = Image.new("RGBA", SIZE)
    draw = ImageDraw.Draw(image)
    draw.ellipse((50, 172, 270, 372), fill=(170, 150, 165))
    draw.rectangle((0, 0, WIDTH, 346), fill=(0, 0, 0, 0))
    draw.chord((50, 172, 270, 372), 132, 48, fill=(200, 60, 60))
    return image


@pytest.mark.parametrize(
    "below", [flat((90, 170, 70)), flat(line=4), flat().crop((0, 0, WIDTH, 362)), belly()]
)
def test_flat_ground_that_is_no_shadow_stays(below: Image.Image) -> None:
    """A lawn, a disc with a contour, half an ellipse, and the lowest stripe of a round body."""
    whole = Image.new("RGBA", SIZE)
    whole.paste(below)
    drawn = np.asarray(laid(whole, person()))
    cutout = cut(np.asarray(laid(paper(), Image.fromarray(drawn))))
    assert overlap(cutout.picture, drawn) > 0.98
    assert not any(warning.code == "ground-removed" for warning in cutout.warnings)


@pytest.mark.parametrize("shape", [(1, 40), (2, 9), (40, 1)])
def test_smallest_figures_are_no_shadows(shape: tuple[int, int]) -> None:
    figure = np.pad(np.full((*shape, 4), (200, 200, 200, 255), np.uint8), ((0, 0), (3, 3), (0, 0)))
    assert np.array_equal(cut(figure).picture[..., 3], figure[..., 3])


def test_shadow_under_soft_soles() -> None:
    """Where shoes fade into a black shadow, mixtures of both colours are no part of it."""
    soft = person()
    soft.putalpha(soft.getchannel("A").filter(ImageFilter.GaussianBlur(1.2)))
    alpha = Image.new("L", SIZE)
    ImageDraw.Draw(alpha).ellipse((80, 338, 240, 374), fill=60)
    ground = Image.new("RGBA", SIZE, (0, 0, 0, 0))
    ground.putalpha(alpha.filter(ImageFilter.GaussianBlur(6)))
    cutout = cut(np.asarray(laid(ground, blue_shoes(soft))))
    assert [warning.code for warning in cutout.warnings] == ["ground-removed"]
    assert overlap(cutout.picture, np.asarray(soft)) > 0.97
    assert not cutout.picture[372:, :, 3].any()


def test_pale_shoes_and_ghosts_stay() -> None:
    """Soft edges of pale shoes, a body that fades out, and a skirt with a faint spot are no shadows."""
    pale = CLEAN.copy()
    pale[(pale[..., :3] == SHOES[:3]).all(axis=2), :3] = 232
    soft = laid(paper(), Image.fromarray(pale)).filter(ImageFilter.GaussianBlur(1))
    ghost = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    ghost[60:300, 50:250] = (225, 225, 235, 255)
    ghost[60:120, 50:90] = 0
    ghost[240:300, 50:250, :3] = (40, 40, 70)
    ghost[240:300, 50:250, 3] = np.linspace(255, 70, 60)[:, None]
    skirt = CLEAN.copy()
    skirt[295:340, 100:200] = (100, 118, 126, 255)
    skirt[320:326, 150:156, 3] = 90
    for picture, silhouette in ((np.asarray(soft), CLEAN), (ghost, ghost), (skirt, skirt)):
        cutout = cut(picture)
        assert overlap(cutout.picture, silhouette) > 0.95
        # What fades out of the ghost is missed.
        assert [warning.code for warning in cutout.warnings] == ["ground-removed"] * (picture is ghost)


@pytest.mark.parametrize(("glow", "codes"), [(8, []), (20, ["ground-kept"])])
def test_glow_around_a_figure(glow: int, codes: list[str]) -> None:
    ground = paper()
    ImageDraw.Draw(ground).ellipse((20, 40, 280, 390), fill=(255, 255, 255 - glow))
    assert [warning.code for warning in cut(np.asarray(laid(ground, person()))).warnings] == codes


@pytest.mark.parametrize("kind", ["side", "frame", "slanted"])
def test_scan_rim(kind: str) -> None:
    scan = laid(paper(), person())
    draw = ImageDraw.Draw(scan)
    if kind == "side":
        for row in range(12):
            draw.line((0, row, WIDTH, row), fill=(20 * row, 20 * row, 20 * row))
    elif kind == "frame":
        draw.rectangle((0, 0, WIDTH - 1, HEIGHT - 1), outline=(40, 40, 40), width=6)
    else:
        draw.polygon(((0, 0), (WIDTH, 0), (WIDTH, 18), (0, 1)), fill=(30, 30, 30))
    cutout = cut(np.asarray(scan))
    assert overlap(cutout.picture, CLEAN) > 0.97
    assert len(cutout.warnings) == 1


@pytest.mark.parametrize("ground", [(0, 0, 0, 0), (255, 255, 255, 255)])
def test_several_figures(ground: tuple[int, ...]) -> None:
    both = np.asarray(laid(person(80, 0.8, ground), person(215, 0.6)))
    whole = cut(both)
    assert len(whole.boxes) == 2
    assert whole.boxes[0][2] < whole.boxes[1][0]
    assert whole.warnings[0].code == "several-figures"
    for number, alone in enumerate((person(80, 0.8), person(215, 0.6)), 1):
        cutout = cut(both, number=number)
        assert overlap(cutout.picture, np.asarray(alone)) > 0.96
        assert cutout.warnings == ()
    for number in (0, 3):
        with pytest.raises(UsageError):
            cut(both, number=number)


def test_sheet_of_sprites() -> None:
    """Rows of sprites that nearly touch are figures of their own, many too, in reading order."""
    sprite = person().crop((88, 68, 214, 362)).reduce(6)
    sheet = Image.new("RGBA", (20 * (sprite.width + 1), 3 * (sprite.height + 2)))
    for place in range(60):
        sheet.paste(sprite, (place % 20 * (sprite.width + 1), place // 20 * (sprite.height + 2)))
    boxes = cut(np.asarray(sheet)).boxes
    places = [(top // (sprite.height + 2), left // (sprite.width + 1)) for left, top, _, _ in boxes]
    assert places == [(row, column) for row in range(3) for column in range(20)]
    # One that begins above two rows and reaches over both, beside four of each.
    tall = Image.new("RGBA", (5 * (sprite.width + 1), 2 * (sprite.height + 2) + 4))
    tall.paste(sheet.crop((0, 0, 4 * (sprite.width + 1), 2 * (sprite.height + 2))), (0, 4))
    ImageDraw.Draw(tall).rectangle((tall.width - 9, 1, tall.width - 3, tall.height - 2), "red")
    tops = [top // (sprite.height + 2) for _, top, _, _ in cut(np.asarray(tall)).boxes]
    assert tops == [0] * 5 + [1] * 4
    alone = cut(np.asarray(sheet), number=23)
    columns = np.flatnonzero(alone.picture[..., 3].any(axis=0))
    assert columns[-1] - columns[0] < sprite.width
    # Two that stand on each other are one figure, as a head that floats above its body.
    column = sheet.crop((0, 0, sprite.width + 1, 2 * (sprite.height + 2)))
    assert len(cut(np.asarray(column)).boxes) == 1


def test_uneven_floor_below_a_figure() -> None:
    """A studio's backdrop has one colour but for bumps of its floor, which would be many specks."""
    rng = np.random.default_rng(0)
    bumps = gaussian_filter(rng.normal(0, 1, (HEIGHT, WIDTH)), 5)
    bumps *= 9 / np.abs(bumps).max() * np.linspace(0, 2, HEIGHT)[:, None].clip(0, 1)
    ground = np.full((HEIGHT, WIDTH, 4), 255, np.uint8)
    ground[..., :3] = (np.linspace(244, 226, HEIGHT)[:, None] + bumps)[..., None]
    cutout = cut(np.asarray(laid(Image.fromarray(ground), person())))
    assert overlap(cutout.picture, CLEAN) > 0.97
    assert [warning.subject for warning in cutout.warnings][:1] == ["a background whose colour changes"]
    # Marks around a figure are no part of its paper.
    marked = Image.fromarray(ground)
    for x, y in rng.integers(0, (WIDTH, HEIGHT), (120, 2)).tolist():
        ImageDraw.Draw(marked).ellipse((x, y, x + 2, y + 2), fill=(90, 20, 20, 255))
    with pytest.raises(UsageError, match="marks"):
        cut(np.asarray(laid(marked, person())))


@pytest.mark.parametrize("kind", ["sky", "vignette", "glow"])
def test_gradient_behind_a_figure(kind: str) -> None:
    down, across = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    away = down**2 + across**2
    # A glow is around the figure alone, so that most of the border is plain.
    change = {"sky": down, "vignette": away, "glow": -np.maximum(0.4 - 0.4 * away, 0)}[kind]
    colours = np.array([120, 170, 220]) - 50 * change[..., None] + np.random.default_rng(0).normal(0, 1, 3)
    ground = np.dstack([colours.clip(0, 255), np.full(down.shape, 255)]).astype(np.uint8)
    cutout = cut(np.asarray(laid(Image.fromarray(ground), person())))
    assert overlap(cutout.picture, CLEAN) > 0.97
    assert [warning.code for warning in cutout.warnings] == ["ground-removed"]
    # A figure that has no edge cannot be told from such a ground.
    soft = np.asarray(laid(Image.fromarray(ground), person().filter(ImageFilter.GaussianBlur(25))))
    if kind == "glow":
        assert [warning.code for warning in cut(soft).warnings] == ["ground-kept"]
        return
    with pytest.raises(UsageError, match="--mask"):
        cut(soft)


def test_parts_are_no_figures() -> None:
    """A halo, a sword and a cushion that float beside a person; eyes and a long button inside lines."""
    armed = person()
    draw = ImageDraw.Draw(armed)
    draw.rectangle((60, 100, 66, 240), fill=(150, 150, 170, 255))
    draw.ellipse((120, 45, 180, 62), outline=(240, 200, 0, 255), width=5)
    draw.rectangle((215, 300, 295, 356), fill=(90, 160, 90, 255))
    lines = Image.new("RGBA", SIZE)
    draw = ImageDraw.Draw(lines)
    draw.ellipse((100, 40, 200, 140), outline=(0, 0, 0, 255), width=4)
    for left in (120, 165):
        draw.ellipse((left, 70, left + 15, 90), fill=(0, 0, 0, 255))
    draw.rectangle((50, 150, 250, 340), outline=(0, 0, 0, 255), width=4)
    draw.rectangle((138, 200, 162, 290), fill=(0, 0, 0, 255))
    for picture in (armed, lines):
        cutout = cut(np.asarray(picture))
        assert len(cutout.boxes) == 1
        assert (cutout.picture[..., 3][np.asarray(picture)[..., 3] >= 128] >= 128).all()


def test_inside_of_lines_is_missing() -> None:
    """Line art whose outline is wide open; what closed lines enclose is white, on paper and transparency."""
    opened, closed = paper(), paper()
    for image in (opened, closed):
        draw = ImageDraw.Draw(image)
        draw.arc((115, 60, 185, 130), 60 if image is opened else 0, 360, fill=(0, 0, 0, 255), width=3)
        for x in (125, 143, 155, 173):
            draw.line((x, 115, x, 340), fill=(0, 0, 0, 255), width=3)
    ImageDraw.Draw(closed).line((125, 340, 173, 340), fill=(0, 0, 0, 255), width=3)
    stick = paper()
    draw = ImageDraw.Draw(stick)
    draw.ellipse((100, 40, 200, 140), outline=(0, 0, 0, 255), width=5)
    draw.line((150, 140, 150, 270, 90, 360), fill=(0, 0, 0, 255), width=5)
    draw.line((150, 270, 210, 360), fill=(0, 0, 0, 255), width=5)
    for image, codes in ((opened, ["ground-removed"]), (closed, []), (stick, [])):
        assert [warning.code for warning in cut(np.asarray(image)).warnings] == codes
    for image, code in ((opened, "ground-removed"), (closed, "ground-kept"), (stick, "ground-kept")):
        alone = np.asarray(image).copy()
        alone[..., 3] = 255 - alone[..., 0]
        cutout, on_paper = cut(alone), cut(np.asarray(image))
        assert [(warning.code, warning.subject) for warning in cutout.warnings] == [(code, "lines")]
        assert overlap(cutout.picture, on_paper.picture) > 0.98
        painted = cutout.picture[cutout.picture[..., 3] == 255]
        assert (painted[:, :3].min(axis=1) > 250).any() == (code == "ground-kept")


@pytest.mark.parametrize(("width", "is_closed"), [(2, True), (8, True), (14, True), (60, False)])
def test_gaps_of_an_outline_are_closed(width: int, is_closed: bool) -> None:
    """The inside behind a gap is paper, and what the lines do not enclose stays outside."""
    image = paper()
    draw = ImageDraw.Draw(image)
    outline = [(60, 60), (240, 60), (240, 340), (180, 340), (180, 200), (120, 200), (120, 340), (60, 340)]
    draw.line([*outline, outline[0]], fill=(0, 0, 0, 255), width=3)
    for top in (55, 195):
        draw.rectangle((148, top, 148 + width - 1, top + 10), fill=(255, 255, 255, 255))
    draw.ellipse((140, 90, 146, 96), fill=(0, 0, 0, 255))
    for picture in (np.asarray(image), np.asarray(image.resize((1200, 1600)))):
        cutout = cut(picture)
        warnings = [(warning.code, warning.subject) for warning in cutout.warnings]
        assert warnings == [("ground-kept", "gaps") if is_closed else ("several-figures", "drawing")]
        scale = len(picture) // HEIGHT
        alpha = cutout.picture[..., 3][scale // 2 :: scale, scale // 2 :: scale]
        for y, x in ((100, 80), (75, 110), (330, 75), (330, 225), (180, 130)):
            assert alpha[y, x] == 255 * is_closed
        assert not alpha[[210, 330, 30, 45], [150, 150, 150, 100]].any()
        if is_closed:
            assert cutout.picture[93 * scale, 143 * scale, :3].max() < 50
    alone = np.asarray(image).copy()
    alone[..., 3] = 255 - alone[..., 0]
    assert overlap(cut(alone).picture, cut(np.asarray(image)).picture) > 0.98


def test_hand_that_nearly_touches_the_hip() -> None:
    """The gap between an arm and a painted body stays open."""
    image = paper()
    draw = ImageDraw.Draw(image)
    draw.rectangle((100, 60, 200, 340), fill=SHOES)
    draw.line((200, 100, 270, 180, 208, 250), fill=SHOES, width=10)
    cutout = cut(np.asarray(image))
    assert (cutout.picture[180, 230, 3], cutout.warnings) == (0, ())


KEPT = ["ground-kept"]


@pytest.mark.parametrize(
    ("colour", "codes"), [((250, 30, 30), KEPT), ((230, 230, 230), KEPT), ((250,) * 3, []), ((20,) * 3, [])]
)
def test_gap_that_shows_the_paper(colour: tuple[int, int, int], codes: list[str]) -> None:
    """Between an arm and the body the ground is seen, where white may be an eye's, and black a pupil."""
    image = laid(paper(colour), person())
    draw = ImageDraw.Draw(image)
    draw.ellipse((180, 150, 260, 240), outline=(90, 160, 90, 255), width=12)
    assert [warning.code for warning in cut(np.asarray(image)).warnings] == codes


@pytest.mark.parametrize("factor", [1, 5])
def test_small_figures_of_large_pictures(factor: int) -> None:
    """Pixel art that was scaled up, and sprites beside each other."""
    sprite = person().crop((88, 68, 214, 362)).reduce(6)
    sheet = Image.new("RGBA", (170, sprite.height + 2))
    for place in range(6):
        sheet.paste(sprite, (place * 28 + 1, 1))
    size = (factor * sheet.width, factor * sheet.height)
    picture = np.asarray(sheet.resize(size, Image.Resampling.NEAREST))
    assert "small-drawing" in [warning.code for warning in cut(picture).warnings]
    assert "small-drawing" not in [warning.code for warning in cut(picture, pixel=True).warnings]
    smooth = np.asarray(sheet.resize((6 * sheet.width, 6 * sheet.height), Image.Resampling.BICUBIC))
    assert "small-drawing" not in [warning.code for warning in cut(smooth).warnings]


def test_soles_on_the_border_are_not_cut() -> None:
    assert cut(np.asarray(person().crop((0, 0, WIDTH, 360)))).warnings == ()


def test_mask() -> None:
    """A photograph is refused, and accepted with its silhouette."""
    random = np.random.default_rng(0)
    ground = np.linspace(60, 250, WIDTH)[None, :, None] + random.normal(0, 12, (HEIGHT, WIDTH, 3))
    behind = Image.fromarray(ground.clip(0, 255).astype(np.uint8)).convert("RGBA")
    photo = np.asarray(laid(behind, person()))
    with pytest.raises(UsageError, match="--mask"):
        cut(photo)
    grey = Image.fromarray(CLEAN[..., 3])
    for mask in (grey, grey.point(lambda level: 255 * (level > 127)).convert("1"), grey.convert("P")):
        cutout = cut(photo, np.asarray(mask.convert("RGBA")))
        assert overlap(cutout.picture, CLEAN) == 1
        assert cutout.warnings == ()
    black = np.zeros_like(photo)
    for bad in (black, black + 255, np.asarray(grey.convert("RGBA"))[:-1]):
        with pytest.raises(UsageError):
            cut(photo, bad)


def test_cut_at_border() -> None:
    image = person()
    assert cut(np.asarray(image.crop((0, 0, WIDTH, 300)))).warnings[0].subject == "bottom"
    assert cut(np.asarray(image.crop((130, 0, WIDTH, HEIGHT)))).warnings[0].subject == "left"


def test_pixel_art() -> None:
    sprite = np.zeros((16, 12, 4), np.uint8)
    sprite[2:14, 3:9] = np.random.default_rng(0).integers(0, 256, (12, 6, 4), np.uint8) | [0, 0, 0, 128]
    assert cut(sprite).warnings[0].code == "small-drawing"
    cutout = cut(sprite, pixel=True)
    assert cutout.warnings == ()
    solid = sprite[2:14, 3:9] | np.array([0, 0, 0, 255], np.uint8)
    assert np.array_equal(scale_whole(cutout.picture, 50), solid.repeat(4, 0).repeat(4, 1))
    assert np.array_equal(scale_whole(solid.repeat(9, 0).repeat(9, 1), 40), solid.repeat(3, 0).repeat(3, 1))


def svg(content: str, head: str = "") -> bytes:
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink"'
    body = f'<rect x="20" y="10" width="60" height="280" fill="#00f"/>{content}'
    return f'{head}<svg {names} width="50mm" height="150mm" viewBox="0 0 100 300">{body}</svg>'.encode()


def encoded(image: Image.Image) -> str:
    """A picture as the link of an SVG that holds it."""
    data = BytesIO()
    image.save(data, "PNG")
    return "data:image/png;base64," + base64.b64encode(data.getvalue()).decode()


@pytest.mark.parametrize("way", ["held", "linked", "entity", "nested"])
def test_svg(tmp_path: Path, way: str) -> None:
    """An SVG is rendered, with pictures that it holds, and without those that it links to."""
    red = Image.new("RGB", (4, 4), "red")
    red.save(tmp_path / "red.png")
    place = 'width="100" height="300"'
    link = str(tmp_path / "red.png")
    inner = base64.b64encode(svg(f'<image href="{link}" {place}/>')).decode()
    links = {"held": encoded(red), "entity": "&e;", "linked": link}
    links["nested"] = f"data:image/svg+xml;base64,{inner}"
    head = f'<!DOCTYPE svg [<!ENTITY e "{link}">]>' if way == "entity" else ""
    file = tmp_path / "drawing.svg"
    file.write_bytes(svg(f'<image x:href="{links[way]}" {place}/>', head))
    picture, warnings = load_drawing(file)
    assert max(picture.shape) == 1024
    assert (picture[512, 171] == ((255, 0, 0, 255) if way == "held" else (0, 0, 255, 255))).all()
    assert bool(warnings) == (way in ("linked", "entity"))


def test_animation(tmp_path: Path) -> None:
    """The first frame is taken, which is said."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for suffix in ("gif", "webp", "png"):
        frames[0].save(tmp_path / f"still.{suffix}")
        frames[0].save(tmp_path / f"film.{suffix}", save_all=True, append_images=frames[1:])
        assert load_drawing(tmp_path / f"still.{suffix}")[1] == ()
        picture, (warning,) = load_drawing(tmp_path / f"film.{suffix}")
        assert warning.code == "not-read"
        assert picture[0, 0, 0] > 200


def test_bad_files(tmp_path: Path) -> None:
    """A sentence and nothing else for each; sizes are judged before anything is decoded."""
    files = {
        "text.png": b"hello",
        "empty.png": b"",
        "text.svg": b"hello",
        "empty.svg": svg("").replace(b"#00f", b"none"),
        "outside.svg": svg("<desc>&e;</desc>", '<!DOCTYPE svg [<!ENTITY e SYSTEM "file:///etc/passwd">]>'),
        "huge.svg": svg(f'<image href="{encoded(Image.new("L", (25000, 25000)))}" width="9" height="9"/>'),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    Image.new("1", (30000, 30000)).save(tmp_path / "huge.png")
    Image.new("RGBA", SIZE).save(tmp_path / "clear.png")
    for name in (*files, "huge.png", "clear.png", "missing.png"):
        with pytest.raises(UsageError):
            read_drawing(tmp_path / name, DrawingSettings(64))


SAID = {
    "bear-photo": None,
    "cat-tiny": ["--pixel"],
    "dark-soldier": ["haze"],
    "gopher-four": ["--figure"],
    "half-body": ["bottom"],
    "kalya": ["haze", "shadow"],
    "knight-tiny": ["--pixel"],
    "maiko-pair": ["shadow"],
    "sylvie": ["bottom"],
}
"""What is said of each of the shared drawings; None is refused, and nothing is said of the others."""


def test_strangers_drawings(drawings_dir: Path) -> None:
    for path in sorted(drawings_dir.glob("*.png")):
        said = SAID.get(path.stem, [])
        picture, _ = load_drawing(path)
        if said is None:
            with pytest.raises(UsageError, match="--mask"):
                cut(picture)
            continue
        warnings = cut(picture).warnings
        assert len(warnings) == len(said), path.stem
        assert all(word in warning.sentence for word, warning in zip(said, warnings, strict=True)), path.stem
