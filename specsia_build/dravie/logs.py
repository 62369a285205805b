"""Logs of a training as CSV, one row for a step, which a resumed training goes on writing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from specsia_build.files.writing import append, write_bytes


class Log:
    """A CSV file whose first column is the step."""

    def __init__(self, path: Path, columns: Sequence[str], step: int) -> None:
        """Open a log, dropping rows after `step`, which are about to be written again."""
        self._path = path
        kept = [",".join(("step", *columns))]
        if path.is_file() and step:
            lines = path.read_text(encoding="utf-8").splitlines()[1:]
            kept += [line for line in lines if line.split(",")[0].isdigit() and int(line.split(",")[0]) <= step]
        write_bytes(path, ("\n".join(kept) + "\n").encode())

    def add(self, step: int, values: Sequence[float]) -> None:
        """Append a row."""
        append(self._path, ",".join([str(step), *(f"{value:.6g}" for value in values)]) + "\n")
