"""What `verify` found: verdicts, problems and notes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from typing import Any

from specsia_build.errors import brief, plural

MOST_LISTED = 20
"""Problems of one check that are listed; all are counted."""

FILES, SUMS, SCHEMA, METADATA = "files", "file sums", "schema", "metadata"
VIEWS, CLIPS, SPLITS, DIGESTS = "views", "clips", "splits", "image sums"
IMAGES, ALPHA, CONTOUR, EDGE, POSITION, IOU = "images", "alpha", "contour", "edge", "position", "iou"
SHAPE, ORDER = "shape", "order"
LICENSES, LAYOUT = "licences", "layout"

CHECKS = {
    FILES: "all files are there and readable, and the card names them",
    SUMS: "SHA256SUMS fits every file",
    SCHEMA: "columns and types",
    METADATA: "no path of a machine and nothing hidden in PNG files",
    SPLITS: "no character in two splits, and each in that of splits.json",
    VIEWS: "every view of every character once, with its own uid and yaw",
    CLIPS: "frames of a clip together and in order, with their own uid, time and yaw, of one character and action",
    IMAGES: "whole PNG files of the right mode and size",
    ALPHA: "mask equals the alpha of color and pos, and nothing is coloured where alpha is 0",
    CONTOUR: "gt covers gt_mask and has its contour around it",
    EDGE: "edge follows from pos",
    POSITION: "pos lands on its own pixel",
    IOU: "iou is that of mask and gt_mask",
    SHAPE: "the views of a character show one solid: silhouettes and positions fit each other",
    ORDER: "gt and color show the view that they stand at, as far as colours tell",
    DIGESTS: "checksums.parquet fits every image",
    LICENSES: "a character has one licence, and the card states all of them",
    LAYOUT: "each part has the files of its recipe, of the right shapes and ranges, and its layers agree",
}
"""Every check and what it says of a dataset that passes."""

AT_REST = frozenset({POSITION, SHAPE, ORDER})
"""Checks of what holds of characters at rest alone."""


@dataclass(frozen=True)
class Problem:
    """One thing that is not as promised.

    Attributes:
        check: a name of `CHECKS`.
        where: uid, character or file.
        message: one sentence.
    """

    check: str
    where: str
    message: str


@dataclass(frozen=True)
class CheckResult:
    """Verdict of one check that was carried out.

    Attributes:
        name: of `CHECKS`.
        passed: whether nothing was found.
        count: problems found.
    """

    name: str
    passed: bool
    count: int


@dataclass(frozen=True)
class Report:
    """What a dataset holds and whether it keeps its promises.

    Attributes:
        rows: of all configurations; of a recipe's folder its frames.
        characters: different ones.
        configs: names of the configurations.
        checks: those that were carried out, in the order of `CHECKS`.
        problems: the first `MOST_LISTED` of each check, in the order of the checks.
        notes: sentences on what was not checked, or is unusual without being wrong.
        unit: of `rows`.
    """

    rows: int
    characters: int
    configs: tuple[str, ...]
    checks: tuple[CheckResult, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()
    unit: str = "rows"

    @property
    def ok(self) -> bool:
        return all(check.passed for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """Plain values, `ok` included."""
        return {"ok": self.ok, **asdict(self)}

    def lines(self) -> list[str]:
        """The lines of the verdict."""
        several = f" in {len(self.configs)} configurations" if len(self.configs) > 1 else ""
        lines = [f"{plural(self.rows, self.unit.removesuffix('s'))} of {plural(self.characters, 'character')}{several}"]
        for check in self.checks:
            verdict = "ok    " if check.passed else "FAILED"
            lines.append(f"{verdict} {check.name}: {CHECKS[check.name]}" + (f" ({check.count})" if check.count else ""))
            found = [p for p in self.problems if p.check == check.name]
            lines += [f"         {p.where}: {p.message}" for p in found]
            if check.count > len(found):
                lines.append(f"         ... and {check.count - len(found)} more")
        lines += [f"note   {note}" for note in self.notes]
        return lines


@dataclass
class Findings:
    """Problems as they are found: all counted, the first of each check kept."""

    counts: dict[str, int] = field(default_factory=dict)
    listed: dict[str, list[Problem]] = field(default_factory=dict)

    def add(self, check: str, where: str, message: str) -> None:
        """Take one problem; names and values in it may be anything, and are made printable and short."""
        self.counts[check] = self.counts.get(check, 0) + 1
        kept = self.listed.setdefault(check, [])
        if len(kept) < MOST_LISTED:
            kept.append(Problem(check, brief(where), brief(message)))

    def merge(self, later: Findings) -> None:
        """Take over what was found elsewhere, after what is here."""
        for check, count in later.counts.items():
            self.counts[check] = self.counts.get(check, 0) + count
            kept = self.listed.setdefault(check, [])
            kept += later.listed[check][: MOST_LISTED - len(kept)]

    def results(self, carried_out: Collection[str]) -> tuple[CheckResult, ...]:
        """Verdicts of the checks that were carried out."""
        return tuple(
            CheckResult(name, not self.counts.get(name), self.counts.get(name, 0))
            for name in CHECKS
            if name in carried_out
        )

    def problems(self, carried_out: Collection[str]) -> tuple[Problem, ...]:
        """What was found by the checks that were carried out."""
        return tuple(problem for name in CHECKS if name in carried_out for problem in self.listed.get(name, ()))
