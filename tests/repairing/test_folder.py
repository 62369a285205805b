"""`specsia repair FOLDER`: a folder for each drawing, past bad ones, and only what is missing."""

import json
import shutil
from pathlib import Path

from PIL import Image

from specsia_build.repairing.folder import drawings_in
from tests.commands import specsia
from tests.look.pages import document_of
from tests.repairing.test_drawing import write_drawing
from tests.shapes import write_figure

SMALL = ("--views", "2", "--size", "64")


def test_every_drawing(tmp_path: Path) -> None:
    drawings, out = tmp_path / "drawings", tmp_path / "out"
    drawings.mkdir()
    write_drawing(drawings, "cat.png")
    (drawings / "figure.obj").unlink()
    Image.open(drawings / "cat.png").convert("RGBA").save(drawings / "cat.webp", lossless=True)
    (drawings / "bad.png").write_text("not a picture")
    (drawings / "notes.txt").write_text("mine")
    ran = specsia("repair", drawings, "--out", out, *SMALL, code=1)
    assert "bad.png" in ran.stdout
    assert {path.name for path in out.iterdir()} == {"repairs.json", "cat-png", "cat-webp"}
    # A rerun repairs what is missing or was repaired with other settings or from other pixels.
    (drawings / "bad.png").unlink()
    shutil.copy(drawings / "cat.png", drawings / "dog.png")
    document = json.loads(specsia("repair", drawings, "--out", out, *SMALL, "--json").stdout)
    assert (sorted(document["repaired"]), document["kept"]) == (["dog"], ["cat-png", "cat-webp"])
    Image.open(drawings / "cat.png").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(drawings / "dog.png")
    document = json.loads(specsia("repair", drawings, "--out", out, *SMALL, "--json").stdout)
    assert sorted(document["repaired"]) == ["dog"]
    slow = (*SMALL, "--seconds", "1")
    document = json.loads(specsia("repair", drawings, "--out", out, *slow, "--json").stdout)
    assert document["kept"] == []
    for words in (("--mask", drawings / "cat.png"), ("--back", drawings / "cat.png")):
        specsia("repair", drawings, "--out", out, *words, *SMALL, code=2)
    specsia("repair", drawings, "--out", drawings, *SMALL, code=2)
    specsia("report", out)
    page = document_of(tmp_path / "out-report.html")
    assert [item["id"] for item in page["items"]] == ["cat-png", "cat-webp", "dog"]


def test_characters_mean_what_they_did(tmp_path: Path) -> None:
    write_figure(tmp_path / "figure.obj")
    Image.new("RGB", (8, 8)).save(tmp_path / "texture.png")
    assert drawings_in(tmp_path) is None
    assert drawings_in("sample:1") is None
    (tmp_path / "figure.obj").unlink()
    assert drawings_in(tmp_path) == {"texture": tmp_path / "texture.png"}
    for name in ("A.b.png", "a.B.gif", "repairs.json.png", ".hidden.png"):
        shutil.copy(tmp_path / "texture.png", tmp_path / name)
    found = drawings_in(tmp_path)
    assert found is not None and len(found) == 4
    assert len({name.casefold() for name in (*found, "repairs.json")}) == 5
