"""YAML of our own and of strangers, as plain values."""

from __future__ import annotations

import yaml

MOST_YAML_DEPTH = 100
"""Brackets and braces in one another: what looks for keys takes longer with the square of it."""


class PlainLoader(yaml.SafeLoader):
    """Plain values that are not nested too deeply."""

    def fetch_flow_collection_start(self, TokenClass: type[yaml.Token]) -> None:
        if self.flow_level == MOST_YAML_DEPTH:
            raise yaml.YAMLError("it is nested too deeply")
        super().fetch_flow_collection_start(TokenClass)
