"""Training of `relief`, which needs torch: the network gives the same without it, and learns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from specsia_build.backends.relief import net
from specsia_build.backends.relief.net import CHANNELS, COLOURS
from specsia_build.backends.relief.sheets import SIZE
from specsia_build.backends.selftest import figure
from specsia_build.characters.samples.write import provide
from specsia_build.characters.sources import open_source

torch = pytest.importorskip("torch")
train = pytest.importorskip("specsia_build.backends.relief.train")


@pytest.fixture(scope="module")
def picture() -> Any:
    return train._picture(figure())


def test_examples_are_a_function_of_their_seed(picture: Any) -> None:
    one, two, other = (train.example(picture, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert not np.array_equal(one["x"], other["x"])
    assert one["x"].shape == (CHANNELS, SIZE, SIZE)
    thickness = (one["depth"][0] - one["depth"][1])[one["both"][0] > 0]
    assert thickness.min() > -0.02
    assert 0.05 < thickness.mean() < 1


@pytest.mark.parametrize("workers", [0, 2])
def test_training_makes_weights_that_give_the_same_without_torch(workers: int, picture: Any, tmp_path: Path) -> None:
    model = train.train([(picture, 1.0)], tmp_path, train.Effort(steps=1, workers=workers), seed=0)
    tensors = net._tensors(tmp_path / "weights.safetensors")
    planes = {name: value.transpose(3, 2, 0, 1).copy() if value.ndim == 4 else value for name, value in tensors.items()}
    model.load_state_dict({name: torch.from_numpy(value) for name, value in planes.items()})
    example = train.example(picture, np.random.default_rng(3))
    with torch.no_grad():
        predicted, key = model(torch.from_numpy(example["x"])[None])
        hot = torch.nn.functional.one_hot(torch.from_numpy(example["labels"]).long(), COLOURS + 1)[..., :COLOURS]
        pooled = torch.nn.functional.avg_pool2d(hot.permute(2, 0, 1)[None].float(), 2)
        logits = train.palette_logits(predicted, key, pooled, torch.from_numpy(example["guides"]).long()[None])
    found, keys = net.forward(np.ascontiguousarray(example["x"].transpose(1, 2, 0)), tensors)
    assert np.abs(found - predicted[0].permute(1, 2, 0).numpy()).max() < 1e-4
    _, without = net.decode(found, keys, example["labels"], 0)
    assert np.abs(without - logits[0].permute(1, 2, 0).numpy()).max() < 1e-3


def test_manifests_may_have_a_share_and_an_equals_sign_in_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[tuple[str, float]] = []
    monkeypatch.setattr(train, "pictures", lambda path: [(path.name, 0.5)])
    monkeypatch.setattr(train, "train", lambda drawn, out, effort, seed: taken.extend(drawn))
    (tmp_path / "c=2").touch()
    shares = {"a.jsonl": 0.5, "b.jsonl=0.4": 0.2, f"{tmp_path}/c=2": 0.5, f"{tmp_path}/c=2=3": 1.5, "f=g.jsonl": 0.5}
    result = CliRunner().invoke(train.main, [*shares, "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert taken == list(zip(("a.jsonl", "b.jsonl", "c=2", "c=2", "f=g.jsonl"), shares.values(), strict=True))
    for share in ("0", "-1", "nan", "inf"):
        result = CliRunner().invoke(train.main, ["a.jsonl", f"b.jsonl={share}", "--out", str(tmp_path / "none")])
        assert result.exit_code == 2 and f"'b.jsonl={share}'" in result.output
    assert len(taken) == len(shares) and not (tmp_path / "none").exists()


def test_samples_are_drawn_at_rest_and_turned(tmp_path: Path) -> None:
    lines = []
    for entry, split in zip(open_source("sample:2", tmp_path).entries, ("train", "test"), strict=True):
        provide(entry)
        lines.append({"id": entry.id, "path": entry.path.relative_to(tmp_path).as_posix(), "split": split})
    (tmp_path / "samples.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert [weight for _, weight in train.pictures(tmp_path / "samples.jsonl")] == [0.5, 0.5]
