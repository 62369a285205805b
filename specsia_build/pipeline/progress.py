"""What a person sees while a build runs: bars and lines on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from tqdm import tqdm

from specsia_build.characters.character import id_order_key
from specsia_build.errors import printable, some
from specsia_build.pipeline.summary import StageSummary

_MOST_NAMED = 12


def named(ids: Collection[str]) -> str:
    """Characters by their ids in order, the first few of many."""
    return some(sorted(ids, key=id_order_key), _MOST_NAMED)


class Progress:
    """Bars where standard error is a terminal, one line a stage everywhere."""

    @contextmanager
    def bar(self, name: str, total: int, unit: str = "char") -> Iterator[Callable[[int], None]]:
        """A bar over `total` characters, or other units; yields what advances it."""
        with tqdm(
            total=total, desc=f"{printable(name):<20}", unit=unit, disable=None if total else True, leave=False
        ) as shown:

            def advance(count: int) -> None:
                shown.update(count)

            yield advance

    def say(self, line: str) -> None:
        """One line, made printable, above the bar."""
        tqdm.write(printable(line), file=sys.stderr)

    def stage_done(self, done: StageSummary) -> None:
        """The closing line of a stage."""
        name = done.stage if done.backend is None else f"{done.stage} {done.backend}"
        kept = f", {done.kept} up to date" if done.kept else ""
        failed = f", {done.failed} quarantined" if done.failed else ""
        self.say(f"{name:<20} {done.made} built{kept}{failed} in {done.seconds:.1f} s")
