"""`specsia adapt`: a frontal pair or a drawing in, a run of its own out, and nothing forgotten."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from numpy.testing import assert_array_equal
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw
from torch import nn

from specsia_build import png
from specsia_build.cli import main
from specsia_build.dataset.pairs import Pair
from specsia_build.dataset.reading import open_dataset
from specsia_build.dravie.adapt import command
from specsia_build.dravie.adapt.adapt import adapt_generator, fit_single
from specsia_build.dravie.adapt.command import Frontal, find_frontal, with_drawing
from specsia_build.dravie.adapt.placing import drawing_doubts, front_doubts, ground_doubts, place_drawing
from specsia_build.dravie.config import AdaptConfig, ModelConfig, train_config
from specsia_build.dravie.masks import agreed
from specsia_build.dravie.model.checkpoint import load_generator, load_memory, save_model
from specsia_build.dravie.model.networks import build_generator
from specsia_build.dravie.reference import Drawing
from specsia_build.dravie.train.validation import Watched, validate
from specsia_build.errors import SpecsiaError
from specsia_build.rendering.contour import draw_contour
from tests.dravie.drawn import coloured, drawn_pair

CPU = torch.device("cpu")
CONFIG = ModelConfig("tiny")
QUICK = AdaptConfig(steps=20, batch=4)


@pytest.fixture(scope="module")
def frontal(dataset: Path) -> Pair:
    return find_frontal(open_dataset(dataset), "b").pair


def _model() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return build_generator(CONFIG).eval()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapt") / "run"
    save_model(folder, 1, CONFIG, _model(), {})
    return folder


def _drawn(pair: Pair, scale: float = 2.0, turn: float = 4.0) -> NDArray[np.uint8]:
    """Y* as a drawing of another size, turned a little, on paper."""
    picture = Image.fromarray(pair.gt).resize((int(96 * scale),) * 2, Image.Resampling.BICUBIC).rotate(turn)
    paper = Image.new("RGBA", picture.size, (250, 248, 240, 255))
    return np.array(Image.alpha_composite(paper, picture))


def _error(model: nn.Module, frontal: Pair) -> float:
    return validate(model, CONFIG, [Watched(frontal)], CPU)[0]


def _distance(one: nn.Module, two: nn.Module) -> float:
    return sum(float((a - b).detach().square().sum()) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_adapting_brings_the_frontal_view_nearer_and_leaves_the_model_alone(frontal: Pair) -> None:
    model = _model()
    adapted = adapt_generator(model, CONFIG, frontal, QUICK, CPU)
    assert _error(adapted, frontal) < _error(model, frontal)
    assert _distance(model, _model()) == 0
    assert not adapted.training
    again = adapt_generator(model, CONFIG, frontal, QUICK, CPU)
    assert _distance(adapted, again) == 0


def test_the_anchor_keeps_the_weights_near(frontal: Pair) -> None:
    model = _model()
    free, held = (
        _distance(adapt_generator(model, CONFIG, frontal, replace(QUICK, anchor=anchor), CPU), model)
        for anchor in (0.0, 500.0)
    )
    assert 0 < held < 0.7 * free


def _away_from(top: int, bottom: int, left: int, right: int) -> NDArray[np.bool_]:
    """Pixels whose patch meets nothing of a rectangle."""
    away = np.ones((200, 200), np.bool_)
    away[top - 16 : bottom + 16, left - 16 : right + 16] = False
    return away


def test_patches_are_drawn_where_both_silhouettes_agree() -> None:
    z, gt = np.zeros((2, 200, 200, 4), np.uint8)
    z[60:140, 60:140] = 255
    gt[56:144, 56:144] = 255  # A contour of 4 px all around.
    pair = Pair("c_00", "c", 0, z, z, gt)
    assert agreed(pair).all()
    # A cape of Y* that Z lacks: up to 6 px beside Z it could be a contour, so it is missed from column 146 on.
    caped = gt.copy()
    caped[100:130, 140:170] = 255
    assert_array_equal(agreed(replace(pair, gt=caped)), _away_from(100, 130, 146, 170))
    # A part of Z that Y* lacks, as far from Y* as two silhouettes that agree never are.
    grown = z.copy()
    grown[20:40, 90:100] = 255
    assert_array_equal(agreed(replace(pair, z=grown)), _away_from(20, 40, 90, 100))
    # Where nearly nothing agrees, there is no choice.
    assert agreed(replace(pair, gt=np.roll(gt, 60, axis=1))).all()


def test_the_sample_wise_baseline_starts_from_nothing(frontal: Pair) -> None:
    settings = train_config("tiny", {"steps": 3, "batch": 2, "with_pos": False})
    fitted = fit_single(frontal, ModelConfig("tiny", with_pos=False), settings, CPU)
    assert fitted(torch.zeros(1, 4, 32, 32)).shape == (1, 4, 32, 32)


def test_an_empty_frontal_view_is_refused(frontal: Pair) -> None:
    with pytest.raises(SpecsiaError, match="all background"):
        adapt_generator(_model(), CONFIG, replace(frontal, z=frontal.z * 0), QUICK, CPU)


def test_a_drawing_is_laid_onto_the_silhouette(frontal: Pair) -> None:
    placed = place_drawing(_drawn(frontal), frontal.z[..., 3])
    assert placed.iou > 0.85
    covered = (frontal.gt[..., 3] > 200) & (placed.image[..., 3] > 200)
    assert covered.sum() > 0.9 * (frontal.gt[..., 3] > 200).sum()
    assert np.abs(placed.image[covered].astype(int) - frontal.gt[covered]).mean() < 20
    assert not placed.image[placed.image[..., 3] == 0].any()


def test_a_drawing_is_taken_as_viewers_show_it(frontal: Pair, tmp_path: Path) -> None:
    drawing = Image.fromarray(_drawn(frontal))
    drawing.save(tmp_path / "plain.png")
    turned = Image.Exif()
    turned[0x112] = 6
    drawing.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=turned)
    deep = np.asarray(drawing.convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / "deep.png")
    plain, other, grey = (
        with_drawing(Frontal(frontal), tmp_path / f"{name}.png").pair.gt for name in ("plain", "turned", "deep")
    )
    assert (other == plain).all()
    assert np.abs(grey[..., 3].astype(int) - plain[..., 3]).mean() < 1


def test_a_drawing_may_be_a_link_and_no_pipe(frontal: Pair, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "near").mkdir()
    Image.fromarray(_drawn(frontal)).save(tmp_path / "far" / "drawing.png")
    (tmp_path / "near" / "link.png").symlink_to(tmp_path / "far" / "drawing.png")
    assert with_drawing(Frontal(frontal), tmp_path / "near" / "link.png").pair.gt.any()
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(SpecsiaError, match=r"pipe\.png"):
        with_drawing(Frontal(frontal), tmp_path / "pipe.png")
    with pytest.raises(SpecsiaError, match=r"gone\.png"):
        with_drawing(Frontal(frontal), tmp_path / "gone.png")


def test_a_drawing_in_another_pose_is_refused(frontal: Pair) -> None:
    bar = np.zeros((64, 64, 4), np.uint8)
    bar[28:36] = (90, 20, 20, 255)
    with pytest.raises(SpecsiaError, match="another pose"):
        place_drawing(bar, frontal.z[..., 3])
    with pytest.raises(SpecsiaError, match="plain or transparent background"):
        place_drawing(np.full((40, 40, 4), 255, np.uint8), frontal.z[..., 3])


@pytest.mark.filterwarnings("error")
def test_a_drawing_of_thin_lines_alone_is_refused(frontal: Pair) -> None:
    outline = Image.new("RGBA", (2000, 2000))
    ImageDraw.Draw(outline).ellipse((200, 200, 1800, 1800), outline=(0, 0, 0, 255), width=4)
    with pytest.raises(SpecsiaError, match=r"does not fit the frontal view \(IoU 0\.0.*of lines alone.*fill them"):
        place_drawing(np.array(outline), frontal.z[..., 3])


@pytest.mark.filterwarnings("error")
def test_a_drawing_is_laid_onto_a_few_pixels_too(frontal: Pair) -> None:
    mask = np.zeros((512, 512), np.uint8)
    mask[100, 100:103] = 255
    assert place_drawing(_drawn(frontal), mask).iou > 0.8


def _on(ground: ArrayLike, drawing: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A drawing with a ground (…, 3) of its own, opaque."""
    alpha = drawing[..., 3:] / 255
    colours = drawing[..., :3] * alpha + np.asarray(ground) * (1 - alpha)
    return np.concatenate([np.rint(colours), np.full_like(alpha, 255)], axis=2).astype(np.uint8)


@pytest.mark.parametrize("ground", [(0, 0, 0), (200, 60, 40), (128, 128, 128)])
def test_a_drawing_may_lie_on_any_plain_colour(frontal: Pair, ground: tuple[int, int, int]) -> None:
    found, true = (place_drawing(d, frontal.z[..., 3]).image for d in (_on(ground, frontal.gt), frontal.gt))
    assert np.abs(found[..., 3].astype(int) - true[..., 3]).mean() < 4


def test_a_background_of_many_colours_is_told_from_another_pose(frontal: Pair) -> None:
    faded = np.linspace(120, 240, len(frontal.gt))[:, None, None]
    with pytest.raises(SpecsiaError, match=r"background is not of one colour: \d\d% of its border"):
        place_drawing(_on(faded, frontal.gt), frontal.z[..., 3])


def test_a_drawing_is_doubted_by_its_colours(frontal: Pair) -> None:
    placed = place_drawing(_drawn(frontal), frontal.z[..., 3]).image
    assert drawing_doubts(frontal.z, placed) == ()
    negative = placed.copy()
    negative[..., :3] = np.where(placed[..., 3:] > 0, 255 - placed[..., :3], 0)
    (doubt,) = drawing_doubts(frontal.z, negative)
    assert "differ in colour by 0." in doubt


def test_a_grey_drawing_of_a_coloured_character_is_told(frontal: Pair) -> None:
    placed = place_drawing(frontal.gt, frontal.z[..., 3]).image
    grey = placed.copy()
    grey[..., :3] = placed[..., :3].mean(axis=2, keepdims=True)
    (doubt,) = drawing_doubts(frontal.z, grey)
    assert "the drawing is grey" in doubt
    assert drawing_doubts(grey, grey) == ()


@pytest.mark.parametrize(
    ("channels", "mirrored", "said"),
    [
        ([0, 1, 2, 3], False, None),
        ([2, 1, 0, 3], False, "red and blue are exchanged"),
        ([0, 1, 2, 3], True, "seen from behind, or they are mirrored"),
    ],
)
def test_a_frame_that_is_not_frontal_by_its_positions_is_told(
    frontal: Pair, channels: list[int], mirrored: bool, said: str | None
) -> None:
    pos = np.ascontiguousarray(frontal.pos[:, :: -1 if mirrored else 1, channels])
    found = front_doubts(pos)
    assert found == () if said is None else said in found[0]


def test_positions_upside_down_or_of_one_value_are_told_or_say_nothing(frontal: Pair) -> None:
    (doubt,) = front_doubts(np.ascontiguousarray(frontal.pos[::-1]))
    assert "stands on its head" in doubt
    flat = frontal.pos.copy()
    flat[..., :3] = 99
    assert front_doubts(flat) == ()
    assert front_doubts(frontal.pos * 0) == ()


@pytest.mark.parametrize(
    ("contour", "ground", "lost"),
    [(0, 0, True), (10, 20, True), (50, 20, False), (0, 255, False), (0, 100, False), (0, None, False)],
)
def test_a_contour_that_goes_with_the_background_is_told(contour: int, ground: int | None, lost: bool) -> None:
    mask = np.zeros((96, 96), np.uint8)
    mask[16:84, 40:54] = mask[30:42, 20:76] = 255
    drawing = draw_contour(coloured(mask), mask, 2, contour)
    if ground is not None:
        paper = Image.new("RGBA", (96, 96), (ground, ground, ground, 255))
        drawing = np.array(Image.alpha_composite(paper, Image.fromarray(drawing)))
    found = ground_doubts(drawing, mask)
    assert [doubt[:67] for doubt in found] == [
        "the drawing fits the frontal view as one without a contour: if it h"
    ] * lost


def test_a_flipped_drawing_is_doubted() -> None:
    z = drawn_pair().z
    z[:, :48] = np.where(z[:, :48, 3:] > 0, np.array([150, 120, 90, 255], np.uint8), z[:, :48])
    (doubt,) = drawing_doubts(z, np.ascontiguousarray(z[:, ::-1]))
    assert "seems to be flipped" in doubt
    assert drawing_doubts(z, z) == ()


def test_an_adaptation_that_made_things_worse_says_so(
    dataset: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = iter([(0.1, 0.2, b""), (0.15, 0.2, b"")])
    monkeypatch.setattr(command, "validate", lambda *_: next(errors))
    ran = _cli(run, "--dataset", dataset, "--character", "b", "--out", tmp_path / "out")
    assert ran.exit_code == 0, ran.output
    assert "did not improve the frontal view: its mean absolute error is 0.1500, and 0.1000" in ran.stderr


def _cli(*arguments: str | Path) -> Result:
    options = ("--steps", "2", "--device", "cpu")
    return CliRunner().invoke(main, ["adapt", *(str(argument) for argument in arguments), *options])


def test_the_command_writes_a_run_that_can_be_used(dataset: Path, run: Path, tmp_path: Path) -> None:
    ran = _cli(run, "--dataset", dataset, "--character", "b", "--out", tmp_path / "out")
    assert ran.exit_code == 0, ran.output
    config, model = load_generator(tmp_path / "out")
    assert config == CONFIG
    assert _distance(model, _model()) > 0
    assert (tmp_path / "out" / "frontal.png").is_file()
    again = _cli(run, "--dataset", dataset, "--character", "b", "--out", tmp_path / "out")
    assert (again.exit_code, "not empty" in again.stderr) == (2, True)


def _adapted_to_a_frame(run: Path, frontal: Pair, pos: NDArray[np.uint8], folder: Path) -> Result:
    """What the command says of a frame with such positions beside the drawing of a pair."""
    for name, picture in (("color", frontal.z), ("pos", pos)):
        (folder / "frames" / name).mkdir(parents=True)
        (folder / "frames" / name / "000.png").write_bytes(png.encode(picture))
    (folder / "drawing.png").write_bytes(png.encode(_drawn(frontal)))
    return _cli(run, "--frames", folder / "frames", "--drawing", folder / "drawing.png", "--out", folder / "out")


def test_frames_and_a_drawing_will_do(run: Path, frontal: Pair, tmp_path: Path) -> None:
    ran = _adapted_to_a_frame(run, frontal, frontal.pos, tmp_path)
    assert ran.exit_code == 0, ran.output
    assert "the drawing lies on it with an IoU of 0.9" in ran.stdout
    assert "warning" not in ran.output


def test_a_frame_with_a_single_position_is_told_before_it_is_relied_upon(
    run: Path, frontal: Pair, tmp_path: Path
) -> None:
    flat = frontal.pos.copy()
    flat[..., :3] = 99
    ran = _adapted_to_a_frame(run, frontal, flat, tmp_path)
    assert ran.exit_code == 0, ran.output
    assert "of a single position throughout" in " ".join(ran.output.split())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "either as --dataset"),
        (("--dataset", "DATASET"), "also needs --character"),
        (("--dataset", "DATASET", "--character", "z"), "no frontal view of 'z'"),
        (("--frames", "nowhere"), "also needs --drawing"),
        (("--frames", "nowhere", "--character", "b"), "--character does not go with --frames"),
        (("--dataset", "DATASET", "--character", "b", "--frame", "1"), "--frame does not go with --dataset"),
    ],
)
def test_what_is_missing_is_told(
    dataset: Path, run: Path, tmp_path: Path, options: tuple[str, ...], sentence: str
) -> None:
    ran = _cli(run, *(str(dataset) if o == "DATASET" else o for o in options), "--out", tmp_path / "out")
    assert ran.exit_code == 2
    assert sentence in ran.stderr


def test_a_model_that_sees_the_drawing_is_adapted_and_keeps_it(dataset: Path, tmp_path: Path) -> None:
    config = ModelConfig(reference="drawing")
    torch.manual_seed(5)
    save_model(tmp_path / "run", 1, config, build_generator(config), {})
    ran = _cli(tmp_path / "run", "--dataset", dataset, "--character", "b", "--out", tmp_path / "out")
    assert ran.exit_code == 0, ran.output
    found, memory = load_generator(tmp_path / "out")[0], load_memory(tmp_path / "out")
    frontal = find_frontal(open_dataset(dataset), "b").pair
    drawing = Drawing.of(frontal.pos, frontal.gt, frontal.gt_mask)
    assert found == config and memory is not None
    assert memory.drawing.style == drawing.style
    z = frontal.z
    assert_array_equal(memory.drawing.look_up(frontal.pos, z), drawing.look_up(frontal.pos, z))
