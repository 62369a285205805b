"""What a shell completes: commands, options, names, ids; quickly, and silently where there is nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from specsia_build.backends.registry import available_backends
from specsia_build.characters.motions import BUILT_IN
from specsia_build.cli.completion import CLIP_STAGES, MOTIONS, STAGES
from specsia_build.config import OWN, RENDERERS
from specsia_build.recipes.registry import available_recipes
from specsia_build.rendering import registry
from specsia_build.stages import pack
from specsia_build.stages.registry import PAIR_STAGES, stage_names
from tests.gallery.test_evaluation import VIEW, written
from tests.shapes import write_folder


def completed(line: str, folder: Path) -> list[str]:
    """What bash is told for a line, its last word incomplete."""
    words = line.split(" ")
    asked = {"_SPECSIA_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    code = "from specsia_build.cli import main; main(prog_name='specsia')"
    environment = {**os.environ, **asked, "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=folder, check=False
    )
    assert ran.stderr == ""
    return [one.partition(",")[2] for one in ran.stdout.splitlines() if one.startswith("plain,")]


def test_names_of_stages_are_those_of_the_stages() -> None:
    assert stage_names() == STAGES
    assert tuple(stage.name for stage in (*PAIR_STAGES, pack.STAGE)) == CLIP_STAGES


def test_names_of_renderers_and_motions_are_those_there_are() -> None:
    assert tuple(sorted(registry.RENDERERS)) == RENDERERS
    assert (OWN, *BUILT_IN) == MOTIONS


def test_commands_options_and_names_are_completed(tmp_path: Path) -> None:
    assert completed("specsia b", tmp_path) == ["build", "backends", "bench"]
    assert completed("specsia build --si", tmp_path) == ["--size"]
    assert completed("specsia build --backend ", tmp_path) == sorted(available_backends())
    assert completed("specsia clips --recipe ", tmp_path) == list(available_recipes())
    assert completed("specsia build --renderer ", tmp_path) == list(RENDERERS)
    assert completed("specsia clips --motion w", tmp_path) == ["walk", "wave"]
    assert completed("specsia build --stage re", tmp_path) == ["render", "reconstruct"]
    assert completed("specsia build --config spec", tmp_path) == ["specsia-15k"]
    assert completed("specsia enhance pre", tmp_path) == ["pretrained"]
    assert completed("specsia bench re", tmp_path) == ["reconstruct", "render"]


def test_ids_are_those_of_what_the_line_names(tmp_path: Path) -> None:
    write_folder(tmp_path / "figures", 3)
    assert completed("specsia characters figures --parts ", tmp_path) == ["0", "1", "2"]
    assert completed("specsia characters sample:3 --parts ", tmp_path) == ["0", "1", "2"]
    assert completed("specsia turntable sample:12 1", tmp_path) == ["1", "10", "11"]
    (tmp_path / "set").mkdir()
    splits = {"seed": 42, "rule": "", "train": ["knight", "mage"], "validation": [], "test": ["kay"]}
    (tmp_path / "set" / "splits.json").write_text(json.dumps(splits))
    (tmp_path / "set" / "build.json").write_text(json.dumps({"config": {"backends": ["inflate", "fusion:0.5"]}}))
    assert completed("specsia adapt pretrained --dataset set --character k", tmp_path) == ["kay", "knight"]
    assert completed("specsia train set --backend ", tmp_path) == ["fusion", "inflate"]
    assert completed("specsia evaluate pretrained set --backend f", tmp_path) == ["fusion"]


def test_ids_of_what_is_drawn_are_clips_where_there_are_any(tmp_path: Path) -> None:
    (tmp_path / "scores").mkdir()
    of_clip = {"clip": "kay-walk-00", "character": "kay", "frame": 0, "time": 0.0, "action": "walk"}
    written(tmp_path / "scores", views=[VIEW | of_clip])
    assert completed("specsia sheet scores k", tmp_path) == ["kay-walk-00"]


@pytest.mark.parametrize(
    "line",
    [
        "specsia sheet . ",
        "specsia characters nowhere --parts ",
        "specsia train nowhere --backend ",
        "specsia biuld --ba",
        "specsia adapt --character ",
    ],
)
def test_nothing_is_said_where_nothing_is_known(line: str, tmp_path: Path) -> None:
    assert completed(line, tmp_path) == []


def test_help_and_completion_of_every_command_need_nothing_that_a_build_needs() -> None:
    code = """
import sys
from click.shell_completion import BashComplete
from specsia_build.cli.main import COMMANDS, main
for name in COMMANDS:
    main([name, "--help"], standalone_mode=False)
    BashComplete(main, {}, "specsia", "_SPECSIA_COMPLETE").get_completions([name], "-")
    BashComplete(main, {}, "specsia", "_SPECSIA_COMPLETE").get_completions([name, "--backend"], "")
print(*sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "torch", "pyarrow", "rich"} & set(ran.stdout.splitlines()[-1].split())
