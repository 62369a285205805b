"""Files and names from strangers; damaged or deeply nested JSON and YAML."""

import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from specsia_build.errors import CharacterError, SpecsiaError
from specsia_build.files.names import file_name, relative_name
from specsia_build.files.records import MOST_DEPTH, PlainLoader, parse_json
from specsia_build.files.sources import read_source, source_digest


def test_source_files_are_regular_and_inside(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "blobs").mkdir(parents=True)
    (root / "blobs" / "1").write_bytes(b"inside")
    (root / "link").symlink_to(root / "blobs" / "1")
    assert read_source(root / "link", root) == b"inside"
    assert source_digest(root / "link", root) is not None

    (tmp_path / "secret").write_bytes(b"outside")
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "loop").symlink_to(root / "loop")
    os.mkfifo(root / "pipe")
    (root / "device").symlink_to("/dev/zero")
    for name in ("out", "loop", "pipe", "device", "blobs", "none"):
        with pytest.raises(CharacterError, match=f"^{name} "):
            read_source(root / name, root)
        assert source_digest(root / name, root) is None
    with pytest.raises(CharacterError, match="not a regular file"):
        read_source(Path("/dev/zero"), Path("/dev"))
    with (root / "large").open("wb") as stream:
        stream.truncate(3 * 2**20)
    with pytest.raises(CharacterError, match="large has 3 MB"):
        read_source(root / "large", root, most=2**20)


def test_git_lfs_pointer(tmp_path: Path) -> None:
    (tmp_path / "hero.glb").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(CharacterError, match="Git LFS pointer"):
        read_source(tmp_path / "hero.glb", tmp_path)


@pytest.mark.parametrize("name", ["knight", "01", "Ünï_code-2", "a.b", "x" * 180])
def test_valid_file_names_are_kept(name: str) -> None:
    assert file_name(name, "id") == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "C:x",
        "x\0",
        "x\n",
        ".hidden",
        "x ",
        "\udc80",
        "x" * 181,
    ],
)
def test_invalid_file_names_are_refused(name: str) -> None:
    with pytest.raises(SpecsiaError, match=r"the id .*file name") as raised:
        file_name(name, "id")
    assert str(raised.value).isprintable()


@given(st.text())
def test_relative_names_stay_below(name: str) -> None:
    try:
        found = relative_name(name, "file")
    except SpecsiaError:
        return
    inside = Path(os.path.normpath(Path("/top") / found))
    assert inside.is_relative_to("/top") and inside != Path("/top")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b" \n", "not JSON"),
        ("1" * 5000, "not JSON"),
    ],
)
def test_damaged_json(data: bytes | str, why: str) -> None:
    with pytest.raises(SpecsiaError, match=f"build.json cannot be read: .*{why}"):
        parse_json(data, "build.json")


@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ("{a: ", "}")])
def test_deep_yaml_is_refused(opens: str, closes: str) -> None:
    assert yaml.load(f"a: {opens * MOST_DEPTH}{closes * MOST_DEPTH}", PlainLoader)
    with pytest.raises(yaml.YAMLError, match="nested too deeply"):
        yaml.load(f"a: {opens * 1_000_000}", PlainLoader)
