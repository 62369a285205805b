"""The benchmark commands, and their measures on known pictures and layers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from benchmarks import layers, loading, poses, training
from benchmarks.__main__ import main
from benchmarks.layer_measures import Frame, flow_counts
from benchmarks.parity import compare
from benchmarks.plain_training import plain
from benchmarks.pretrained import main as keep_model
from specsia_build.characters.blender import CACHE_SETTING
from specsia_build.characters.character import Entry
from specsia_build.config import ClipSettings
from specsia_build.dravie.config import PRESETS, TrainConfig, to_json
from specsia_build.dravie.model.checkpoint import load_generator, save_model
from specsia_build.dravie.model.networks import build_generator
from specsia_build.dravie.runs import RUN_FILE, SeenCharacters, read_run_config, read_seen, write_seen
from specsia_build.rendering.layers import Layers
from specsia_build.rendering.mesh import Mesh
from specsia_build.stages.clips.actor import shot_of
from tests.dataset.small import build_small
from tests.dravie.pairs import model_of
from tests.needs import needs
from tests.pipeline.moving import write_moving_figure
from tests.shapes import write_folder

SMALL = ("--size", "64", "--views", "2")


def report(*arguments: str) -> dict[str, Any]:
    ran = CliRunner().invoke(main, list(arguments))
    assert ran.exit_code == 0, ran.output
    result: dict[str, Any] = json.loads(ran.stdout)
    return result


def test_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.__main__.RECORDED", tmp_path / "recorded.json")
    arguments = "stages", str(write_folder(tmp_path / "figures", 2)), *SMALL, "--backend", "relief"
    first = report(*arguments, "--record")["relief"]["stages"]
    assert first["project"]["ratio"] is None
    result = report(*arguments)["relief"]
    for name, stage in result["stages"].items():
        before = first[name]["seconds_per_character"]
        assert stage["ratio"] == round(stage["seconds_per_character"] / before, 2)
    assert (result["source"], result["characters"], result["views"]) == ("figures", 2, 2)
    assert list(result["stages"]) == ["render", "reconstruct", "project", "pack"]
    for stage in ("render", "pack"):
        assert "times_faster" in result["stages"][stage]["peer"]


def test_renderers(tmp_path: Path) -> None:
    source = str(write_folder(tmp_path / "figures", 2))
    result = report("renderers", source, *SMALL, "--against", "fast")["against"]["fast"]
    assert len(result["characters"]) == 2
    assert [result["parity"][name] for name in ("iou", "color_mae", "position_max")] == [1, 0, 0]


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


def test_plain_network_agrees() -> None:
    torch.manual_seed(0)
    network = build_generator(replace(PRESETS["paper"], reference="none").model).eval()
    x = torch.rand(1, 7, 32, 32) * 2 - 1
    with torch.no_grad():
        wanted = network(x)
        assert torch.allclose(plain(network)(x), wanted, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "path", "clips"), [("gltf", "animated/enemy_frog.glb", 4), ("fbx", "quaternius/Zombie.fbx", 5)]
)
def test_clips_agree_with_blender(
    characters_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, path: str, clips: int
) -> None:
    needs("bpy", "libraries")
    monkeypatch.setenv(CACHE_SETTING, str(tmp_path))
    compared = poses.compared(Entry("a", kind, characters_dir / path), 12.0, 2)
    assert len(compared) == clips + 1
    assert min(clip.iou for clip in compared) > 0.995
    assert max(clip.distance for clip in compared) < 1e-4
    assert max(clip.stray for clip in compared) == 0.0


KNIGHT, MAGE = {"knight": ("0" * 32,)}, {"mage": ("1" * 32,)}
SEEN = SeenCharacters({"fusion": KNIGHT, "relief": KNIGHT | MAGE})


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder, config = tmp_path / "run", TrainConfig(steps=7)
    save_model(folder, 7, model_of(config.model), {"moments": torch.zeros(3)})
    write_seen(folder, SEEN)
    (folder / RUN_FILE).write_text(json.dumps({"train": to_json(config), "where": "/home/someone/data"}))
    return folder


def test_usable_run(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "weights"
    done = CliRunner().invoke(keep_model, [str(run), str(out)])
    assert done.exit_code == 0 and "SHA-256" in done.output
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    saved = [f"checkpoints/0000007/{name}" for name in ("model.safetensors", "state.json")]
    assert files == [*saved, "run.json", "seen.json"]
    # Views of two configurations are listed once.
    assert read_seen(out) == SeenCharacters({"fusion": KNIGHT, "relief": MAGE})
    assert read_run_config(out) == read_run_config(run)
    assert "someone" not in (out / RUN_FILE).read_text()
    (model, config, _), (own, own_config, _) = load_generator(out), load_generator(run)
    assert config == own_config
    for weight, own_weight in zip(model.parameters(), own.parameters(), strict=True):
        assert weight.dtype == torch.float32
        torch.testing.assert_close(weight, own_weight, rtol=1e-3, atol=1e-6)


BOX = ([0.0, 0.0, 0.0], [1.0, 2.0, 0.5])


def square() -> Layers:
    """A covered square of 4 x 4 in 8 x 8 pixels whose left column is covered by half."""
    coverage = np.zeros((8, 8), np.uint8)
    coverage[2:6, 2:6] = 255
    coverage[2:6, 2] = 128
    color = np.zeros((8, 8, 4), np.uint8)
    color[..., 3] = coverage
    color[coverage > 0, :3] = 100
    position = np.zeros((8, 8, 3), np.float32)
    position[coverage > 0] = [0.5, 1.0, 0.25]
    return Layers(color, coverage, position)


def test_coverage_at_edges_and_half() -> None:
    other = square()
    coverage = other.coverage.copy()
    coverage[2:6, 2] = 127
    parity = compare(square(), replace(other, coverage=coverage), *BOX)
    assert parity.iou == 12 / 16
    assert parity.coverage_edge_mae == pytest.approx(1 / 255)
    assert parity.coverage_mae == pytest.approx(4 / 64 / 255)


def test_colour_counts_inside() -> None:
    color = square().color.copy()
    color[2:6, 2, :3] = 0
    assert compare(square(), replace(square(), color=color), *BOX).color_mae == 0
    color[2, 3, 0] = 112
    parity = compare(square(), replace(square(), color=color), *BOX)
    assert parity.color_mae == pytest.approx(12 / 36)
    assert parity.color_p99 > 0


def test_positions_relative_to_box() -> None:
    position = square().position.copy()
    position[3, 4] += [0, 0, 0.5 * 3 / 255]
    parity = compare(square(), replace(square(), position=position), *BOX)
    assert parity.position_max == pytest.approx(3, rel=1e-5)
    assert parity.position_off == 1 / 12
    assert parity.position_p95 == pytest.approx(3 * 0.45, rel=1e-3)


SETTINGS = ClipSettings(fps=8, frames=3, patterns=("wave",))


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> Entry:
    path = tmp_path_factory.mktemp("figure") / "figure.glb"
    write_moving_figure(path)
    return Entry("figure", "gltf", path)


@pytest.fixture(scope="module")
def pair(entry: Entry) -> tuple[Frame, Frame, Mesh]:
    """Two frames of a figure that waves, from its left, and the figure at rest."""
    ((job, clip, actor),) = layers.shots([entry], 1, SETTINGS, 96)
    surface = layers.cached_surface(actor)
    shot = shot_of(replace(clip, yaw=90.0), actor, job.config, 2)
    first, second, _ = layers.frames_of(actor, shot, surface, 1.0)
    return first, second, actor.mesh


def test_correct_layers_score_full(entry: Entry) -> None:
    result = layers.measured([entry], 1, SETTINGS, 96)
    for row in layers.ROWS:
        (share,) = (row.share(counts) for counts in result.values())
        if row.goal is not None and "hides" not in row.what and "interpolated" not in row.what:
            assert share is None or share >= row.goal, row.what
    assert layers.table(result).count("\n|") > 20


def test_flow_off_by_a_pixel(pair: tuple[Frame, Frame, Mesh]) -> None:
    here, there, mesh = pair
    off = replace(here, layers={**here.layers, "flow": here.layers["flow"] + 1})
    right, wrong = (flow_counts(frame, there, mesh, 10, np.random.default_rng(0)) for frame in (here, off))
    for name in ("matched, projected", "matched, same position"):
        assert wrong[name] < 0.1 * right[name]
    assert right["matched, same place"] > wrong["matched, same place"]
