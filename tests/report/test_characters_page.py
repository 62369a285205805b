"""The page that shows view 0 of each character before anything is built."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from specsia_build.cli.main import main
from tests.characters.test_alone import write_glb
from tests.report.shown import document_of, frames_of, item_of


def test_the_page_shows_each_character_and_what_is_said(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    write_glb(source / "sound.glb", {}, {})
    (source / "plain.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 2 0\nv 0 0 1\nf 1 2 3\nf 1 3 4\nf 1 4 2\nf 2 4 3\n")
    (source / "broken.obj").write_text("v 0 0 0\n")
    page = tmp_path / "look.html"
    ran = CliRunner().invoke(main, ["characters", str(source), "--pictures", str(page)])
    assert ran.exit_code == 0, ran.output
    assert f"the pictures are in {page}" in ran.output
    document = document_of(page)
    assert document["kind"] == "source"
    assert {one["id"] for one in document["items"]} == {"plain", "sound"}
    assert "plain.obj is one plain grey" in item_of(document, "plain")["warnings"][0]
    ((lost, reason),) = [(one["id"], one["reason"]) for one in document["failures"]]
    assert lost == "broken"
    assert "broken.obj has no faces" in reason
    (shown,) = frames_of(item_of(document, "sound")["sides"]["Y*"]["strips"]["gt"], document, page)
    red, green, blue = shown[shown[..., 3] > 128][:, :3].mean(axis=0)
    assert red > 1.3 * green > 1.3 * blue


def test_no_other_file_is_replaced(tmp_path: Path) -> None:
    write_glb(tmp_path / "sound.glb", {}, {})
    (tmp_path / "mine.html").write_text("<p>mine")
    ran = CliRunner().invoke(main, ["characters", str(tmp_path), "--pictures", str(tmp_path / "mine.html")])
    assert ran.exit_code == 2
    assert (tmp_path / "mine.html").read_text() == "<p>mine"
