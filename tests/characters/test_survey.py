"""`specsia characters`: facts, equal files, suggested manifests."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_character
from specsia_build.characters.survey import CharacterFacts, facts_of, same_files, survey
from specsia_build.warning import Warning
from tests.characters.bodies import FIGURE, box, boxes, into_file, write_glb, write_obj
from tests.commands import specsia

HAT = box((0, -0.1, 1.95), (0.4, 0.4, 0.2))


def test_facts_of_a_character(tmp_path: Path) -> None:
    Image.new("RGB", (8, 4)).save(tmp_path / "skin.png")
    maps = {"x": "skin", "y": "skin", "z": "gone"}.items()
    (tmp_path / "a.mtl").write_text("".join(f"newmtl {name}\nmap_Kd {image}.png\n" for name, image in maps))
    (tmp_path / "a.obj").write_text(
        "mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0.5\nvt 0 0\n"
        "o body\nusemtl x\nf 1/1 2/1 3/1 4/1\no hat\nusemtl y\nf 1/1 2/1 3/1\nusemtl z\nf 1/1 2/1 3/1\n"
    )
    facts = facts_of(read_character(Entry("hero", "obj", tmp_path / "a.obj")))
    assert facts == CharacterFacts(
        id="hero",
        format="obj",
        file="a.obj",
        vertices=4,
        triangles=4,
        textures=("8x4",),
        materials=3,
        parts=("body", "hat"),
        faces="unsure",
        warnings=(Warning("file-missing", "texture gone.png is not there", "gone.png"), facts.warnings[1]),
    )


def test_equal_bytes_are_one_character(tmp_path: Path) -> None:
    for name, text in (("a", "one"), ("b", "two"), ("c", "one"), ("d", "longer")):
        (tmp_path / f"{name}.obj").write_text(text)
    entries = [Entry(name, "obj", tmp_path / f"{name}.obj") for name in "abcde"]
    assert same_files(entries) == [("a", "c")]


def lines_of(path: Path) -> dict[str, dict[str, Any]]:
    return {line["id"]: line for line in map(json.loads, path.read_text().splitlines())}


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """A figure that faces aside, one with scenery, and a sound one."""
    folder = tmp_path / "zoo"
    folder.mkdir()
    write_obj(folder / "aside.obj", {"": boxes()}, into_file("+y", "+x"))
    write_glb(folder / "sound.glb")
    write_obj(folder / "staged.obj", FIGURE | {"Hat": HAT, "Hat_Old": HAT}, into_file("+y", "-y"))
    return folder


def test_suggested_manifest(zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    specsia("characters", "zoo", "--suggest", "zoo/all.jsonl")
    lines = lines_of(zoo / "all.jsonl")
    assert lines["sound"] == {"id": "sound", "path": "sound.glb"}
    assert lines["aside"]["front"] == "+x"
    assert lines["aside"]["comment"].startswith("front: ")
    assert lines["staged"]["drop"] == ["Hat_Old"]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    output = specsia("characters", zoo / "all.jsonl").output
    assert "so it was turned" not in output and '"drop"' not in output


def test_advised_drops_are_shown_beside(zoo: Path) -> None:
    path = write_obj(zoo / "b.obj", FIGURE | {"Hat": HAT, "Hat_Old": [HAT[0] * (1.1, 1.1, 1)]})
    facts, picture = survey(Entry("a", "obj", path, up="+z"), pictured=True)
    assert [fix.value for fix in facts.fixes] == [("Hat_Old",)]
    pixels = np.asarray(Image.open(io.BytesIO(picture)))
    both, without = np.split(pixels, 2, axis=1)
    assert both.shape == without.shape and 0 < (both != without).any(axis=2).mean() < 0.05
    assert (both[..., 3] > 0).sum() > (without[..., 3] > 0).sum()


def test_stated_values_are_kept(zoo: Path) -> None:
    stated = {"id": "a", "path": "staged.obj", "drop": ["Limbs"], "split": "test"}
    stated |= {"license": "CC0-1.0", "source": "me"}
    (zoo / "own.jsonl").write_text(json.dumps(stated))
    specsia("characters", zoo / "own.jsonl", "--suggest", zoo / "more.jsonl")
    line = lines_of(zoo / "more.jsonl")["a"]
    assert {key: line[key] for key in stated} == stated | {"drop": ["Limbs", "Hat_Old"]}


def test_no_overwriting_or_escaping(zoo: Path, tmp_path: Path) -> None:
    (zoo / "mine.jsonl").write_text('{"id": "sound", "path": "sound.glb"}\n')
    (zoo / "inner").mkdir()
    (zoo / "inner" / "link.glb").symlink_to(zoo / "sound.glb")
    (zoo / "linked.jsonl").write_text('{"id": "a", "path": "inner/link.glb"}\n')
    for arguments in (
        (zoo / "linked.jsonl", "--suggest", zoo / "inner" / "a.jsonl"),
        (zoo, "--suggest", zoo / "mine.jsonl"),
        (zoo, "--suggest", zoo / "mine.txt"),
        (zoo, "--suggest", tmp_path / "x" / "a.jsonl"),
        ("sample:1", "--suggest", tmp_path / "a.jsonl"),
        (zoo, "--parts", "nobody"),
    ):
        specsia("characters", *arguments, code=2)
    assert (zoo / "mine.jsonl").read_text() == '{"id": "sound", "path": "sound.glb"}\n'
