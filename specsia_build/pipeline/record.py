"""What is on record of a build while it is under way: failures, warnings, times, and what the index remembers."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence

from specsia_build.files.writing import append, write_bytes, writing
from specsia_build.pipeline.chain import Read, Step, name_of
from specsia_build.pipeline.clearing import forget_shown
from specsia_build.pipeline.failures import Failure, add_failure, read_failures, write_failures
from specsia_build.pipeline.index import Index
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.objects import Place
from specsia_build.pipeline.progress import Progress, named
from specsia_build.pipeline.tasks import Outcome, Task

DAMAGED, DROPPED = "damaged and made again", "made again, as --keep had dropped it"
"""Why artefacts that are up to date are made again."""


class Record:
    """Of one run.

    Attributes:
        failures: on record, those of other builds among them.
        lost: keys of what failed in this build, but for looks alone.
        warnings: sentences about characters that were built all the same, by id.
    """

    def __init__(self, layout: RunLayout, index: Index, progress: Progress) -> None:
        self._layout, self._index, self._progress = layout, index, progress
        self.failures: list[Failure] = []
        self.lost: set[str] = set()
        self.warnings: dict[str, tuple[str, ...]] = {}

    def read(self) -> None:
        """Take over what is on record as failed."""
        self.failures = read_failures(self._layout.failures)

    def write(self) -> None:
        """Write the failures in their order."""
        write_failures(self._layout.failures, self.failures)

    def forget(self, steps: Collection[Step], ids: Collection[str]) -> None:
        """Take the failures of some characters in some steps, which are tried again, from the record, with what there
        is to look at of them."""
        here = {name_of(step) for step in steps}
        again = {f for f in self.failures if (f.stage, f.backend) in here and f.id in ids}
        for failure in again:
            # What is shown of one is not to lie beside what is shown of the next.
            with writing(self._layout.root):
                forget_shown(self._layout, failure.stage, failure.backend, failure.key)
        self.failures = [failure for failure in self.failures if failure not in again]
        self.write()

    def failed(self, failure: Failure, shown: Mapping[str, bytes]) -> None:
        """Put a failure on record with what there is to look at, by name relative to the run, and say so."""
        for name, data in shown.items():
            write_bytes(self._layout.root / name, data)
        self.failures.append(failure)
        if not failure.low_quality:
            self.lost.add(failure.key)
        add_failure(self._layout.failures, failure)
        self._progress.quarantined(failure.key, failure.reason)

    def warn(self, character: str, said: Sequence[str]) -> None:
        """Keep sentences about a character that was built all the same."""
        before = self.warnings.get(character, ())
        self.warnings[character] = found = tuple(dict.fromkeys((*before, *said)))
        self._progress.warned(len(found) - len(before))

    def made_again(self, step: Step, keys: Collection[str], why: str = DAMAGED) -> None:
        """Say that artefacts are made again; `why` is `DAMAGED` or `DROPPED`."""
        self._progress.say(f"{' '.join(filter(None, name_of(step)))}: {why}: {named(keys)}")

    def log(self, stage: str, backend: str | None, key: str, outcome: Outcome) -> None:
        """Note how long a step took, how much memory it had, and why it failed."""
        said = {
            "stage": stage,
            "backend": backend,
            "id": key,
            "seconds": round(outcome.seconds, 4),
            "parts": {name: round(value, 4) for name, value in outcome.parts.items()},
            "peak_mb": round(outcome.peak_mb, 1),
            "reason": outcome.reason,
        }
        append(self._layout.log, json.dumps(said, ensure_ascii=False) + "\n")

    def discard(self, place: Place) -> None:
        """Remove an artefact, if it is there."""
        self._index.discard(place)

    def learn(self, task: Task, outcome: Outcome) -> None:
        """Remember what a worker tells of an artefact."""
        if outcome.stamp is not None:
            self._index.learn(task.path, outcome.stamp, outcome.meta)

    def learn_digests(self, found: Sequence[Read]) -> None:
        """Remember the digests of source files that a worker read."""
        for read in found:
            self._index.learn_digest(read.path, read.stamp, read.digest)
