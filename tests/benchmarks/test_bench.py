"""``python -m benchmarks``: what it reports, not how fast the machine is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from benchmarks import loading, training
from benchmarks.__main__ import main
from benchmarks.plain_training import plain
from specsia_build.dravie.config import PRESETS
from specsia_build.dravie.model.networks import build_generator
from tests.dataset.small import build_small
from tests.shapes import write_folder

SMALL = ("--size", "64", "--views", "2")


def report(*arguments: str) -> dict[str, Any]:
    ran = CliRunner().invoke(main, list(arguments))
    assert ran.exit_code == 0, ran.output
    result: dict[str, Any] = json.loads(ran.stdout)
    return result


def test_stages(tmp_path: Path) -> None:
    result = report("stages", str(write_folder(tmp_path / "figures", 2)), *SMALL)
    assert (result["source"], result["characters"], result["views"]) == ("figures", 2, 2)
    assert list(result["stages"]) == ["render", "reconstruct", "project", "pack"]
    for stage in ("render", "pack"):
        assert result["stages"][stage]["peer"]["times_faster"] > 0


def test_renderers(tmp_path: Path) -> None:
    source = str(write_folder(tmp_path / "figures", 2))
    result = report("renderers", source, *SMALL, "--against", "fast")["against"]["fast"]
    assert len(result["characters"]) == 2
    assert (result["parity"]["iou"], result["parity"]["color_mae"], result["parity"]["position_max"]) == (1, 0, 0)


def test_loading_and_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "SECONDS", 0.05)
    monkeypatch.setattr(training, "TURNS", 1)
    monkeypatch.setattr(training, "TURN_SECONDS", 0.0)
    dataset = str(build_small(tmp_path / "dataset", ["a"]))
    result = report("load", dataset)
    assert result["loader"]["patches_per_second"] > 0
    assert result["rows"]["random"]["times_as_fast"] > 0
    result = report("train", dataset, "--preset", "tiny", "--device", "cpu")
    ratio = result["reference"]["seconds_per_step"] / result["training"]["seconds_per_step"]
    assert result["times_faster"] == pytest.approx(ratio, rel=0.1)


def test_plain_network_is_the_same_function() -> None:
    torch.manual_seed(0)
    network = build_generator(replace(PRESETS["paper"], reference="none").model).eval()
    x = torch.rand(1, 7, 32, 32) * 2 - 1
    with torch.no_grad():
        wanted = network(x)
        assert torch.allclose(plain(network)(x), wanted, atol=1e-4)
