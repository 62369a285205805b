"""What is imported of huggingface_hub is public: its other modules change between two of its minor versions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import specsia_build


def imported(source: str) -> Iterator[str]:
    """Dotted names of the modules that are imported, and of what is imported from them."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_private_module_of_huggingface_hub_is_imported() -> None:
    package = Path(specsia_build.__file__).parent
    names = {
        (path.relative_to(package).as_posix(), name)
        for path in package.rglob("*.py")
        for name in imported(path.read_text(encoding="utf-8"))
        if name.split(".")[0] == "huggingface_hub"
    }
    assert ("dataset/push.py", "huggingface_hub.HfApi") in names
    private = [
        (path, name)
        for path, name in names
        if any(part.startswith("_") for part in name.split(".")) or name.startswith("huggingface_hub.lfs")
    ]
    assert not private
