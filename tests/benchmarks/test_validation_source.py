"""The characters of `make validate` can be listed and built from, those held out in test."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.validation_source import HELD_OUT, write_source
from specsia_build.characters.sources import open_source
from tests.shapes import write_figure


def real_characters(folder: Path) -> Path:
    lines = []
    for name in (*HELD_OUT[:2], "another"):
        write_figure(folder / "figures" / f"{name}.obj")
        lines.append({"id": name, "path": f"figures/{name}.obj", "front": "-y"})
    lines[2]["split"] = "validation"
    (folder / "characters.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    return folder / "characters.jsonl"


def test_samples_and_real_characters_in_one_manifest(tmp_path: Path) -> None:
    manifest = write_source(tmp_path / "out", 3, real_characters(tmp_path / "real ones"))
    entries = open_source(str(manifest), tmp_path / "scratch").entries
    assert [entry.problem for entry in entries] == [None] * 6
    splits = {entry.id: entry.split for entry in entries}
    assert splits == {
        "sample-0": "validation",
        "sample-1": "train",
        "sample-2": "train",
        HELD_OUT[0]: "test",
        HELD_OUT[1]: "test",
        "another": "validation",
    }
    before = manifest.read_bytes()
    assert write_source(tmp_path / "out", 3, tmp_path / "real ones" / "characters.jsonl").read_bytes() == before
