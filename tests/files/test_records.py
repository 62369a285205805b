"""Damaged JSON, and YAML that is nested deeper than anybody writes."""

from __future__ import annotations

import pytest
import yaml

from specsia_build.errors import SpecsiaError
from specsia_build.files.records import MOST_DEPTH, PlainLoader, parse_json


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
def test_damaged_json_is_a_sentence(data: bytes | str, why: str) -> None:
    with pytest.raises(SpecsiaError, match=f"build.json cannot be read: .*{why}"):
        parse_json(data, "build.json")


@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ("{a: ", "}")])
def test_yaml_that_is_nested_too_deeply_is_refused_at_once(opens: str, closes: str) -> None:
    assert yaml.load(f"a: {opens * MOST_DEPTH}{closes * MOST_DEPTH}", PlainLoader)
    with pytest.raises(yaml.YAMLError, match="nested too deeply"):
        yaml.load(f"a: {opens * 1_000_000}", PlainLoader)
