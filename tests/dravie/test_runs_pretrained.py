"""The model that comes with the package: found by its name, whole, honest about what it saw, and of use."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

import specsia_build as specsia
from specsia_build.dravie.metrics import view_scores
from specsia_build.dravie.model.checkpoint import MODEL, load_generator
from specsia_build.dravie.runs import WEIGHTS, checkpoints, read_run_config, read_seen
from tests.commands import specsia as command
from tests.dravie.made import drawn_pair, write_run
from tests.dravie.repair.test_enhance import write_frames

CARD = WEIGHTS / "MODEL_CARD.md"
MOST_BYTES = 1_200_000


def trained_on() -> Mapping[str, tuple[str, ...]]:
    training = read_seen(WEIGHTS).training
    assert training is not None
    return {character: views for of in training.values() for character, views in of.items()}


def weights_file() -> Path:
    return checkpoints(WEIGHTS)[-1] / MODEL


def test_it_brings_a_figure_nearer_that_it_never_saw() -> None:
    pair = drawn_pair(size=256)
    repaired = specsia.load_model("pretrained", "cpu").enhance(pair)
    assert view_scores(repaired, pair)["l1"] < 0.9 * view_scores(pair.z, pair)["l1"]


def test_a_folder_of_that_name_is_never_meant_or_passed_over_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = write_frames(tmp_path / "frames", 1)
    (tmp_path / "pretrained").mkdir()
    (tmp_path / "pretrained" / "others.pth").touch()
    command("enhance", "pretrained", folder, "--out", "theirs")
    write_run(tmp_path / "pretrained")
    assert "./pretrained" in command("enhance", "pretrained", folder, "--out", "unclear", code=2).stderr
    command("enhance", "./pretrained", folder, "--out", "own")
    theirs, own = (Path(name, "8.png").read_bytes() for name in ("theirs", "own"))
    assert theirs != own


def test_the_weights_are_small_whole_and_in_half_precision() -> None:
    model, config, _ = load_generator(WEIGHTS)
    assert config.with_pos and config.architecture == "tiny"
    assert len(checkpoints(WEIGHTS)) == 1
    assert sum(parameter.numel() for parameter in model.parameters()) * 2 < weights_file().stat().st_size < MOST_BYTES
    assert all(bool(tensor.isfinite().all()) for tensor in model.state_dict().values())
    assert {path.suffix for path in WEIGHTS.rglob("*") if path.is_file()} == {".json", ".safetensors", ".md"}


def test_the_card_is_of_these_weights() -> None:
    card, settings = CARD.read_text(encoding="utf-8"), read_run_config(WEIGHTS)
    assert f"`{hashlib.sha256(weights_file().read_bytes()).hexdigest()}`" in card
    assert settings is not None and f"{settings.steps:,} steps" in card
    assert settings.configs == ("relief", "fusion")


def test_the_card_names_every_character_that_was_seen() -> None:
    card, seen = CARD.read_text(encoding="utf-8"), read_seen(WEIGHTS)
    samples = [name for name in trained_on() if name.startswith("sample-")]
    others = (set(trained_on()) | set(seen.validation)) - set(samples)
    named = {name for name in re.findall(r"`([a-z0-9_]+)`", card) if name in others}
    assert named == {name for name in others if not name.startswith("sample-")}
    assert f"{len(samples)} procedural" in card


def test_it_never_saw_what_is_held_out(characters_dir: Path) -> None:
    lines = [json.loads(line) for line in (characters_dir / "everything.jsonl").read_text().splitlines() if line]
    known = {line["id"]: line for line in lines}
    learnt = {name for name in trained_on() if not name.startswith("sample-")}
    assert learnt and {(known[name]["split"], known[name]["license"]) for name in learnt} == {("train", "CC0-1.0")}
