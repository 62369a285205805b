"""Quarantined characters: what failed, where, why, and where to look."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from specsia_build.characters.character import id_order_key
from specsia_build.config import STAGES
from specsia_build.errors import SpecsiaError
from specsia_build.files import write_bytes


@dataclass(frozen=True)
class Failure:
    """One character that one stage could not build.

    Attributes:
        id: of the character.
        stage: that failed.
        backend: name, or None for the render stage.
        reason: one sentence.
        details: file or folder to look at, relative to the run, or None.
    """

    id: str
    stage: str
    backend: str | None
    reason: str
    details: str | None = None


def _order(failure: Failure) -> tuple[int, str, tuple[int, int, str]]:
    return STAGES.index(failure.stage), failure.backend or "", id_order_key(failure.id)


def write_failures(path: Path, failures: Iterable[Failure]) -> None:
    """Write `failures.jsonl`, sorted by stage, backend and id."""
    lines = [json.dumps(asdict(failure), ensure_ascii=False) + "\n" for failure in sorted(failures, key=_order)]
    write_bytes(path, "".join(lines).encode())


def read_failures(path: Path) -> list[Failure]:
    """Failures on record; none where there is no file.

    Raises:
        SpecsiaError: if the file is damaged.
    """
    if not path.exists():
        return []
    try:
        return [Failure(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines() if line]
    except (OSError, ValueError, TypeError) as error:
        raise SpecsiaError(f"{path} cannot be read ({error}): delete it and build again") from error
