"""Quarantined characters: what failed, where, why, and where to look."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from specsia_build.characters.character import id_order_key
from specsia_build.errors import SpecsiaError
from specsia_build.files.records import parse_json
from specsia_build.files.writing import append, write_bytes
from specsia_build.stages import project
from specsia_build.stages.registry import all_stages
from specsia_build.terminal.layout import folded


@dataclass(frozen=True)
class Failure:
    """One character, or one clip of it, that one stage could not build.

    Attributes:
        id: of the character.
        stage: that failed.
        backend: name, or None for a stage that is not done for each.
        reason: one sentence.
        details: file or folder to look at, relative to the run, or None.
        low_quality: whether it was built, and quarantined for its looks.
        clip: id of the clip; None where it is the character.
    """

    id: str
    stage: str
    backend: str | None
    reason: str
    details: str | None = None
    low_quality: bool = False
    clip: str | None = None

    @property
    def key(self) -> str:
        """Id of what could not be built."""
        return self.id if self.clip is None else self.clip

    @property
    def may_be_kept(self) -> bool:
        """Whether another `min_iou`, or `low_iou: keep`, would have it packed; a mesh that is refused has no pairs."""
        return self.low_quality and self.clip is None and self.stage == project.STAGE.name


def _names() -> list[str]:
    """Of all stages, in the order in which failures are listed."""
    return [stage.name for stage in all_stages()]


def _order(failure: Failure) -> tuple[int, str, tuple[int, int, str], str]:
    return _names().index(failure.stage), failure.backend or "", id_order_key(failure.id), failure.clip or ""


def concerning(failures: Iterable[Failure], ids: Collection[str], backends: Collection[str]) -> list[Failure]:
    """The failures of some characters on their way through some backends, sorted by stage, backend and id.

    Args:
        failures: on record, of other builds in the same folder perhaps.
        ids: of the characters.
        backends: their names; failures that came before any backend belong to each.
    """
    known = set(ids)
    return sorted((f for f in failures if f.id in known and (f.backend is None or f.backend in backends)), key=_order)


def counted(failures: Iterable[Failure]) -> tuple[int, int]:
    """Characters or clips that failed anywhere, and those that did not but were quarantined for their looks."""
    found = list(failures)
    failed = {failure.key for failure in found if not failure.low_quality}
    return len(failed), len({failure.key for failure in found} - failed)


def in_common(failures: Iterable[Failure]) -> str:
    """What most of those that failed, not for their looks alone, have in common; empty where there is nothing."""
    found = [failure for failure in failures if not failure.low_quality]
    folds = folded((failure.key, f"{failure.stage}: {failure.reason}") for failure in found)
    failed, count = len({failure.key for failure in found}), len(folds[0].names) if folds else 0
    if count < 2 or 2 * count <= failed:
        return ""
    stage, _, reason = folds[0].sentence.partition(": ")
    return f"{'all of them' if count == failed else f'{count:,} of them'} fail in {stage} alike ({reason})"


def _line(failure: Failure) -> str:
    said = {name: value for name, value in asdict(failure).items() if name != "clip" or value is not None}
    return json.dumps(said, ensure_ascii=False) + "\n"


def write_failures(path: Path, failures: Iterable[Failure]) -> None:
    """Write `failures.jsonl` anew, sorted by stage, backend and id."""
    write_bytes(path, "".join(map(_line, sorted(failures, key=_order))).encode())


def add_failure(path: Path, failure: Failure) -> None:
    """Write one more line to the end of `failures.jsonl`; `write_failures` puts it in its place once there is time."""
    append(path, _line(failure))


_STRANGE = "it holds a line that is no failure"


def _parsed(line: str) -> Failure:
    try:
        said = parse_json(line, "a line")
        failure = msgspec.convert(said, Failure)
    except (SpecsiaError, msgspec.ValidationError) as error:
        raise ValueError(_STRANGE) from error
    if failure.stage not in _names() or said.keys() - Failure.__dataclass_fields__.keys():
        raise ValueError(_STRANGE)
    return failure


def read_failures(path: Path) -> list[Failure]:
    """Failures on record; none where there is no file. A last line that was cut when its writer was killed is left out.

    Raises:
        SpecsiaError: if the file is damaged.
    """
    try:
        *lines, _ = path.read_text(encoding="utf-8").split("\n")
        return [_parsed(line) for line in lines if line]
    except FileNotFoundError:
        return []
    except UnicodeDecodeError as error:
        raise SpecsiaError(f"{path} cannot be read (it is no UTF-8 text): delete it and build again") from error
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise SpecsiaError(f"{path} cannot be read ({why}): delete it and build again") from error
