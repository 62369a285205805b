"""FID, KID, LPIPS and CLIP: their formulas, networks of random weights, and what is absent."""

from pathlib import Path

import numpy as np
import pytest
import scipy
import torch

from specsia_build.arrays import Doubles
from specsia_build.dravie.evaluate import perceptual
from specsia_build.dravie.evaluate.perceptual import CLIP, INCEPTION, LPIPS, Targets, find_networks
from specsia_build.dravie.evaluate.statistics import frechet, jackknife, kernel
from tests.dravie.pairs import coloured, disc

CPU = torch.device("cpu")
RNG = np.random.default_rng(0)
OURS, THEIRS = RNG.normal(0, 1, (40, 6)), RNG.normal(0.3, 1.5, (50, 6))


def test_frechet_is_that_of_the_covariances() -> None:
    first, second = np.cov(OURS.T), np.cov(THEIRS.T)
    root = scipy.linalg.sqrtm(first @ second).real
    apart = np.square(OURS.mean(0) - THEIRS.mean(0)).sum()
    assert frechet(OURS, THEIRS) == pytest.approx(apart + np.trace(first + second - 2 * root))
    assert frechet(OURS, OURS) == pytest.approx(0, abs=1e-9)
    few = RNG.normal(0, 1, (4, 30))
    assert frechet(few, few + 2) == pytest.approx(30 * 4)


def test_kernel_is_unbiased() -> None:
    def similar(a: Doubles, b: Doubles) -> float:
        return float((a @ b / 6 + 1) ** 3)

    within = [np.mean([similar(a, b) for a in x for b in x if a is not b]) for x in map(list, (OURS, THEIRS))]
    between = np.mean([similar(a, b) for a in OURS for b in THEIRS])
    assert kernel(OURS, THEIRS) == pytest.approx(sum(within) - 2 * between)
    halves = [kernel(x[::2], x[1::2]) for x in RNG.normal(0, 1, (200, 20, 6))]
    assert abs(np.mean(halves)) < 3 * np.std(halves) / 200**0.5


def test_interval_over_characters() -> None:
    def means(ours: Doubles, theirs: Doubles) -> float:
        return float(ours.mean() - theirs.mean())

    values = RNG.normal(1, 0.5, 100)
    sets = [(np.full((1, 1), value), np.zeros((1, 1))) for value in values]
    low, high = jackknife(means, sets)
    assert low is not None and high is not None
    assert (low + high) / 2 == pytest.approx(values.mean())
    assert high - low == pytest.approx(2 * 1.96 * values.std(ddof=1) / 10, rel=0.01)
    assert jackknife(means, [(OURS, THEIRS)] * 2) == (None, None)


def test_absent_networks_are_named(tmp_path: Path) -> None:
    networks, notes = find_networks(CPU, tmp_path)
    assert networks == {}
    assert [note.partition(":")[0] for note in notes] == [INCEPTION, LPIPS, CLIP]
    assert all("not run" in note for note in notes)


def test_weights_are_tensors_alone(tmp_path: Path) -> None:
    name = perceptual.ALEXNET_URL.rsplit("/", 1)[1]
    torch.save({"features.0.weight": torch.ones(2)}, tmp_path / name)
    assert perceptual.stored_weights(tmp_path, perceptual.ALEXNET_URL)["features.0.weight"].sum() == 2
    torch.save({"features.0.weight": Path("anything")}, tmp_path / name)
    with pytest.raises(Exception, match=r"(?i)weights.only"):
        perceptual.stored_weights(tmp_path, perceptual.ALEXNET_URL)


def test_networks_of_random_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("torchvision", "lpips", "torch_fidelity"):
        pytest.importorskip(package, exc_type=ImportError)
    import torchvision
    from torch_fidelity import feature_extractor_inceptionv3 as inception

    with monkeypatch.context() as patched:
        patched.setattr(inception.torch, "load", lambda *_, **__: {})
        patched.setattr(inception.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        stub = inception.FeatureExtractorInceptionV3("stub", ["2048"], "none").state_dict()
    alexnet = torchvision.models.alexnet().state_dict()
    for url, weights in {perceptual.INCEPTION_URL: stub, perceptual.ALEXNET_URL: alexnet}.items():
        torch.save(weights, tmp_path / url.rsplit("/", 1)[1])
    networks, (note,) = find_networks(CPU, tmp_path)
    assert networks.keys() == {INCEPTION, LPIPS} and note.startswith(CLIP)
    pictures = [coloured(disc()), coloured(disc(), (20, 90, 30))]
    same, other = networks[LPIPS](pictures, [pictures[0]] * 2)
    assert same == 0 < other
    features = networks[INCEPTION](pictures)
    assert features.shape == (2, perceptual.INCEPTION_WIDTH) and np.ptp(features, axis=0).max() > 0


def test_scores_of_frames() -> None:
    def colours(pictures: list[Doubles]) -> Doubles:
        rows = np.stack([picture[..., :3].mean(axis=(0, 1)) for picture in pictures])
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))

    red, yellow = (np.full((4, 4, 4), (*colour, 255), np.uint8) for colour in ((200, 0, 0), (90, 90, 0)))
    targets = Targets({CLIP: colours}, [red, red], yellow)
    first, last = targets.scores([red, yellow])
    assert first == {"clip": 1, "clip_drawing": pytest.approx(0.5**0.5), "clip_next": pytest.approx(0.5**0.5)}
    assert last == {"clip": pytest.approx(0.5**0.5), "clip_drawing": pytest.approx(1)}
    assert Targets({}, [red], yellow).scores([red]) == [{}]
