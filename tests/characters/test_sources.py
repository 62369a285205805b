"""Sources: characters, their ids, and the files that are opened; manifests."""

import io
import json
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specsia_build.characters.character import Entry, id_order_key, safe_id, unused_id
from specsia_build.characters.formats import FORMATS
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import Source, open_source, read_manifest
from specsia_build.errors import CharacterError, UsageError
from specsia_build.files.sources import source_digest
from specsia_build.folders import RUN_MARK
from specsia_build.pipeline.store import open_index
from specsia_build.stages.stage import Sources
from tests.characters.bodies import write_drawn


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


def test_mesh_files_in_subfolders(tmp_path: Path) -> None:
    touch(tmp_path, "10.glb", "9.ply", "b.vrm", "sub dir/änne.gltf", "sub dir/tex.png", "a.obj", "a.mtl")
    touch(tmp_path, "d.blend", ".hidden.glb", ".git/x.glb", "c.FBX", "d.blend1")
    touch(tmp_path, "run/specsia-run.json", "run/source/Other.glb")
    touch(tmp_path.with_name("elsewhere"), "Hero.glb")
    (tmp_path / "link").symlink_to(tmp_path.with_name("elsewhere"))
    source = open_path(tmp_path)
    assert (source.name, source.kind, len(source.notes)) == (tmp_path.name, "folder", 0)
    assert ids(source) == ["9", "10", "a", "b", "c", "d", "änne"]
    assert [entry.format for entry in source.entries] == ["ply", "gltf", "obj", "vrm", "fbx", "blend", "gltf"]
    assert all(entry.license is None and entry.problem is None for entry in source.entries)


def test_equal_stems_take_folder_names(tmp_path: Path) -> None:
    touch(tmp_path, "elf/model.glb", "orc/deep dir/model.glb", "solo.glb")
    assert ids(open_path(tmp_path)) == ["elf_model", "orc_deep_dir_model", "solo"]


@pytest.mark.parametrize(
    ("present", "winner"),
    [
        (("h.ply", "h.obj", "h.blend", "h.fbx", "h.gltf", "h.vrm", "h.glb"), "h.glb"),
        (("h.ply", "h.obj", "h.fbx", "h.gltf", "h.vrm"), "h.vrm"),
        (("h.ply", "h.obj"), "h.obj"),
        (("sub/h.glb", "sub/h/tpose/m.obj"), "h"),
    ],
)
def test_one_stem_in_several_formats(tmp_path: Path, present: tuple[str, ...], winner: str) -> None:
    touch(tmp_path, *present)
    source = open_path(tmp_path)
    assert [(entry.id, entry.path.name, entry.problem) for entry in source.entries] == [("h", winner, None)]
    assert len(source.notes) == 1


def test_folder_of_3dbicar(tmp_path: Path) -> None:
    touch(tmp_path, "10/tpose/m.obj", "9/tpose/m.obj", "9/tpose/e.obj", "x7/tpose/m.obj", "template.obj")
    touch(tmp_path, "docs/a.glb", "11/image/mask512.png", "x8/tpose/e.obj", ".cache/tpose/m.obj")
    source = open_path(tmp_path)
    assert source.kind == "3dbicar"
    assert ids(source) == ["9", "10", "x7", "x8"]
    assert [e.problem for e in source.entries] == [None, None, None, "x8 has no tpose/m.obj"]
    assert {e.source for e in source.entries} == {"3DBiCar"}


def test_meshes_in_a_folder_named_tpose(tmp_path: Path) -> None:
    touch(tmp_path, "x8/tpose/e.obj", "b.glb")
    assert ids(open_path(tmp_path)) == ["b", "e"]


def test_path_that_is_not_utf_8(tmp_path: Path) -> None:
    touch(tmp_path, "elf\udcff/hero.glb")
    (entry,) = open_path(tmp_path).entries
    assert (entry.problem or "").startswith("elf\udcff/hero.glb ")


def test_manifest(tmp_path: Path) -> None:
    touch(tmp_path, "a.glb")
    (tmp_path / "set.jsonl").write_text('{"id": "b", "path": "a.glb"}\n{"id": "2", "path": "a.glb"}\noops\n')
    source = open_path(tmp_path / "set.jsonl")
    assert (source.name, source.kind, ids(source)) == ("set.jsonl", "manifest", ["2", "b", "line-3"])


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        *(("gone", "gone"), ("empty", "empty"), ("empty/note.txt", r"note\.txt"), ("drawn", "drawn")),
        *(("drawn/hero.PNG", r"hero\.PNG"), ("run", "'run'"), ("x" * 300, "xxx"), ("nul\0", "nul")),
    ],
)
def test_other_files_are_not_sources(tmp_path: Path, name: str, sentence: str) -> None:
    touch(tmp_path, "empty/note.txt", "drawn/hero.PNG", f"run/{RUN_MARK}", "run/dataset/train.tar")
    with pytest.raises(UsageError, match=sentence):
        open_path(tmp_path / name)


def test_samples_are_made_on_demand(tmp_path: Path) -> None:
    assert ids(open_source("sample:1", tmp_path)) == ["0"]
    assert open_source("sample:2@7", tmp_path).entries[1].path == tmp_path / "sample-7" / "1"
    source = open_source("sample:100000", tmp_path)
    assert (len(source.entries), list(tmp_path.iterdir())) == (100_000, [])
    assert len(read_character(source.entries[6]).mesh.faces)
    assert [path.name for path in (tmp_path / "sample-42").iterdir()] == ["6"]


@pytest.mark.parametrize(
    "text",
    ["sample:", "sample:0", "sample:x", "sample:-1", "sample:1.5", "sample:100001", "sample:3@", "sample:٣"],
)
def test_impossible_samples(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=re.escape(text)):
        open_source(text, tmp_path)


STRANGE: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "system": lambda path: path.symlink_to("/etc/passwd"),
    "socket": lambda path: socket.socket(socket.AF_UNIX).bind(os.fspath(path)),
    "folder": Path.mkdir,
}
"""What stands in a file's place, by name; a link to a file of the system or a device leaves the root."""


@pytest.mark.parametrize("kind", STRANGE)
@pytest.mark.parametrize("name", ["x.glb", "x.gltf", "x.obj", "x.ply", "x.fbx"])
def test_mesh_outside_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    STRANGE[kind](Path(name))
    entry = Entry("x", FORMATS[Path(name).suffix], Path(name))
    with pytest.raises(CharacterError, match=r"not a regular file|leads out of"):
        read_character(entry)
    assert Sources(Path(), entry.within).digests([name], source_digest) == {name: None}
    with open_index(tmp_path / "run.sqlite", tmp_path, writes=False) as index:
        assert index.digest(Path(name), entry.within) is None


def test_links_inside_are_followed(tmp_path: Path) -> None:
    hub = touch(tmp_path / "hub", "blobs/b7", "snapshots/1/b")
    write_drawn("plain", hub / "blobs" / "b7")
    (hub / "snapshots" / "1" / "a.glb").symlink_to("../../blobs/b7")
    (whole,) = open_source(str(hub), tmp_path).entries
    assert len(read_character(whole).mesh.faces)
    assert None not in Sources(whole.folder, whole.within).digests([whole.path.name], source_digest).values()
    (part,) = open_source(str(hub / "snapshots"), tmp_path).entries
    with pytest.raises(CharacterError, match=r"a\.glb .* leads out of snapshots"):
        read_character(part)


def test_numeric_ids_sort_as_integers() -> None:
    ids = ["b", "10", "9", "-1", "007", "a10", "7", "²", "a9"]
    assert sorted(ids, key=id_order_key) == ["007", "7", "9", "10", "-1", "a10", "a9", "b", "²"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("Hero-1_x", "Hero-1_x"), ("a b/c.d", "a_b_c_d"), ("キャラ ñ", "キャラ_ñ")),
        *(("e\u0301", "é"), ("", "_"), ("../..", "_____")),
        *(("a" * 100, "a" * 100), ("a" * 101, "a" * 100), ("é" * 51, "é" * 50)),
    ],
)
def test_safe_ids(text: str, expected: str) -> None:
    assert safe_id(text) == expected


def test_ids_that_differ_in_letter_case() -> None:
    taken: set[str] = set()
    assert [unused_id(wanted, taken) for wanted in ("A", "a", "A", "a_2")] == ["A", "a_2", "A_3", "a_2_2"]


def entries(folder: Path, *lines: str | dict[str, Any]) -> tuple[Entry, ...]:
    path = folder / "m.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines]
    path.write_text("\n".join(texts), encoding="utf-8")
    return read_manifest(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder beside a secret, holding a.glb, a drawing and a 3DBiCar character."""
    touch(tmp_path, "secret.glb")
    return touch(tmp_path / "set", "a.glb", "skin.png", "a.txt", "sub dir/7/tpose/m.obj")


def test_full_manifest_line(folder: Path) -> None:
    line: dict[str, Any] = {"id": "héro-1_x", "sides": "both", "pose": "Walk@12", "split": "validation"}
    line |= {"up": "+z", "front": "+x", "drop": ("Sword", "Mug"), "license": "MIT", "source": "me"}
    files = {"path": "a.glb", "texture": "skin.png", "drawing": "skin.png"}
    placed: dict[str, Any] = {key: folder / name for key, name in files.items()}
    assert entries(folder, line | files) == (Entry(format="gltf", root=folder, **line, **placed),)


def test_blank_lines_and_byte_order_mark(folder: Path) -> None:
    (entry,) = entries(folder, '\ufeff{"id": "a", "path": "a.glb"}', "", "  \r", "")
    assert entry.problem is None


BAD: dict[str, tuple[Any, ...]] = {
    "id": (None, True, 7.5, "../x", "x" * 181),
    "path": (
        *(" ", "gone.glb", "../secret.glb", "link.glb", "/etc/passwd"),
        *("C:\\a.glb", "a\0.glb", "note.txt", "sub dir"),
    ),
    "texture": ("gone.png", "..\\secret.glb"),
    "drawing": ("sub dir",),
    "drop": ("Mug", [1]),
    "up": ("y up",),
    "front": ("+z",),
    "sides": ("back",),
    "split": ("val",),
    "license": (["MIT"],),
    "colour": ("red",),
}
"""Values that no line may have, by key."""

ENTRY = {"id": "a", "path": "a.glb"}
LINES = [
    "oops",
    "[1]",
    "[" * 100_000,
    {"id": "a"},
    *(ENTRY | {key: value} for key in BAD for value in BAD[key]),
]


@pytest.mark.parametrize("line", LINES, ids=lambda line: str(line)[:60])
def test_bad_line_costs_itself(folder: Path, line: str | dict[str, Any]) -> None:
    (folder / "link.glb").symlink_to(folder.parent / "secret.glb")
    good, bad, other = entries(folder, ENTRY | {"id": "g"}, line, ENTRY | {"id": "h"})
    assert good.problem is None
    assert other.problem is None
    assert bad.problem is not None and bad.problem.startswith("line 2: ")
    usable = isinstance(line, dict) and line.get("id") == "a"
    assert bad.id == ("a" if usable else "line-2")


def test_repeated_id_keeps_first(folder: Path) -> None:
    first, second, third = entries(folder, ENTRY, ENTRY, ENTRY | {"id": "A"})
    assert first.problem is None and None not in (second.problem, third.problem)
    assert (second.id, third.id) == ("line-2", "line-3")


@pytest.mark.parametrize("data", [b"", b"\n \n", b"\xff\xfe{\x00", b"[\n", b"{\n"])
def test_empty_manifest_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=r"manifest m\.jsonl"):
        read_manifest(path)


LICENSED = [{"id": 7, "path": "a.glb", "license": "CC0"}, {"id": 8, "path": "sub/b.glb", "license": None}]
CSV = "id,path,license\r\n7,a.glb,CC0\r\n8,sub\\b.glb,\r\n"


def parquet(rows: list[dict[str, Any]]) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([{**row, "__index_level_0__": 3} for row in rows]), stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("m.csv", CSV.encode()),
        ("m.csv", f"\ufeff{CSV.replace(',', ';')}".encode()),
        ("m.csv", b"sep=;\r\nid;path;license;source\r\n7;a.glb;CC0;,,,,,,,\r\n8;sub/b.glb;;\r\n"),
        ("m.CSV", b' Id ,"Path",license,\n7,a.glb,CC0,\n8,sub/b.glb,,\n,,,\n'),
        ("m.csv", b",id,path,license\n0,7,a.glb,CC0\n1,8,sub/b.glb,\n"),
        ("m.tsv", CSV.replace(",", "\t").encode("utf-16")),
        ("m.json", json.dumps(LICENSED).encode()),
        ("m.jsonl", "\n".join(map(json.dumps, LICENSED)).encode("utf-16")),
        ("m.parquet", parquet(LICENSED)),
    ],
)
def test_manifest_of_any_kind(folder: Path, name: str, data: bytes) -> None:
    touch(folder, "sub/b.glb", name).joinpath(name).write_bytes(data)
    stated = [(entry.id, entry.path, entry.license) for entry in open_path(folder / name).entries]
    assert stated == [("7", folder / "a.glb", "CC0"), ("8", folder / "sub" / "b.glb", None)]


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("m.csv", b"id,path\nx,a.glb,9\n", "line 2: 3 cells"),
        ("m.csv", b"sep=,\nid,path\nx,a.glb,9\n", "line 3: 3 cells"),
        ("m.csv", b'id,path,drop\nx,a.glb,"[""a"\n', "line 2: `drop`"),
        ("m.csv", b"id,path,frnt\nx,a.glb,+x\n", "line 2: Object contains unknown field `frnt`"),
        ("m.json", b'[{"id": "x", "path": 3}]', "item 1: Expected `str`, got `int` - at `$.path`"),
        ("m.parquet", parquet([{"id": "x", "path": 3}]), "row 1: Expected `str`"),
    ],
)
def test_bad_rows_are_named(folder: Path, name: str, data: bytes, problem: str) -> None:
    (folder / name).write_bytes(data)
    (entry,) = read_manifest(folder / name)
    assert entry.id == "x" and str(entry.problem).startswith(problem)


def test_manifests_of_over_half_a_gibibyte_are_refused(folder: Path) -> None:
    with (folder / "m.csv").open("wb") as stream:
        stream.truncate(2**29 + 1)
    with pytest.raises(UsageError, match="at most 512 MB"):
        read_manifest(folder / "m.csv")


def test_most_rows_and_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("specsia_build.characters.sources._MOST_ROWS", 2)
    assert len(entries(folder, ENTRY, ENTRY)) == 2
    with pytest.raises(UsageError, match="more than 2"):
        entries(folder, ENTRY, ENTRY, ENTRY)
    top = touch(folder / "top", "a.glb", "b/c.glb")
    monkeypatch.setattr("specsia_build.characters.sources.MOST_WALKED", 4)
    assert ids(open_path(top)) == ["a", "c"]
    monkeypatch.setattr("specsia_build.characters.sources.MOST_WALKED", 3)
    with pytest.raises(UsageError, match="more than 3"):
        open_path(top)


def test_cells_that_go_on_behind_their_quotes_are_named(folder: Path) -> None:
    (folder / "m.csv").write_bytes(b'id,path\n"x"b,a.glb\ny,a.glb\n')
    first, second = read_manifest(folder / "m.csv")
    assert str(first.problem).startswith("line 2: ") and second.problem is None


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("m.csv", "id,path\nä,a.glb\n".encode("latin-1")),
        ("m.json", b'{"id": {"0": 7}, "path": {"0": "a.glb"}}'),
        ("m.json", b"[" * 100_000),
        ("m.parquet", b"PAR1"),
        ("m.csv", b"id,path\n"),
        ("m.jsonl", b'{"Id ": "x", "path": "a.glb"}'),
    ],
)
def test_file_that_is_no_manifest(folder: Path, name: str, data: bytes) -> None:
    (folder / name).write_bytes(data)
    with pytest.raises(UsageError, match=f"manifest {name}"):
        read_manifest(folder / name)


words = st.sampled_from(["a.glb", "+x", "..", "a", "b"])
leaves = st.none() | st.booleans() | st.integers() | st.floats() | words
json_values = leaves | st.lists(leaves, max_size=3) | st.dictionaries(st.text(max_size=3), leaves, max_size=3)
names = ("id", "path", "texture", "up", "front", "pose", "drop", "drawing", "split", "license")
lines = st.dictionaries(st.sampled_from(names), json_values).map(json.dumps) | st.text(max_size=20)


@given(st.lists(lines, min_size=1, max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_lines_give_unique_ids(folder: Path, lines: list[str]) -> None:
    text = "\n".join(['{"id": "a", "path": "a.glb"}', *lines])
    (folder / "m.jsonl").write_bytes(text.encode("utf-8", "replace"))
    ids = [entry.id.casefold() for entry in read_manifest(folder / "m.jsonl")]
    assert len(set(ids)) == len(ids)
