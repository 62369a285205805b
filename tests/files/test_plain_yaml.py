"""YAML that is nested deeper than anybody writes."""

from __future__ import annotations

import pytest
import yaml

from specsia_build.files.plain_yaml import MOST_YAML_DEPTH, PlainLoader


def load(text: str) -> object:
    return yaml.load(text, PlainLoader)


@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ("{a: ", "}")])
def test_what_is_nested_too_deeply_is_refused_where_it_becomes_so(opens: str, closes: str) -> None:
    def nested(depth: int) -> str:
        return f"a: {opens * depth}{closes * depth}"

    assert load(nested(MOST_YAML_DEPTH))
    with pytest.raises(yaml.YAMLError, match="nested too deeply"):
        load(nested(MOST_YAML_DEPTH + 1))
    # Millions of levels would take hours to look at.
    with pytest.raises(yaml.YAMLError, match="nested too deeply"):
        load(f"a: {opens * 1_000_000}")
