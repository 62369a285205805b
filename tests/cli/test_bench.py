"""`specsia bench`: what it reports, not how fast the machine is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from specsia_build.cli import main
from specsia_build.stages.registry import stage_names
from tests.shapes import write_folder

SMALL = ("--size", "64", "--views", "2")


def test_each_stage_has_its_cost_and_its_parts(tmp_path: Path) -> None:
    source = str(write_folder(tmp_path / "figures", 2))
    ran = CliRunner().invoke(main, ["bench", source, *SMALL, "--json"])
    assert ran.exit_code == 0, ran.output
    report = json.loads(ran.stdout)
    assert (report["source"], report["characters"], report["views"]) == ("figures", 2, 2)
    assert tuple(report["stages"]) == stage_names()
    for stage in report["stages"].values():
        assert stage["seconds_per_character"] > 0
    assert {"read", "rasterise", "encode"} <= set(report["stages"]["render"]["share_by_part"])
    assert {"register", "rasterise", "encode"} <= set(report["stages"]["project"]["share_by_part"])
    assert sum(report["stages"]["project"]["share_by_part"].values()) == pytest.approx(1, abs=0.3)
    for stage in ("render", "pack"):
        assert report["stages"][stage]["peer"]["times_faster"] > 0


def test_one_stage_alone_is_told_in_words(tmp_path: Path) -> None:
    source = str(write_folder(tmp_path / "figures", 1))
    ran = CliRunner().invoke(main, ["bench", "render", source, *SMALL])
    assert ran.exit_code == 0, ran.output
    assert "ms per view" in ran.stdout
    assert ran.stdout.startswith("figures: 1 character, 2 views, 64 px")
    assert "project" not in ran.stdout


def test_renderers_are_compared_view_by_view(tmp_path: Path) -> None:
    source = str(write_folder(tmp_path / "figures", 2))
    ran = CliRunner().invoke(main, ["bench", "render", source, *SMALL, "--against", "fast", "--json"])
    assert ran.exit_code == 0, ran.output
    found = json.loads(ran.stdout)["against"]["fast"]
    assert len(found["characters"]) == 2
    assert (found["parity"]["iou"], found["parity"]["color_mae"], found["parity"]["position_max"]) == (1, 0, 0)
    assert found["ms_per_view"] > 0
    assert found["its_ms_per_view"] > 0


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("render", "--backend", "nope"), "'specsia bench render' takes no --backend"),
        (("project", "--backend", "inflate", "--backend", "fusion"), "give --backend once"),
    ],
)
def test_a_backend_that_would_not_be_measured_is_refused(given: tuple[str, ...], told: str) -> None:
    ran = CliRunner().invoke(main, ["bench", *given, *SMALL])
    assert (ran.exit_code, told in ran.stderr) == (2, True), ran.stderr


def test_a_word_too_many_is_refused() -> None:
    ran = CliRunner().invoke(main, ["bench", "paint", "sample:1"])
    assert ran.exit_code == 2
    assert "'paint' is no stage" in ran.stderr
