"""`specsia adapt`: from a frontal pair or a drawing to a run of its own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from PIL import Image
from safetensors import numpy as arrays

from specsia_build import png
from specsia_build.arrays import Pixels
from specsia_build.dataset.pairs import Pair
from specsia_build.dataset.reading import open_dataset
from specsia_build.dravie.adapt import adapt
from specsia_build.dravie.adapt.adapt import adapt_generator, agreed, withheld_frames
from specsia_build.dravie.adapt.frontal import FrontalPair, find_frontal, with_drawing
from specsia_build.dravie.adapt.overlay import differs_in_colour, place_drawing
from specsia_build.dravie.config import ADAPTATION, ModelConfig
from specsia_build.dravie.data.frames import PIXEL_BYTES, DrawnPair, Extent
from specsia_build.dravie.drawing import Drawing
from specsia_build.dravie.model.checkpoint import DRAWING_FILE, MODEL_FILE, load_drawing, load_generator
from specsia_build.dravie.model.networks import Generator
from specsia_build.dravie.runs import checkpoints
from specsia_build.dravie.train.train import validate
from specsia_build.errors import SpecsiaError
from specsia_build.pipeline.run import RunPaths
from tests.commands import specsia
from tests.dravie.pairs import model_of, write_run

CONFIG = ModelConfig("tiny")
QUICK = replace(ADAPTATION, steps=20, batch=4)


@pytest.fixture(scope="module")
def frontal(dataset: Path) -> Pair:
    return find_frontal(open_dataset(dataset), "b").pair


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("adapt") / "run")


def _drawn(pair: Pair, scale: float = 2.0, turn: float = 4.0) -> NDArray[np.uint8]:
    """Y* as a drawing of another size, turned a little, on paper."""
    picture = Image.fromarray(pair.gt).resize((int(96 * scale),) * 2, Image.Resampling.BICUBIC).rotate(turn)
    paper = Image.new("RGBA", picture.size, (250, 248, 240, 255))
    return np.array(Image.alpha_composite(paper, picture))


def _error(model: Generator, frontal: Pair) -> float:
    return validate(model, [DrawnPair(frontal)])[0]


def _distance(one: Generator, two: Generator) -> float:
    weights = zip(one.network.parameters(), two.network.parameters(), strict=True)
    return sum(float((a - b).detach().square().sum()) for a, b in weights)


def test_adapting_improves_the_front(frontal: Pair) -> None:
    model = model_of(CONFIG)
    adapted = adapt_generator(model, DrawnPair(frontal), QUICK)
    assert _error(adapted, frontal) < _error(model, frontal)
    assert _distance(model, model_of(CONFIG)) == 0
    assert not adapted.network.training
    again = adapt_generator(model, DrawnPair(frontal), QUICK)
    assert _distance(adapted, again) == 0


def test_half_of_the_change_is_kept(frontal: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(ModelConfig(reference="drawing"))
    damage = np.array([8, 8, 8, 0], np.uint8) * (frontal.z[..., 3:] > 0)

    def adapted(blend: float, after: float, z: Pixels = frontal.z ^ damage) -> Generator:
        front = DrawnPair(replace(frontal, z=z), Drawing.of(frontal))
        errors = iter([(0.1, 0.0, b""), (after, 0.0, b"")])
        monkeypatch.setattr(adapt, "BLEND_SHARE", blend)
        monkeypatch.setattr(adapt, "validate", lambda *_: next(errors))
        return adapt_generator(model, front, replace(QUICK, steps=4))

    none, half, whole = (_distance(adapted(*of), model) for of in ((0.5, 0.1), (0.5, 0.09), (1.0, 0.09)))
    assert none == 0 < half == pytest.approx(whole / 4, rel=1e-3)
    # The view is a copy of the drawing, so there is no damage to learn from.
    assert _distance(adapted(1.0, 0.09, frontal.z), model) == 0


def test_patches_where_drawing_is_withheld(frontal: Pair) -> None:
    """Each centre is looked up less surely than with the whole drawing, or as surely as Z's rim."""
    front = DrawnPair(frontal, Drawing.of(frontal))
    frames = withheld_frames(front, 0)
    assert len(frames) == adapt.WITHHELD
    whole = front.drawing.look_up(frontal.pos, frontal.z)[..., 3]
    for frame, again in zip(frames, withheld_frames(front, 0), strict=True):
        assert_array_equal(frame.pixels, again.pixels)
        at = Extent(*frame.extents[0])
        box = frame.pixels.reshape(at.height, at.width, PIXEL_BYTES)
        there = whole[at.top : at.top + at.height, at.left : at.left + at.width]
        assert (box[..., 15] <= there).all() and (box[..., 15] < there).any()
        for (_, y, x), end in zip(frame.runs, [*frame.runs[1:, 0], at.centres], strict=True):
            row = slice(x, x + end - _)
            inside = there[y, row] == 255
            assert (box[y, row, 15][inside] < 255).all()


def _away_from(top: int, bottom: int, left: int, right: int) -> NDArray[np.bool_]:
    """Pixels whose patch meets nothing of a rectangle."""
    away = np.ones((200, 200), np.bool_)
    away[top - 16 : bottom + 16, left - 16 : right + 16] = False
    return away


def test_patches_where_silhouettes_agree() -> None:
    z, gt = np.zeros((2, 200, 200, 4), np.uint8)
    z[60:140, 60:140] = 255
    gt[56:144, 56:144] = 255  # A contour of 4 px all around.
    pair = Pair("c_00", "c", 0, z, z, gt)
    assert agreed(pair).all()
    # A cape of Y* that Z lacks is missed from column 146 on: up to 6 px beside Z it could be a contour.
    caped = gt.copy()
    caped[100:130, 140:170] = 255
    assert_array_equal(agreed(replace(pair, gt=caped)), _away_from(100, 130, 146, 170))
    # A part of Z that Y* lacks, as far from Y* as two silhouettes that agree never are.
    grown = z.copy()
    grown[20:40, 90:100] = 255
    assert_array_equal(agreed(replace(pair, z=grown)), _away_from(20, 40, 90, 100))
    # Where nearly nothing agrees, there is no choice.
    assert agreed(replace(pair, gt=np.roll(gt, 60, axis=1))).all()


def test_drawing_on_silhouette(frontal: Pair) -> None:
    image, iou = place_drawing(_drawn(frontal), frontal.z[..., 3])
    assert iou > 0.85
    covered = (frontal.gt[..., 3] > 200) & (image[..., 3] > 200)
    assert covered.sum() > 0.9 * (frontal.gt[..., 3] > 200).sum()
    assert np.abs(image[covered].astype(int) - frontal.gt[covered]).mean() < 20
    assert not image[image[..., 3] == 0].any()


def test_drawing_as_viewers_show_it(frontal: Pair, tmp_path: Path) -> None:
    drawing = Image.fromarray(_drawn(frontal))
    drawing.save(tmp_path / "plain.png")
    turned = Image.Exif()
    turned[0x112] = 6
    drawing.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=turned)
    deep = np.asarray(drawing.convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / "deep.png")
    files = (tmp_path / f"{name}.png" for name in ("plain", "turned", "deep"))
    plain, other, grey = (with_drawing(FrontalPair(frontal), file).pair.gt for file in files)
    assert (other == plain).all()
    assert np.abs(grey[..., 3].astype(int) - plain[..., 3]).mean() < 1


def test_unplaceable_drawings(frontal: Pair) -> None:
    """In another pose, of paper alone, or on a ground of many colours."""
    bar = np.zeros((64, 64, 4), np.uint8)
    bar[28:36] = (90, 20, 20, 255)
    alpha = frontal.gt[..., 3:] / 255
    faded = frontal.gt[..., :3] * alpha + np.linspace(120, 240, len(alpha))[:, None, None] * (1 - alpha)
    shaded = np.dstack([np.rint(faded), np.full(alpha.shape, 255)]).astype(np.uint8)
    paper = np.full((40, 40, 4), 255, np.uint8)
    for drawing, word in ((bar, "pose"), (paper, "plain"), (shaded, "one colour")):
        with pytest.raises(SpecsiaError, match=word):
            place_drawing(drawing, frontal.z[..., 3])


def test_foreign_colours_are_detected(frontal: Pair) -> None:
    placed, _ = place_drawing(_drawn(frontal), frontal.z[..., 3])
    assert not differs_in_colour(frontal.z, placed)
    placed[..., :3] = np.where(placed[..., 3:] > 0, 255 - placed[..., :3], 0)
    assert differs_in_colour(frontal.z, placed)


def _adapt(*words: object, code: int = 0) -> Result:
    return specsia("adapt", *words, "--steps", 2, "--device", "cpu", code=code)


def test_command_writes_usable_run(dataset: Path, run: Path, tmp_path: Path) -> None:
    _adapt(run, "--dataset", dataset, "--character", "b", "--out", tmp_path / "out")
    model = load_generator(tmp_path / "out")
    assert model.config == CONFIG
    assert _distance(model, load_generator(run)) > 0
    assert (tmp_path / "out" / "frontal.png").is_file()
    _adapt(run, "--dataset", dataset, "--character", "b", "--out", tmp_path / "out", code=2)


def test_frames_and_a_drawing(run: Path, frontal: Pair, tmp_path: Path) -> None:
    for name, picture in (("color", frontal.z), ("pos", frontal.pos)):
        (tmp_path / "frames" / name).mkdir(parents=True)
        (tmp_path / "frames" / name / "000.png").write_bytes(png.encode(picture))
    (tmp_path / "drawing.png").write_bytes(png.encode(_drawn(frontal)))
    given = ("--frames", tmp_path / "frames", "--drawing", tmp_path / "drawing.png")
    ran = _adapt(run, *given, "--out", tmp_path / "out")
    assert "IoU of 0.9" in ran.stdout and "warning" not in ran.output


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--dataset", "DATASET"),
        ("--dataset", "DATASET", "--character", "z"),
        ("--frames", "nowhere"),
        ("--frames", "nowhere", "--drawing", __file__, "--character", "b"),
        ("--dataset", "DATASET", "--character", "b", "--frame", "1"),
    ],
)
def test_unclear_front_is_refused(dataset: Path, run: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    _adapt(run, *(dataset if o == "DATASET" else o for o in options), "--out", tmp_path / "out", code=2)


def test_adapted_model_keeps_drawing(dataset: Path, frontal: Pair, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", reference="drawing")
    _adapt(run, "--dataset", dataset, "--character", "b", "--out", tmp_path / "out")
    kept, drawing = load_drawing(tmp_path / "out"), Drawing.of(frontal)
    assert load_generator(tmp_path / "out").config == ModelConfig(reference="drawing")
    assert kept is not None and kept.ink.width == drawing.ink.width == 2
    assert_array_equal(kept.ink.colours, drawing.ink.colours)
    assert_array_equal(kept.look_up(frontal.pos, frontal.z), drawing.look_up(frontal.pos, frontal.z))
    path = checkpoints(tmp_path / "out")[-1] / DRAWING_FILE
    whole = path.read_bytes()
    of_grey = arrays.save({"places": kept.places, "colours": kept.colours, "style": np.zeros(2, np.uint8)})
    for broken in (whole[:-5], whole[:4], b"", path.with_name(MODEL_FILE).read_bytes(), of_grey):
        path.write_bytes(broken)
        with pytest.raises(SpecsiaError, match=DRAWING_FILE):
            load_drawing(tmp_path / "out")


def test_frontal_pair_of_clips(clips_run: RunPaths) -> None:
    pair = find_frontal(open_dataset(clips_run.dataset), "b").pair
    assert (pair.character_id, pair.view, pair.frame) == ("b", 0, 0)
