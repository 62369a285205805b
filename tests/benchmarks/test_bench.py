"""The commands of `benchmarks`: what they report, not how fast the machine is, and the model that they keep."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from benchmarks import loading, poses, training
from benchmarks.__main__ import main
from benchmarks.loaders.__main__ import main as check_loaders
from benchmarks.plain_training import plain
from benchmarks.pretrained import main as keep_model
from benchmarks.pretrained import write_pretrained
from benchmarks.validation_source import HELD_OUT, write_source
from specsia_build.characters.blender import CACHE_SETTING
from specsia_build.characters.character import Entry
from specsia_build.characters.sources import open_source
from specsia_build.dravie.config import PRESETS, TrainConfig, to_json
from specsia_build.dravie.model.checkpoint import load_generator, save_model
from specsia_build.dravie.model.networks import build_generator
from specsia_build.dravie.runs import RUN_FILE, Seen, read_run_config, read_seen, write_seen
from specsia_build.errors import UsageError
from tests.dataset.small import build_small
from tests.dravie.made import model_of
from tests.shapes import write_figure, write_folder

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


def test_a_project_that_is_not_there_is_named_with_the_way_to_get_it(tmp_path: Path) -> None:
    done = CliRunner().invoke(check_loaders, [str(tmp_path), "conr", "--upstream", str(tmp_path)])
    assert done.exit_code == 1 and "git clone https://github.com/megvii-research/IJCAI2023-CoNR" in done.output


def test_samples_and_real_characters_in_one_manifest(tmp_path: Path) -> None:
    given, lines = {HELD_OUT[0]: "test", HELD_OUT[1]: "test", "another": "validation"}, []
    for name, split in given.items():
        write_figure(tmp_path / "real ones" / "figures" / f"{name}.obj")
        more = {"split": split} if name == "another" else {}
        lines.append({"id": name, "path": f"figures/{name}.obj", "front": "-y", **more})
    real = tmp_path / "real ones" / "characters.jsonl"
    real.write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    manifest = write_source(tmp_path / "out", 3, real)
    entries = open_source(str(manifest), tmp_path / "scratch").entries
    assert [entry.problem for entry in entries] == [None] * 6
    samples = {"sample-0": "validation", "sample-1": "train", "sample-2": "train"}
    assert {entry.id: entry.split for entry in entries} == samples | given
    before = manifest.read_bytes()
    assert write_source(tmp_path / "out", 3, real).read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "path", "clips"), [("gltf", "animated/enemy_frog.glb", 4), ("fbx", "quaternius/Zombie.fbx", 5)]
)
def test_a_characters_clips_are_as_blender_has_them(
    characters_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, path: str, clips: int
) -> None:
    pytest.importorskip("bpy")
    monkeypatch.setenv(CACHE_SETTING, str(tmp_path))
    found = poses.compared(Entry("a", kind, characters_dir / path), 12.0, 2)
    assert len(found) == clips + 1
    assert min(clip.iou for clip in found) > 0.995
    assert max(clip.distance for clip in found) < 1e-4
    assert max(clip.stray for clip in found) == 0.0


SEEN = Seen({"fusion": {"knight": ("0" * 32,)}})


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder, config = tmp_path / "run", TrainConfig(steps=7)
    save_model(folder, 7, model_of(config.model), {"moments": torch.zeros(3)})
    write_seen(folder, SEEN)
    (folder / RUN_FILE).write_text(json.dumps({"train": to_json(config), "where": "/home/someone/data"}))
    return folder


def test_a_run_that_can_be_used(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "weights"
    done = CliRunner().invoke(keep_model, [str(run), str(out)])
    assert done.exit_code == 0 and "SHA-256" in done.output
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert files == ["checkpoints/0000007/model.safetensors", "checkpoints/0000007/state.json", "run.json", "seen.json"]
    assert read_seen(out) == SEEN and read_run_config(out) == read_run_config(run)
    assert "someone" not in (out / RUN_FILE).read_text()
    (model, config, _), (own, own_config, _) = load_generator(out), load_generator(run)
    assert config == own_config
    for one, two in zip(model.parameters(), own.parameters(), strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-6)


def test_weights_of_another_step_are_not_left_beside(run: Path, tmp_path: Path) -> None:
    (tmp_path / "weights" / "checkpoints" / "0000003").mkdir(parents=True)
    with pytest.raises(UsageError, match="delete it first"):
        write_pretrained(run, tmp_path / "weights")
