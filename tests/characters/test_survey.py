"""What `specsia characters` says of each character."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_character
from specsia_build.characters.survey import CharacterFacts, PartFacts, facts_of


def test_the_facts_of_a_character(tmp_path: Path) -> None:
    Image.new("RGB", (8, 4)).save(tmp_path / "skin.png")
    (tmp_path / "a.mtl").write_text("newmtl x\nmap_Kd skin.png\nnewmtl y\nmap_Kd skin.png\nnewmtl z\nmap_Kd gone.png\n")
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
        pieces=(PartFacts(("body",), 2, (1.0, 0.5, 1.0)), PartFacts(("hat",), 2, (1.0, 0.0, 1.0))),
        faces="-y",
        front="unsure",
        warnings=("texture gone.png is not in the folder of a.obj or below it",),
        shape=facts.shape,
    )
