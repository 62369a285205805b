"""Manifests: every line is either a character or a problem with its line number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from specsia_build.characters.character import Entry
from specsia_build.characters.manifest import read_manifest
from specsia_build.errors import UsageError


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
    same = {"up": "+z", "front": "+x", "sides": "both", "pose": "Walk@12", "split": "validation", "license": "MIT"}
    line = {"id": "héro-1_x", "path": "a.glb", "texture": "skin.png", "drawing": "skin.png", "drop": ["Sword", "Mug"]}
    expected = Entry(
        id="héro-1_x",
        format="gltf",
        path=folder / "a.glb",
        texture=folder / "skin.png",
        drawing=folder / "skin.png",
        drop=("Sword", "Mug"),
        source="me",
        root=folder,
        **same,  # type: ignore[arg-type]
    )
    assert entries(folder, {**line, **same, "source": "me"}) == (expected,)


def test_blank_lines_and_a_byte_order_mark_are_passed_over(folder: Path) -> None:
    (entry,) = entries(folder, '\ufeff{"id": "a", "path": "a.glb"}', "", "  \r", "")
    assert entry.problem is None


@pytest.mark.parametrize(
    "line",
    [
        "oops",
        "[1]",
        "[" * 100_000,
        {"path": "a.glb"},
        {"id": "a"},
        {"id": "a", "path": "a.glb", "colour": "red"},
        {"id": 7, "path": "a.glb"},
        {"id": "a", "path": "a.glb", "license": ["MIT"]},
        {"id": "a", "path": " "},
        {"id": "../x", "path": "a.glb"},
        {"id": "x" * 181, "path": "a.glb"},
        {"id": "a", "path": "a.glb", "drop": "Mug"},
        {"id": "a", "path": "a.glb", "drop": [1]},
        {"id": "a", "path": "a.glb", "split": "val"},
        {"id": "a", "path": "a.glb", "up": "y up"},
        {"id": "a", "path": "a.glb", "sides": "back"},
        {"id": "a", "path": "a.glb", "front": "+z"},
        {"id": "a", "path": "gone.glb"},
        {"id": "a", "path": "a.glb", "texture": "gone.png"},
        {"id": "a", "path": "a.glb", "drawing": "sub dir"},
        {"id": "a", "path": "../secret.glb"},
        {"id": "a", "path": "link.glb"},
        {"id": "a", "path": "a.glb", "texture": "..\\secret.glb"},
        {"id": "a", "path": "/etc/passwd"},
        {"id": "a", "path": "C:\\x\\a.glb"},
        {"id": "a", "path": "a\0.glb"},
        {"id": "a", "path": "note.txt"},
        {"id": "a", "path": "hero.STL"},
        {"id": "a", "path": "sub dir"},
    ],
    ids=str,
)
def test_a_bad_line_is_a_problem_and_the_rest_goes_on(folder: Path, line: str | dict[str, Any]) -> None:
    (folder / "link.glb").symlink_to(folder.parent / "secret.glb")
    good, bad, other = entries(folder, {"id": "g", "path": "a.glb"}, line, {"id": "h", "path": "a.glb"})
    assert good.problem is None
    assert other.problem is None
    assert bad.problem is not None and bad.problem.startswith("line 2: ")
    usable = isinstance(line, dict) and line.get("id") == "a"
    assert bad.id == ("a" if usable else "line-2")


def test_a_repeated_id_keeps_the_first(folder: Path) -> None:
    line = {"id": "a", "path": "a.glb"}
    first, second, third = entries(folder, line, line, {"id": "A", "path": "a.glb"})
    assert first.problem is None
    assert [(entry.id, entry.problem is None) for entry in (second, third)] == [("line-2", False), ("line-3", False)]


@pytest.mark.parametrize("data", [b"", b"\n \n", b"\xff\xfe{\x00", b"[\n", b"{\n"])
def test_a_manifest_without_a_line_is_a_usage_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=r"the manifest m\.jsonl (is empty|cannot be read)"):
        read_manifest(path)


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["a.glb", "+x", "..", "a", "b"])
json_values = leaves | st.lists(leaves, max_size=3) | st.dictionaries(st.text(max_size=3), leaves, max_size=3)
keys = st.sampled_from(["id", "path", "texture", "up", "front", "pose", "drop", "drawing", "split", "license"])


@given(st.lists(st.dictionaries(keys, json_values).map(json.dumps) | st.text(max_size=20), min_size=1, max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_lines_give_unique_ids(folder: Path, lines: list[str]) -> None:
    text = "\n".join(['{"id": "a", "path": "a.glb"}', *lines])
    (folder / "m.jsonl").write_bytes(text.encode("utf-8", "replace"))
    ids = [entry.id.casefold() for entry in read_manifest(folder / "m.jsonl")]
    assert len(set(ids)) == len(ids)
