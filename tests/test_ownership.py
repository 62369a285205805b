"""What a command may write into, replace and remove."""

from __future__ import annotations

from pathlib import Path

import pytest

from specsia_build.errors import UsageError
from specsia_build.ownership import is_vacant, listed_below, refuse_foreign_file, refuse_foreign_folder, remove_empty


def test_a_folder_is_vacant_that_is_missing_or_holds_leftovers_alone(tmp_path: Path) -> None:
    assert is_vacant(tmp_path / "none")
    assert is_vacant(tmp_path)
    (tmp_path / ".0123456789abcdef.tmp").write_text("")
    assert is_vacant(tmp_path)
    (tmp_path / "a").write_text("")
    assert not is_vacant(tmp_path)
    with pytest.raises(UsageError, match="is no folder"):
        is_vacant(tmp_path / "a")


def test_a_folder_is_refused_that_has_no_mark(tmp_path: Path) -> None:
    refuse_foreign_folder(tmp_path / "none", "training", "run.json")
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(UsageError, match="is not empty and holds no training: name another --out"):
        refuse_foreign_folder(tmp_path, "training", "run.json")
    (tmp_path / "run.json").write_text("{}")
    refuse_foreign_folder(tmp_path, "training", "run.json")


def test_a_file_is_replaced_that_begins_as_ours_do(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    for content in (None, b"", b"<html><title>specsia: x"):
        if content is not None:
            path.write_bytes(content)
        refuse_foreign_file(path, "report of specsia", b"<title>specsia: ")
    path.write_text("<html>my own page")
    with pytest.raises(UsageError, match=r"page\.html is there already and is no report of specsia"):
        refuse_foreign_file(path, "report of specsia", b"<title>specsia: ")
    with pytest.raises(UsageError, match="is there already"):
        refuse_foreign_file(tmp_path, "report of specsia", b"")


def test_what_lies_below_is_listed_and_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "top" / "a" / "b").mkdir(parents=True)
    (tmp_path / "top" / "c").mkdir()
    (tmp_path / "top" / "c" / "file").write_text("")
    (tmp_path / "top" / "link").symlink_to(tmp_path)
    assert listed_below(tmp_path / "top") == ["a/b", "c/file", "link"]
    assert listed_below(tmp_path / "none") == []
    remove_empty(tmp_path / "top")
    assert listed_below(tmp_path / "top") == ["c/file", "link"]
