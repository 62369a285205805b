"""Sources: which characters are found where, under which ids."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from specsia_build.characters.read import read_character
from specsia_build.characters.sources import Source, open_source
from specsia_build.errors import UsageError
from specsia_build.ownership import RUN_MARK


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder


def ids(source: Source) -> list[str]:
    return [entry.id for entry in source.entries]


def open_path(path: Path) -> Source:
    return open_source(str(path), path / "scratch")


def test_one_mesh_file(tmp_path: Path) -> None:
    touch(tmp_path, "Hero (final).GLB")
    source = open_path(tmp_path / "Hero (final).GLB")
    assert (source.name, source.kind) == ("Hero (final).GLB", "file")
    (entry,) = source.entries
    assert (entry.id, entry.format, entry.path) == ("Hero__final_", "gltf", tmp_path / "Hero (final).GLB")
    assert (entry.license, entry.source, entry.problem) == (None, None, None)


def test_a_folder_of_mesh_files_is_searched_below(tmp_path: Path) -> None:
    touch(tmp_path, "10.glb", "9.ply", "b.vrm", "sub dir/änne.gltf", "sub dir/tex.png", "a.obj", "a.mtl", "d.blend")
    touch(tmp_path, ".hidden.glb", ".git/x.glb", "c.FBX", "d.blend1", "run/specsia-run.json", "run/source/Other.glb")
    touch(tmp_path.with_name("elsewhere"), "Hero.glb")
    (tmp_path / "link").symlink_to(tmp_path.with_name("elsewhere"))
    source = open_path(tmp_path)
    assert (source.name, source.kind, len(source.notes)) == (tmp_path.name, "folder", 1)
    assert ids(source) == ["9", "10", "a", "b", "c", "d", "änne"]
    assert [entry.format for entry in source.entries] == ["ply", "gltf", "obj", "vrm", "fbx", "blend", "gltf"]
    assert all(entry.license is None and entry.problem is None for entry in source.entries)


def test_stems_that_collide_take_their_folder_s_name(tmp_path: Path) -> None:
    touch(tmp_path, "elf/model.glb", "orc/deep dir/model.glb", "solo.glb")
    assert ids(open_path(tmp_path)) == ["elf_model", "orc_deep_dir_model", "solo"]


@pytest.mark.parametrize(
    ("present", "winner"),
    [
        (("h.ply", "h.obj", "h.blend", "h.fbx", "h.gltf", "h.vrm", "h.glb"), "h.glb"),
        (("h.ply", "h.obj", "h.fbx", "h.gltf", "h.vrm"), "h.vrm"),
        (("h.ply", "h.obj"), "h.obj"),
    ],
)
def test_one_stem_in_several_formats_is_one_character(tmp_path: Path, present: tuple[str, ...], winner: str) -> None:
    touch(tmp_path, *present)
    source = open_path(tmp_path)
    good = [entry for entry in source.entries if entry.problem is None]
    assert [(e.id, e.path.name) for e in good] == [("h", winner)]
    others = [entry for entry in source.entries if entry.problem is not None]
    assert len(others) == len(present) - 1
    for entry in others:
        assert entry.id == "h_" + entry.path.suffix[1:]
        assert winner in (entry.problem or "")


def test_a_3dbicar_folder(tmp_path: Path) -> None:
    touch(tmp_path, "10/tpose/m.obj", "9/tpose/m.obj", "9/tpose/e.obj", "x7/tpose/m.obj", "template.obj", "docs/a.glb")
    touch(tmp_path, "11/image/mask512.png", "x8/tpose/e.obj", ".cache/tpose/m.obj")
    source = open_path(tmp_path)
    assert source.kind == "3dbicar"
    assert ids(source) == ["9", "10", "11", "x7", "x8"]
    assert [e.problem for e in source.entries] == [None, None, "11 has no tpose/m.obj", None, "x8 has no tpose/m.obj"]
    assert {e.source for e in source.entries} == {"3DBiCar"}


def test_a_manifest(tmp_path: Path) -> None:
    touch(tmp_path, "a.glb")
    (tmp_path / "set.jsonl").write_text('{"id": "b", "path": "a.glb"}\n{"id": "2", "path": "a.glb"}\noops\n')
    source = open_path(tmp_path / "set.jsonl")
    assert (source.name, source.kind, ids(source)) == ("set.jsonl", "manifest", ["2", "b", "line-3"])


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("gone", r"gone"),
        ("empty", r"empty"),
        ("empty/note.txt", r"note\.txt"),
        ("drawn", r"drawn"),
        ("drawn/hero.PNG", r"hero\.PNG"),
        ("run", r"'run'"),
        ("x" * 300, r"xxx"),
        ("nul\0", r"nul"),
    ],
)
def test_what_is_no_source_says_what_to_give(tmp_path: Path, name: str, sentence: str) -> None:
    touch(tmp_path, "empty/note.txt", "drawn/hero.PNG", f"run/{RUN_MARK}", "run/dataset/train.tar")
    with pytest.raises(UsageError, match=sentence):
        open_path(tmp_path / name)


def test_a_sample_is_made_where_it_is_read_and_no_other_is(tmp_path: Path) -> None:
    source = open_source("sample:100000", tmp_path)
    assert (len(source.entries), list(tmp_path.iterdir())) == (100_000, [])
    assert len(read_character(source.entries[6]).mesh.faces)
    assert [path.name for path in (tmp_path / "sample-42").iterdir()] == ["6"]


@pytest.mark.parametrize(
    "text", ["sample:", "sample:0", "sample:x", "sample:-1", "sample:1.5", "sample:100001", "sample:3@", "sample:٣"]
)
def test_samples_that_cannot_be(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=re.escape(text)):
        open_source(text, tmp_path)
