"""`tiny` without torch gives what torch gives in float32."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from specsia_build.arrays import Floats
from specsia_build.dravie.config import ModelConfig, Reference
from specsia_build.dravie.data.encoding import input_channels
from specsia_build.dravie.model import checkpoint
from specsia_build.dravie.model.checkpoint import MODEL_FILE, load_predictor
from specsia_build.dravie.runs import SHIPPED_RUN, checkpoints
from specsia_build.errors import SpecsiaError, UsageError
from tests.needs import needs


def encoded(height: int, width: int, config: ModelConfig, seed: int = 3) -> Floats:
    shape = (height, width, input_channels(config))
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def painted_by_torch(run: Path, x: Floats) -> Floats:
    import torch

    from specsia_build.dravie.model.checkpoint import load_generator

    with torch.inference_mode():
        output = load_generator(run).network(torch.from_numpy(x).permute(2, 0, 1)[None])
    return np.asarray(output[0].permute(1, 2, 0).numpy())


@pytest.mark.parametrize("shape", [(64, 96), (37, 50), (1, 9)])
@pytest.mark.parametrize("reference", get_args(Reference))
def test_same_as_in_torch(reference: Reference, shape: tuple[int, int], tmp_path: Path) -> None:
    needs("torch")
    from specsia_build.dravie.model.checkpoint import save_model
    from tests.dravie.pairs import model_of

    config = ModelConfig("tiny", reference)
    model = model_of(config, 1)
    for weight in model.network.parameters():
        weight.requires_grad_(False).mul_(1.5)
    save_model(tmp_path, 1, model)
    x = encoded(*shape, config)
    found = load_predictor(tmp_path, "cpu").predict(x)
    assert found.shape == (*shape, 4) and found.dtype == np.float32 and found.std() > 0.02
    np.testing.assert_allclose(found, painted_by_torch(tmp_path, x), atol=1e-5)


def test_computes_as_trained() -> None:
    """Record the numbers anew with new weights; other code must keep them."""
    predictor = load_predictor(SHIPPED_RUN, "cpu")
    painted = predictor.predict(encoded(64, 64, predictor.config))
    assert painted.mean((0, 1)).tolist() == pytest.approx([0.0279, 0.0292, 0.0334, 0.723], abs=1e-4)
    assert painted.std((0, 1)).tolist() == pytest.approx([0.4148, 0.4063, 0.4071, 0.3591], abs=1e-4)


@pytest.mark.parametrize("fault", ["missing", "unknown", "shape", "infinite"])
def test_damaged_weights(fault: str, tmp_path: Path) -> None:
    source = checkpoints(SHIPPED_RUN)[-1]
    weights = dict(load_file(source / MODEL_FILE))
    name = "up.1.0.weight"
    if fault == "missing":
        del weights[name]
    elif fault == "unknown":
        weights["up.3.0.bias"] = weights["up.1.0.bias"]
    elif fault == "shape":
        weights[name] = weights[name][:, 1:].copy()
    else:
        weights[name] = weights[name] * np.float16(np.inf)
    (tmp_path / "state.json").write_bytes((source / "state.json").read_bytes())
    save_file(weights, tmp_path / MODEL_FILE)
    with pytest.raises(SpecsiaError, match="of another model or version"):
        load_predictor(tmp_path, "cpu")


def test_gpu_is_looked_for_where_a_driver_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Importing torch takes seconds, so that a machine without a GPU does not do so."""
    asked: list[str] = []

    def absent() -> None:
        asked.append("torch")
        raise UsageError("no torch")

    monkeypatch.setattr(checkpoint, "need_torch", absent)
    monkeypatch.setattr(checkpoint, "_DRIVERS", (str(tmp_path / "none"),))
    for device in ("auto", "cpu"):
        load_predictor(SHIPPED_RUN, device)
    assert not asked
    with pytest.raises(UsageError):
        load_predictor(SHIPPED_RUN, "cuda")
    monkeypatch.setattr(checkpoint, "_DRIVERS", (str(tmp_path),))
    load_predictor(SHIPPED_RUN, "cpu")
    assert asked == ["torch"]
    with pytest.raises(UsageError, match="device"):
        load_predictor(SHIPPED_RUN, "gpu")
