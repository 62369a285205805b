"""The networks: shapes, ranges and reach; losses, VGG, and the use of the position hint."""

from dataclasses import replace
from pathlib import Path
from typing import get_args
from urllib.error import URLError

import numpy as np
import pytest
import skimage
import torch
from safetensors.torch import load_file, save
from torch import nn

from specsia_build.dataset.pairs import Pair, decode_pair, pair_columns
from specsia_build.dataset.reading import open_dataset
from specsia_build.dravie.config import Architecture, ModelConfig, Reference, train_config
from specsia_build.dravie.data.encoding import encode_input, input_channels
from specsia_build.dravie.data.frames import frames_of
from specsia_build.dravie.data.patches import PatchSampler
from specsia_build.dravie.metrics import levels_on_black, levels_on_white, view_scores
from specsia_build.dravie.model import networks
from specsia_build.dravie.model.checkpoint import MODEL_FILE, load_generator, save_model
from specsia_build.dravie.model.devices import predictor_of
from specsia_build.dravie.model.networks import SSIM_WINDOW, VggFeatures
from specsia_build.dravie.model.predictor import GEOMETRY
from specsia_build.dravie.repair.apply import repair
from specsia_build.dravie.runs import CHECKPOINTS_FOLDER
from specsia_build.dravie.train.loop import Trainer
from specsia_build.errors import SpecsiaError, UsageError
from tests.dataset.small import build_small
from tests.dravie.pairs import model_of


def _generator(architecture: Architecture, reference: Reference = "none") -> nn.Module:
    return model_of(ModelConfig(architecture, reference), 1).network


def _picture(height: int, width: int, channels: int = 7) -> torch.Tensor:
    return torch.rand(1, channels, height, width, generator=torch.Generator().manual_seed(height)) * 2 - 1


@pytest.mark.parametrize("architecture", get_args(Architecture))
@pytest.mark.parametrize("reference", get_args(Reference))
@pytest.mark.parametrize("shape", [(32, 32), (37, 50), (1, 9)])
def test_any_size(architecture: Architecture, reference: Reference, shape: tuple[int, int]) -> None:
    channels = input_channels(ModelConfig(reference=reference))
    with torch.inference_mode():
        painted = _generator(architecture, reference)(_picture(*shape, channels))
    assert painted.shape == (1, 4, *shape)
    assert painted.abs().max() <= 1


@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_receptive_field_within_overlap(architecture: Architecture) -> None:
    model, reach = _generator(architecture), GEOMETRY[architecture].reach
    # A low frame reaches as far along it as a square one, at a fraction of the work.
    seen = _picture(8, 200)
    changed = seen.clone()
    changed[..., 101] += 0.5
    with torch.inference_mode():
        columns = (model(seen) != model(changed)).any(1)[0].any(0).nonzero()
    assert reach / 2 < (columns - 101).abs().max() <= reach


@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_weights_that_see_a_grey_contour(architecture: Architecture, tmp_path: Path) -> None:
    """Checkpoints of 21 channels give the same for a grey, whose three levels are equal."""
    config = ModelConfig(architecture, "drawing")
    save_model(tmp_path, 1, model_of(config, 1))
    path = tmp_path / CHECKPOINTS_FOLDER / "0000001" / MODEL_FILE
    weights = {name: weight.clone() for name, weight in load_file(path).items()}
    narrow = {n: w[:, :-2].contiguous() if w.ndim == 4 and sees_input(n) else w for n, w in weights.items()}
    path.write_bytes(save(narrow))
    converted = load_generator(tmp_path).network.state_dict()
    for name, weight in weights.items():
        if not sees_input(name):
            assert torch.equal(converted[name], weight)
            continue
        assert torch.equal(converted[name][:, :-3], weight[:, :-3])
        assert torch.allclose(converted[name][:, -3:].sum(1), narrow[name][:, -1], atol=1e-6)
    path.write_bytes(save({n: w[:, :-1].contiguous() if sees_input(n) else w for n, w in narrow.items()}))
    with pytest.raises(SpecsiaError, match="of another model or version"):
        load_generator(tmp_path)


def sees_input(name: str) -> bool:
    """Whether a weight is of a layer that sees the network's input."""
    return name in ("first.0.weight", "down0.0.weight", "join.0.weight")


def test_paper_model_size() -> None:
    model = _generator("paper")
    assert isinstance(model, networks.Paper)
    assert 3.27e6 < sum(p.numel() for p in model.parameters()) < 3.3e6
    assert sum(isinstance(m, nn.BatchNorm2d) for m in model.modules()) == 13


def _weights() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    weights = {n: torch.randn(t.shape, generator=generator) for n, t in VggFeatures().state_dict().items()}
    return weights | {"features.7.weight": torch.zeros(128, 128, 3, 3), "classifier.0.bias": torch.zeros(4)}


def test_closed_alpha_still_learns() -> None:
    x = torch.full((1, input_channels(ModelConfig(reference="drawing")), 1, 1), -1.0)
    output = torch.zeros(1, 9, 1, 1)
    output[:, 3] = -15
    output.requires_grad_()
    networks._blend(x, output)[:, 3].sum().backward()
    assert output.grad is not None and output.grad[0, 3] > 1e-6


def test_white_and_black_grounds() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (8, 8, 4), np.uint8)
    target = encode_input(picture, picture, ModelConfig())[..., :4]
    shown = networks.on_both_grounds(torch.from_numpy(target).permute(2, 0, 1)[None])
    wanted = np.concatenate((levels_on_white(picture), levels_on_black(picture)), axis=2) * 2 - 1
    np.testing.assert_allclose(shown[0].permute(1, 2, 0).numpy(), wanted, atol=1e-5)


def test_losses_of_known_pictures() -> None:
    picture = torch.rand(2, 4, 8, 8)
    assert networks.gradient_loss(picture + 0.5, picture) < 1e-6
    assert networks.gradient_loss(-picture, picture) > 0.1
    real, painted = torch.ones(2, 1), torch.zeros(2, 1)
    assert networks.generator_loss(torch.ones(2, 1, 6, 6)) == 0
    assert networks.discriminator_loss(torch.cat((real, painted))) == 0
    assert networks.discriminator_loss(torch.cat((painted, real))) == 2


def test_ssim_as_in_scikit_image() -> None:
    truth, noise = torch.rand(2, 1, 3, 33, 40, generator=torch.Generator().manual_seed(1))
    painted = (truth + 0.3 * noise).clamp(0, 1)
    pictures = (side[0].permute(1, 2, 0).numpy() for side in (painted, truth))
    settings = {"win_size": SSIM_WINDOW, "use_sample_covariance": False, "data_range": 1.0, "channel_axis": 2}
    _, similar = skimage.metrics.structural_similarity(*pictures, full=True, **settings)
    inside = slice(SSIM_WINDOW // 2, -(SSIM_WINDOW // 2), 2)
    loss = networks.SimilarityLoss().loss(2 * painted - 1, 2 * truth - 1)
    assert float(loss) == pytest.approx(1 - similar[inside, inside].mean(), abs=1e-5)


def test_torchvision_names_of_vgg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda *_, **__: _weights())
    features = networks.find_perceptual_loss("vgg19")
    assert features is not None
    assert torch.equal(features.state_dict()["features.2.weight"], _weights()["features.2.weight"])
    assert not any(p.requires_grad for p in features.parameters())
    picture = torch.rand(2, 3, 32, 32)
    assert features.loss(picture, picture) == 0
    assert features.loss(picture, picture.flip(3)) > 0


def test_features_without_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fail)
    assert networks.find_perceptual_loss("none") is None
    with pytest.raises(UsageError, match="vgg19"):
        networks.find_perceptual_loss("vgg19")


SETTINGS = {"steps": 100, "batch": 2, "learning_rate": 2e-3, "ema": 0.95, "schedule": "constant"}
"""Of a training that is over before the usual one has warmed up."""


def dimmed(pair: Pair) -> Pair:
    """Z is darker the farther back on the character it lies, down to half: only Zpos tells by how much."""
    z = pair.z.copy()
    z[..., :3] = np.rint(z[..., :3] * (0.5 + 0.5 * pair.pos[..., 2:3] / 255.0))
    return replace(pair, z=z)


def interior(pairs: list[Pair], training: list[Pair]) -> float:
    """Mean error inside the figures of some pairs, after a short training on others."""
    config = train_config("tiny", SETTINGS | {"augment": "none", "reference": "none"})
    trainer = Trainer(replace(config, precision="float32"), None, torch.device("cpu"))
    for _ in trainer.learn(PatchSampler((frames_of(training),), config)):
        pass
    trainer.result.network.eval()
    predictor = predictor_of(trainer.result)
    scores = [view_scores(repair(predictor, p.z, p.pos), p)["l1_interior"] for p in pairs]
    return float(np.mean(scores))


@pytest.mark.slow
def test_hint_undoes_local_damage(tmp_path: Path) -> None:
    ids = tuple(f"c{number}" for number in range(5))
    dataset = open_dataset(build_small(tmp_path / "dataset", ids, backends=("exact",)))
    name = dataset.configs[0]
    rows = [r for split in dataset.splits(name) for r in dataset.stream(name, split, pair_columns(dataset))]
    pairs = [dimmed(decode_pair(row)) for row in rows]
    unseen = [pair for pair in pairs if pair.character_id == ids[-1]]
    training = [pair for pair in pairs if pair.character_id != ids[-1]]
    blind = [[replace(pair, pos=np.zeros_like(pair.pos)) for pair in of] for of in (unseen, training)]
    with_hint, without = interior(unseen, training), interior(*blind)
    damage = float(np.mean([view_scores(pair.z, pair)["l1_interior"] for pair in unseen]))
    assert with_hint < 0.7 * without < 0.7 * damage
