"""SHA-256 of a dataset's files."""

import hashlib
from pathlib import Path

from specsia_build.dataset.schema import SUMS_FILE


def file_sums(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a dataset but its `SHA256SUMS`, by relative path, sorted."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    names = sorted(files.keys() - {SUMS_FILE})
    return {name: hashlib.sha256(files[name].read_bytes()).hexdigest() for name in names}


def write_sums(folder: Path) -> None:
    """Write `SHA256SUMS` in the format of `sha256sum -c`."""
    text = "".join(f"{digest}  {name}\n" for name, digest in file_sums(folder).items())
    (folder / SUMS_FILE).write_text(text, encoding="utf-8")
