"""The way of the position hint, from a dataset through the loader and the network to a result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from specsia_build.dataset.pairs import PAIR_COLUMNS, Pair, decode_pair
from specsia_build.dataset.reading import open_dataset
from specsia_build.dravie.config import train_config
from specsia_build.dravie.data.frames import frames_of
from specsia_build.dravie.data.patches import PatchSampler
from specsia_build.dravie.metrics import view_scores
from specsia_build.dravie.repair.apply import repair
from specsia_build.dravie.train.loop import Trainer
from tests.dataset.small import build_small

SETTINGS = {"steps": 100, "batch": 2, "learning_rate": 2e-3, "schedule": "constant", "ema": 0.95, "augment": False}
"""Of a training that is over before the usual one has warmed up."""


def dimmed(pair: Pair) -> Pair:
    """Z is darker the farther back on the character it lies, down to half: only Zpos tells by how much."""
    z = pair.z.copy()
    z[..., :3] = np.rint(z[..., :3] * (0.5 + 0.5 * pair.pos[..., 2:3] / 255.0))
    return replace(pair, z=z)


def interior(pairs: list[Pair], training: list[Pair], with_pos: bool) -> float:
    """Mean error inside the figures of some pairs, after a short training on others."""
    config = train_config("tiny", SETTINGS | {"with_pos": with_pos, "reference": "none"})
    trainer = Trainer(replace(config, precision="float32"), None, torch.device("cpu"))
    for _ in trainer.learn(PatchSampler((frames_of(training),), config)):
        pass
    trainer.result.network.eval()
    scores = [view_scores(repair(trainer.result, p.z, p.pos), p)["l1_interior"] for p in pairs]
    return float(np.mean(scores))


@pytest.mark.slow
def test_damage_that_hangs_on_the_place_alone_is_undone_with_the_hint(tmp_path: Path) -> None:
    ids = tuple(f"c{number}" for number in range(5))
    dataset = open_dataset(build_small(tmp_path / "dataset", ids, backends=("exact",)))
    name = dataset.configs[0]
    rows = [row for split in dataset.splits(name) for row in dataset.stream(name, split, PAIR_COLUMNS(dataset.schema))]
    pairs = [dimmed(decode_pair(row)) for row in rows]
    unseen = [pair for pair in pairs if pair.character_id == ids[-1]]
    training = [pair for pair in pairs if pair.character_id != ids[-1]]
    with_hint, without = (interior(unseen, training, with_pos) for with_pos in (True, False))
    damage = float(np.mean([view_scores(pair.z, pair)["l1_interior"] for pair in unseen]))
    assert with_hint < 0.7 * without < 0.7 * damage
