"""Names from data that can be names of files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specsia_build.errors import SpecsiaError
from specsia_build.files.names import file_name, relative_name


@pytest.mark.parametrize("name", ["knight", "01", "Ünï_code-2", "a.b", "x" * 180])
def test_names_that_can_be_file_names_stay_as_they_are(name: str) -> None:
    assert file_name(name, "id") == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "/etc/passwd", "a/b", "a\\b", "C:x", "x\0", "x\n", ".hidden", "x ", "\udc80", "x" * 181],
)
def test_a_name_that_is_no_file_name_is_refused_in_a_printable_sentence(name: str) -> None:
    with pytest.raises(SpecsiaError, match=r"the id .*file name") as raised:
        file_name(name, "id")
    assert str(raised.value).isprintable()


@given(st.text())
def test_a_relative_name_stays_below_its_folder(name: str) -> None:
    try:
        found = relative_name(name, "file")
    except SpecsiaError:
        return
    inside = Path(os.path.normpath(Path("/top") / found))
    assert inside.is_relative_to("/top") and inside != Path("/top")
