"""What a folder lists: always what is there, and read once for as long as that stays."""

import os
import time
from pathlib import Path

import pytest

from specsia_build.files.listing import listing
from tests.listings import noted_listings


def test_names_are_in_order_and_found_in_any_letter_case(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.png", "B.png", "cafe\u0301.png"):
        (tmp_path / name).touch()
    found = listing(tmp_path)
    assert found.names == ("B.png", "a.png", "b.PNG", "cafe\u0301.png")
    assert found.alike("b.png") == ("B.png", "b.PNG")
    assert found.alike("CAF\u00c9.PNG") == ("cafe\u0301.png",)
    assert found.alike("c.png") == ()


@pytest.mark.parametrize("age", [0.0, 1.5])
def test_a_folder_that_may_change_within_its_times_grain_is_read_again(tmp_path: Path, age: float) -> None:
    moment = time.time() - age
    os.utime(tmp_path, (moment, moment))
    assert listing(tmp_path).names == ()
    (tmp_path / "new").touch()
    os.utime(tmp_path, (moment, moment))
    assert listing(tmp_path).names == ("new",)


def test_a_settled_folder_is_read_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").touch()
    os.utime(tmp_path, (1, 1))
    read = noted_listings(monkeypatch)
    assert [listing(tmp_path).names for _ in range(5)] == [("a",)] * 5
    assert len(read) == 1
    (tmp_path / "b").touch()
    os.utime(tmp_path, (2, 2))
    assert listing(tmp_path).names == ("a", "b")
