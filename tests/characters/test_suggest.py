"""A suggested manifest is read from anywhere, says only what there is evidence for, and replaces nobody's file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from specsia_build.cli.main import main
from tests.characters.bodies import FIGURE, Boxes, box, boxes, into_file, write_glb, write_obj


def run(*arguments: object) -> str:
    ran = CliRunner().invoke(main, [str(a) for a in arguments])
    assert ran.exit_code == 0, ran.output
    return ran.output


def lines_of(path: Path) -> dict[str, dict[str, Any]]:
    return {line["id"]: line for line in map(json.loads, path.read_text().splitlines())}


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """A grey figure with its texture beside it, one that faces aside, one with scenery, and a sound one."""
    folder = tmp_path / "zoo"
    (folder / "meshes").mkdir(parents=True)
    (folder / "textures").mkdir()
    Image.new("RGB", (8, 8), (200, 60, 20)).save(folder / "textures" / "ghost_diffuse.png")
    (folder / "meshes" / "ghost.obj").write_text(
        "v 0 0 0\nv 1 0 0\nv 0 2 0\nv 0 0 1\nvt 0 0\nvt 1 0\nvt 0 1\n"
        "f 1/1 2/2 3/3\nf 1/1 3/3 4/2\nf 1/1 4/2 2/3\nf 2/1 3/2 4/3\n"
    )
    write_obj(folder / "aside.obj", {"": boxes()}, into_file("+y", "+x"))
    write_glb(folder / "sound.glb", {}, {})
    write_obj(folder / "staged.obj", y_up(FIGURE | {"Ground": box((0, 0, -0.01), (4, 4, 0.02))}))
    return folder


def y_up(groups: Boxes) -> Boxes:
    return {name: [solid @ into_file("+y", "-y").T for solid in solids] for name, solids in groups.items()}


def test_what_there_is_evidence_for_is_filled_in_and_read_from_elsewhere(
    zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run("characters", "zoo", "--suggest", "zoo/all.jsonl")
    lines = lines_of(zoo / "all.jsonl")
    assert {**lines["sound"], "comment": ""} == {"id": "sound", "path": "sound.glb", "split": "train", "comment": ""}
    assert lines["ghost"]["texture"] == "textures/ghost_diffuse.png"
    assert lines["ghost"]["comment"].startswith("suggested; texture: ")
    assert lines["aside"]["front"] == "+x"
    assert lines["staged"]["drop"] == ["Ground"]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    output = run("characters", zoo / "all.jsonl")
    assert "so it was turned" not in output and '"drop"' not in output


def test_what_a_manifest_states_is_kept(zoo: Path) -> None:
    stated = {"id": "a", "path": "staged.obj", "drop": ["Limbs"], "split": "test", "license": "CC0-1.0", "source": "me"}
    (zoo / "own.jsonl").write_text(json.dumps(stated))
    run("characters", zoo / "own.jsonl", "--suggest", zoo / "more.jsonl")
    line = lines_of(zoo / "more.jsonl")["a"]
    assert {key: line[key] for key in stated} == stated | {"drop": ["Limbs", "Ground"]}


def test_no_file_is_replaced_and_no_path_leads_out(zoo: Path, tmp_path: Path) -> None:
    (zoo / "mine.jsonl").write_text('{"id": "sound", "path": "sound.glb"}\n')
    for arguments in (
        (zoo, "--suggest", zoo / "mine.jsonl"),
        (zoo, "--suggest", zoo / "mine.txt"),
        (zoo, "--suggest", tmp_path / "x" / "a.jsonl"),
        ("sample:1", "--suggest", tmp_path / "a.jsonl"),
        (zoo, "--parts", "nobody"),
    ):
        assert CliRunner().invoke(main, ["characters", *map(str, arguments)]).exit_code == 2
    assert (zoo / "mine.jsonl").read_text() == '{"id": "sound", "path": "sound.glb"}\n'


def test_characters_of_one_shape_get_one_split(tmp_path: Path) -> None:
    folder = tmp_path / "herd"
    folder.mkdir()
    for name in ("walk", "run"):
        write_obj(folder / f"{name}.obj", {"": boxes()}, into_file("+y", "-y") * (2.0 if name == "run" else 1.0))
    write_obj(folder / "other.obj", FIGURE | {"Hat": box((0, 0, 1.2), (1, 1, 0.5))})
    run("characters", folder, "--suggest", folder / "all.jsonl")
    lines = lines_of(folder / "all.jsonl")
    assert {name: line.get("split") for name, line in lines.items()} == {"walk": "train", "run": "train", "other": None}
    (folder / "all.jsonl").write_text(
        '{"id": "walk", "path": "walk.obj", "split": "test"}\n{"id": "run", "path": "run.obj"}\n'
    )
    run("characters", folder / "all.jsonl", "--suggest", folder / "again.jsonl")
    assert [line["split"] for line in lines_of(folder / "again.jsonl").values()] == ["test", "test"]
