"""What is put on record while a build runs: failures, warnings and times."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence

from specsia_build.files.writing import append, write_bytes, writing
from specsia_build.pipeline.clearing import forget_shown
from specsia_build.pipeline.failures import Failure, add_failure, read_failures, write_failures
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.plan import Step, name_of
from specsia_build.pipeline.progress import Progress
from specsia_build.pipeline.worker import Outcome


class Record:
    """Records of one run.

    Attributes:
        failures: on record, those of other builds in the folder among them.
        lost: keys of what failed in this build, without what was quarantined.
        warnings: sentences about characters that were built all the same, by id.
    """

    def __init__(self, layout: RunLayout, progress: Progress) -> None:
        self._layout, self._progress = layout, progress
        self.failures: list[Failure] = []
        self.lost: set[str] = set()
        self.warnings: dict[str, tuple[str, ...]] = {}

    def read(self) -> None:
        """Take over the failures on record."""
        self.failures = read_failures(self._layout.failures)

    def write(self) -> None:
        """Write the failures in their order."""
        write_failures(self._layout.failures, self.failures)

    def forget(self, steps: Collection[Step], ids: Collection[str]) -> None:
        """Remove the failures of what is tried again, with their pictures and logs."""
        names = {name_of(step) for step in steps}
        again = {f for f in self.failures if (f.stage, f.backend) in names and f.id in ids}
        for failure in again:
            with writing(self._layout.root):
                forget_shown(self._layout, failure.stage, failure.backend, failure.key)
        self.failures = [failure for failure in self.failures if failure not in again]
        self.write()

    def failed(self, failure: Failure, shown: Mapping[str, bytes]) -> None:
        """Add a failure, with what there is to look at by name relative to the run."""
        for name, data in shown.items():
            write_bytes(self._layout.root / name, data)
        self.failures.append(failure)
        if not failure.low_quality:
            self.lost.add(failure.key)
        add_failure(self._layout.failures, failure)
        self._progress.quarantined(failure.key, failure.reason)

    def warn(self, character: str, warnings: Sequence[str]) -> None:
        """Add sentences about a character that was built all the same."""
        before = self.warnings.get(character, ())
        self.warnings[character] = found = tuple(dict.fromkeys((*before, *warnings)))
        self._progress.warned(len(found) - len(before))

    def log(self, stage: str, backend: str | None, key: str, outcome: Outcome) -> None:
        """Add a line about the time and memory that a step took, and why it failed."""
        line = {
            "stage": stage,
            "backend": backend,
            "id": key,
            "seconds": round(outcome.seconds, 4),
            "parts": {name: round(value, 4) for name, value in outcome.parts.items()},
            "peak_mb": round(outcome.peak_mb, 1),
            "reason": outcome.reason,
        }
        append(self._layout.log, json.dumps(line, ensure_ascii=False) + "\n")
