"""Failures, warnings and times of a build: its record on disk, counts of its stages, and its summary."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from specsia_build.characters.character import id_order_key
from specsia_build.errors import SpecsiaError
from specsia_build.files.records import parse_json
from specsia_build.files.writing import append, write_bytes, writing
from specsia_build.pipeline.folder import forget_failure
from specsia_build.pipeline.run import RunPaths, Step
from specsia_build.pipeline.worker import Outcome
from specsia_build.stages import project
from specsia_build.stages.registry import all_stages
from specsia_build.terminal import live_tables, say
from specsia_build.warning import Code, Warning, coded


@dataclass(frozen=True)
class Failure:
    """One character, or one clip of it, that one stage (of one backend) could not build."""

    id: str
    stage: str
    backend: str | None
    reason: str
    details: str | None = None  # File or folder to look at, relative to the run
    low_quality: bool = False  # Whether it was built, and quarantined for its looks
    clip: str | None = None  # Id of the clip
    code: Code = "uncoded"  # Of the kind of reason; records of earlier versions have none

    @property
    def key(self) -> str:
        return self.id if self.clip is None else self.clip

    @property
    def may_be_kept(self) -> bool:
        """Whether another `min_iou`, or `low_iou: keep`, would pack it; a refused mesh has no pairs."""
        return self.low_quality and self.clip is None and self.stage == project.PROJECT.name


def concerning(failures: Iterable[Failure], ids: Collection[str], backends: Collection[str]) -> list[Failure]:
    """Failures of the given characters, of the given backends or none, sorted by stage, backend and id."""
    wanted_ids = set(ids)
    return _sorted(f for f in failures if f.id in wanted_ids and (f.backend is None or f.backend in backends))


def _sorted(failures: Iterable[Failure]) -> list[Failure]:
    places = {stage.name: place for place, stage in enumerate(all_stages())}

    def order(failure: Failure) -> tuple[object, ...]:
        place, backend = places[failure.stage], failure.backend or ""
        return place, backend, id_order_key(failure.id), failure.clip or ""

    return sorted(failures, key=order)


def counted(failures: Iterable[Failure]) -> tuple[int, int]:
    """Count characters or clips that failed in any stage, and those only quarantined for their looks."""
    failures = list(failures)
    failed = {failure.key for failure in failures if not failure.low_quality}
    return len(failed), len({failure.key for failure in failures} - failed)


def _line(failure: Failure) -> str:
    fields = {name: value for name, value in asdict(failure).items() if name != "clip" or value is not None}
    return json.dumps(fields, ensure_ascii=False) + "\n"


def write_failures(path: Path, failures: Iterable[Failure]) -> None:
    """Rewrite `failures.jsonl`, sorted by stage, backend and id."""
    write_bytes(path, "".join(map(_line, _sorted(failures))).encode())


def read_failures(path: Path) -> list[Failure]:
    """Read the failures on record, none without a file; ignores a last line cut by a killed writer."""
    try:
        *lines, _ = path.read_text(encoding="utf-8").split("\n")
        failures = [msgspec.convert(parse_json(line, "a line"), Failure) for line in lines if line]
        if not {failure.stage for failure in failures} <= {stage.name for stage in all_stages()}:
            raise ValueError("it names an unknown stage")
    except FileNotFoundError:
        return []
    except (OSError, ValueError, SpecsiaError) as error:
        raise SpecsiaError(f"{path} cannot be read ({error}): delete it and build again") from error
    return failures


@dataclass(frozen=True)
class StageSummary:
    """Characters of one stage (of one backend) built, kept and failed, and the workers' total seconds."""

    stage: str
    backend: str | None
    built: int
    kept: int
    failed: int
    seconds: float


@dataclass
class StageTally:
    """Results of a stage by key of the character or clip, and the workers' total time."""

    ends: dict[str, Literal["built", "kept", "failed"]] = field(default_factory=dict)
    seconds: float = 0.0

    def keep(self, keys: Iterable[str]) -> None:
        """Count keys as up to date, unless an earlier attempt of this build made them or failed."""
        for key in keys:
            self.ends.setdefault(key, "kept")

    def summary(self, stage: str, backend: str | None) -> StageSummary:
        count = Counter(self.ends.values())
        return StageSummary(stage, backend, count["built"], count["kept"], count["failed"], self.seconds)


def print_stage(stage: StageSummary) -> None:
    """Print the closing line of a stage, unless a table shows it."""
    if live_tables:
        return
    name = stage.stage if stage.backend is None else f"{stage.stage} {stage.backend}"
    kept = f", {stage.kept} up to date" if stage.kept else ""
    failed = f", {stage.failed} left out" if stage.failed else ""
    seconds = f" in {stage.seconds:.1f} s of work" if stage.built or stage.failed else ""
    say(f"{name:<20} {stage.built} built{kept}{failed}{seconds}")


@dataclass(frozen=True)
class BuildSummary:
    """Result of a build."""

    source: str
    characters: int
    stages: list[StageSummary] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)  # On record, of its characters and backends
    # Of what was built, now or before, by id
    warnings: dict[str, tuple[Warning, ...]] = field(default_factory=dict)
    doubles: tuple[str, ...] = ()  # Sentences about equal characters in different splits
    empty_splits: tuple[str, ...] = ()  # Sentences about splits without rows
    allowed_failures: int = 0
    rows: Mapping[str, int] | None = None  # By configuration, the default first; None if pack did not run
    dataset: Path | str | None = None
    clips: int | None = None  # Number of clips of the characters; None in a run of stills
    layouts: Mapping[str, int] | None = None  # Parts on disk, without the dataset of pairs; None if no layout
    stopped: str | None = None  # Why the build stopped before its last stage
    freed: int = 0  # Bytes of artefacts and procedural characters removed after packing

    @property
    def failed(self) -> int:
        """Characters or clips on record as failed in any stage."""
        return counted(self.failures)[0]

    @property
    def low_quality(self) -> int:
        """Characters or clips that did not fail but are quarantined for their looks."""
        return counted(self.failures)[1]


class Record:
    """Failures of a run; and of this build the warnings and the failed keys, without quarantined ones."""

    def __init__(self, paths: RunPaths) -> None:
        self._paths = paths
        self.failures = read_failures(paths.failures)
        self.failed_keys: set[str] = set()
        self.warnings: dict[str, tuple[Warning, ...]] = {}

    def write(self) -> None:
        write_failures(self._paths.failures, self.failures)

    def forget(self, steps: Collection[Step], ids: Collection[str]) -> None:
        """Remove the failures of characters to be tried again, with their pictures and logs."""
        names = {step.name for step in steps}
        again = {f for f in self.failures if (f.stage, f.backend) in names and f.id in ids}
        for failure in again:
            with writing(self._paths.root):
                forget_failure(self._paths, failure.stage, failure.backend, failure.key)
        self.failures = [failure for failure in self.failures if failure not in again]
        self.write()

    def failed(self, failure: Failure, evidence: Mapping[str, bytes]) -> None:
        """Add a failure, with files to look at, by name relative to the run."""
        for name, data in evidence.items():
            write_bytes(self._paths.root / name, data)
        self.failures.append(failure)
        if not failure.low_quality:
            self.failed_keys.add(failure.key)
        append(self._paths.failures, _line(failure))
        kind = "quarantined" if failure.low_quality else "failed"
        say(f"{kind}: {failure.key}: {failure.reason}")

    def warn(self, character: str, warnings: Sequence[Warning]) -> None:
        self.warnings[character] = tuple(dict.fromkeys((*self.warnings.get(character, ()), *warnings)))

    def log_warnings(self) -> None:
        """Write the warnings of all characters, a line each."""
        every = [(name, coded(warnings)) for name, warnings in sorted(self.warnings.items())]
        lines = [json.dumps({"id": name, **each}, ensure_ascii=False) for name, own in every for each in own]
        write_bytes(self._paths.warnings, "".join(f"{line}\n" for line in lines).encode())

    def log(self, stage: str, backend: str | None, key: str, outcome: Outcome) -> None:
        """Add a line about the time and memory that a step took, and why it failed."""
        cost = {"seconds": round(outcome.seconds, 4), "peak_mb": round(outcome.peak_mb, 1)}
        line = {"stage": stage, "backend": backend, "id": key, **cost, "reason": outcome.reason}
        append(self._paths.log, json.dumps(line, ensure_ascii=False) + "\n")
