"""Manifests: every line is either a character or a problem with its line number."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from specsia_build.characters.character import Entry
from specsia_build.characters.manifest import read_manifest
from specsia_build.errors import UsageError
from specsia_build.files.content import other_content


def entries(folder: Path, *lines: str | dict[str, Any]) -> tuple[Entry, ...]:
    path = folder / "m.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines]
    path.write_text("\n".join(texts), encoding="utf-8")
    return read_manifest(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder beside a secret, holding a.glb, a drawing and a 3DBiCar character."""
    (tmp_path / "secret.glb").write_bytes(b"")
    folder = tmp_path / "set"
    (folder / "sub dir" / "7" / "tpose").mkdir(parents=True)
    (folder / "sub dir" / "7" / "tpose" / "m.obj").write_text("")
    for name in ("a.glb", "b.VRM", "skin.png", "note.txt", "hero.STL", "sub dir/8"):
        (folder / name).write_bytes(b"")
    return folder


def test_a_line_with_everything(folder: Path) -> None:
    line = {
        "id": "héro-1_x",
        "path": "a.glb",
        "texture": "skin.png",
        "up": "+z",
        "front": "+x",
        "sides": "both",
        "pose": "Walk@12",
        "drop": ["Sword", "Mug"],
        "drawing": "skin.png",
        "split": "validation",
        "license": "CC0-1.0",
        "source": "me",
    }
    assert entries(folder, line) == (
        Entry(
            id="héro-1_x",
            format="gltf",
            path=folder / "a.glb",
            texture=folder / "skin.png",
            up="+z",
            front="+x",
            sides="both",
            pose="Walk@12",
            drop=("Sword", "Mug"),
            drawing=folder / "skin.png",
            split="validation",
            license="CC0-1.0",
            source="me",
            root=folder,
        ),
    )


def test_the_least_line_and_null_values(folder: Path) -> None:
    (entry,) = entries(folder, {"id": "a", "path": "a.glb", "license": None})
    assert entry == Entry(id="a", format="gltf", path=folder / "a.glb", root=folder)


def test_formats_by_suffix_and_folder(folder: Path) -> None:
    found = entries(folder, {"id": "b", "path": "b.VRM"}, {"id": "7", "path": "sub dir\\7"})
    assert [e.format for e in found] == ["vrm", "3dbicar"]
    assert [e.problem for e in found] == [None, None]


def test_blank_lines_and_a_byte_order_mark_are_passed_over(folder: Path) -> None:
    (entry,) = entries(folder, '\ufeff{"id": "a", "path": "a.glb"}', "", "  \r", "")
    assert entry.problem is None


PROBLEMS: list[tuple[str, str | dict[str, Any]]] = [
    ("this is not JSON (Expecting value at column 1)", "oops"),
    ("this is not a JSON object", "[1]"),
    ("this is not JSON that can be read", "[" * 100_000),
    ("the key 'id' is there twice", '{"id": "a", "id": "b", "path": "a.glb"}'),
    ("'id' is missing", {"path": "a.glb"}),
    ("'path' is missing", {"id": "a"}),
    ("'colour' is not a key: the keys are id, path,", {"id": "a", "path": "a.glb", "colour": "red"}),
    ("'id' must be a text, not 7", {"id": 7, "path": "a.glb"}),
    ("'license' must be a text, not [\"MIT\"]", {"id": "a", "path": "a.glb", "license": ["MIT"]}),
    ("'path' must be a text, not \"\"", {"id": "a", "path": ""}),
    ("the id 'a b' may hold letters", {"id": "a b", "path": "a.glb"}),
    ("the id '../x' may hold letters", {"id": "../x", "path": "a.glb"}),
    ("the id 'xxx", {"id": "x" * 181, "path": "a.glb"}),
    ("'drop' must be a list of part names", {"id": "a", "path": "a.glb", "drop": "Mug"}),
    ("'drop' must be a list of part names", {"id": "a", "path": "a.glb", "drop": [1]}),
    ("the split 'val' must be train, validation or test", {"id": "a", "path": "a.glb", "split": "val"}),
    ("'up' is 'y up': it must be one of +x, -x", {"id": "a", "path": "a.glb", "up": "y up"}),
    ("'sides' is 'back': it must be both or front", {"id": "a", "path": "a.glb", "sides": "back"}),
    ("a character cannot face '+z'", {"id": "a", "path": "a.glb", "front": "+z"}),
    ("'left' is not an axis", {"id": "a", "path": "a.glb", "front": "left"}),
    ("there is no 'gone.glb'", {"id": "a", "path": "gone.glb"}),
    ("there is no 'A.GLB': write 'a.glb', as the file is called", {"id": "a", "path": "A.GLB"}),
    ("there is no 'Sub Dir/8': write 'sub dir/8', as", {"id": "a", "path": "Sub Dir/8"}),
    ("there is no 'Skin.png' for 'texture': write 'skin.png'", {"id": "a", "path": "a.glb", "texture": "Skin.png"}),
    ("there is no 'gone.png' for 'texture'", {"id": "a", "path": "a.glb", "texture": "gone.png"}),
    ("there is no 'sub dir' for 'drawing'", {"id": "a", "path": "a.glb", "drawing": "sub dir"}),
    ("'path' leads out of the manifest's folder: '../secret.glb'", {"id": "a", "path": "../secret.glb"}),
    ("'path' leads out of the manifest's folder", {"id": "a", "path": "sub dir/../../secret.glb"}),
    ("'path' leads out of the manifest's folder: 'link.glb', through a link: put", {"id": "a", "path": "link.glb"}),
    ("'texture' leads out of the manifest's folder", {"id": "a", "path": "a.glb", "texture": "..\\secret.glb"}),
    ("'path' must be relative to the manifest, not '/etc/passwd': put the", {"id": "a", "path": "/etc/passwd"}),
    ("'path' must be relative to the manifest", {"id": "a", "path": "C:\\x\\a.glb"}),
    ("'path' must be relative to the manifest", {"id": "a", "path": "a\0.glb"}),
    ("'note.txt' is of no known format: the suffixes are .glb", {"id": "a", "path": "note.txt"}),
    ("'hero.STL' is an STL file, which has neither colours nor textures", {"id": "a", "path": "hero.STL"}),
    ("the folder 'sub dir' has no tpose/m.obj", {"id": "a", "path": "sub dir"}),
]


@pytest.mark.parametrize(("sentence", "line"), PROBLEMS, ids=[str(k) for k in range(len(PROBLEMS))])
def test_a_bad_line_is_a_problem_and_the_rest_goes_on(folder: Path, sentence: str, line: str | dict[str, Any]) -> None:
    (folder / "link.glb").symlink_to(folder.parent / "secret.glb")
    good, bad, other = entries(folder, {"id": "g", "path": "a.glb"}, line, {"id": "h", "path": "a.glb"})
    assert good.problem is None
    assert other.problem is None
    assert bad.problem is not None
    assert bad.problem.startswith("line 2: " + sentence)
    usable = isinstance(line, dict) and line.get("id") == "a"
    assert bad.id == ("a" if usable else "line-2")


@pytest.mark.parametrize(
    ("sentence", "line"),
    [
        ("'path' cannot be followed", b'{"id": "a", "path": "%s.glb"}' % (b"x" * 256)),
        ("'path' holds half of a character pair", b'{"id": "a", "path": "\\ud800.glb"}'),
        ("'license' holds half of a character pair", b'{"id": "a", "path": "a.glb", "license": "\\udcff"}'),
        ("'drop' must be a list of part names", b'{"id": "a", "path": "a.glb", "drop": ["\\udcff"]}'),
        ("the id", b'{"id": "\\udcff", "path": "a.glb"}'),
        ("this is not UTF-8 text (byte 9)", b'{"id": "\xff", "path": "a.glb"}'),
        ("it is longer than 256 kB", b'{"id": "a", "path": "%s"}' % (b"x" * 2**19)),
        ("the key 'k0' is there twice", b"{%s}" % b",".join(b'"k%d":1' % (k % 9_999) for k in range(10_000))),
    ],
    ids=str,
)
def test_a_line_of_strange_bytes_costs_itself_alone(folder: Path, sentence: str, line: bytes) -> None:
    good = b'{"id": "g", "path": "a.glb"}\n'
    (folder / "m.jsonl").write_bytes(good + line + b"\n" + good.replace(b'"g"', b'"h"'))
    first, bad, last = read_manifest(folder / "m.jsonl")
    assert (first.problem, last.problem, last.id) == (None, None, "h")
    assert bad.problem is not None
    assert bad.problem.startswith(f"line 2: {sentence}")
    bad.problem.encode()


def test_a_line_of_many_keys_is_read_in_a_time_that_grows_with_its_length(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Counting each key among all of them would take a minute for this line.
    monkeypatch.setattr("specsia_build.characters.manifest.MOST_LINE_BYTES", 2**24)
    (found,) = entries(folder, "{" + ",".join(f'"k{k}":1' for k in range(100_000)) + "}")
    assert found.problem is not None
    assert "'k0' is not a key" in found.problem


def test_what_is_no_regular_file_is_no_manifest(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.jsonl")
    with pytest.raises(UsageError, match=r"the manifest m\.jsonl is no regular file"):
        read_manifest(tmp_path / "m.jsonl")


def test_a_repeated_id_keeps_the_first(folder: Path) -> None:
    line = {"id": "a", "path": "a.glb"}
    first, second, third = entries(folder, line, line, {"id": "A", "path": "a.glb"})
    assert first.problem is None
    assert (second.id, second.problem) == ("line-2", "line 2: the id 'a' is used on line 1 already")
    assert (third.id, third.problem) == ("line-3", "line 3: the id 'A' is 'a' of line 1 but for its case")


def test_an_id_with_accents_apart_is_told_how_to_be_written(folder: Path) -> None:
    (folder / "m.jsonl").write_text(json.dumps({"id": unicodedata.normalize("NFD", "é"), "path": "a.obj"}))
    (entry,) = read_manifest(folder / "m.jsonl")
    assert entry.problem == "line 1: the id 'é' has accents apart from their letters: write it in NFC"


def test_a_stand_in_id_never_takes_another_s(folder: Path) -> None:
    found = entries(folder, "oops", {"id": "line-1", "path": "a.glb"})
    assert [e.id for e in found] == ["line-1-", "line-1"]


@pytest.mark.parametrize("data", [b"", b"\n \n", b"\xff\xfe{\x00"])
def test_a_manifest_without_a_line_is_a_usage_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=r"the manifest m\.jsonl (is empty|cannot be read)"):
        read_manifest(path)


def test_a_missing_manifest_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the manifest m\.jsonl cannot be read: No such file"):
        read_manifest(tmp_path / "m.jsonl")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["a.glb", "+x", ".."]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
keys = st.sampled_from(
    ["id", "path", "texture", "up", "front", "pose", "drop", "drawing", "split", "license", "source"]
)


@given(st.lists(st.dictionaries(keys, json_values).map(json.dumps) | st.text(max_size=20), min_size=1, max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_lines_give_unique_ids(folder: Path, lines: list[str]) -> None:
    text = "\n".join([*lines, "{}"])
    # One that begins as one document, or as a file of another kind, is refused as that; see below.
    data = text.encode("utf-8", "replace")
    first = next(line.strip() for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip())
    assume(first != b"{" and not first.startswith(b"[") and other_content(first) is None)
    (folder / "m.jsonl").write_bytes(data)
    ids = [entry.id.casefold() for entry in read_manifest(folder / "m.jsonl")]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[{"id": "a", "path": "a.glb"}]', "is one JSON document: write each character's object on one line"),
        ('[\n {"id": "a", "path": "a.glb"},\n {"id": "b", "path": "a.glb"}\n]', "is one JSON document"),
        ('{\n "id": "a",\n "path": "a.glb"\n}', "is one JSON document"),
        ("version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
    ],
)
def test_another_kind_of_file_is_one_sentence_and_not_one_a_line(folder: Path, text: str, sentence: str) -> None:
    (folder / "m.jsonl").write_text(text)
    with pytest.raises(UsageError, match=f"^the manifest m.jsonl {sentence}"):
        read_manifest(folder / "m.jsonl")


def test_a_whole_path_to_a_file_of_the_folder_is_told_as_it_must_be_written(folder: Path) -> None:
    place = folder / "sub dir" / "b.glb"
    (entry,) = entries(folder, {"id": "a", "path": str(place)})
    assert entry.problem == f"line 1: 'path' must be relative to the manifest, not '{place}': write 'sub dir/b.glb'"


def test_what_lies_beside_the_folder_one_is_in_is_no_link(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "m.jsonl").write_text('{"id": "a", "path": "../b.glb"}')
    monkeypatch.chdir(folder)
    (entry,) = read_manifest(Path("m.jsonl"))
    how = "put the manifest into a folder that holds the files"
    assert entry.problem == f"line 1: 'path' leads out of the manifest's folder: '../b.glb': {how}"
