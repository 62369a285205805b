"""What is imported of huggingface_hub is public: its other modules change between two of its minor versions."""

from __future__ import annotations

import ast
from pathlib import Path

import specsia_build


def test_no_private_module_of_huggingface_hub_is_imported() -> None:
    names = set()
    for path in Path(specsia_build.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "huggingface_hub":
                names |= {f"{node.module}.{alias.name}" for alias in node.names}
    assert "huggingface_hub.HfApi" in names
    assert not [name for name in names if "._" in name or ".lfs." in name]
