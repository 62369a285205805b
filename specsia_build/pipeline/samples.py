"""Procedural characters, written by the workers where they are needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from specsia_build.characters.character import Entry
from specsia_build.characters.sources import Source
from specsia_build.config import BuildConfig
from specsia_build.errors import SpecsiaError
from specsia_build.pipeline.executors import Executor, Lost, Needs
from specsia_build.pipeline.progress import Progress


def write_samples(
    source: Source, entries: Sequence[Entry], config: BuildConfig, progress: Progress, run: Executor
) -> None:
    """Have the workers write those procedural characters that are needed and not there yet.

    Raises:
        SpecsiaError: if one cannot be written.
    """

    def each(function: Callable[[int], None], items: Sequence[int]) -> None:
        with progress.bar("samples", len(items)) as advance:
            for _, outcome in run(function, items, Needs(config.timeout)):
                if isinstance(outcome, Lost):
                    raise SpecsiaError(f"a sample character could not be written: {outcome.reason}")
                advance(1)

    source.write_samples(entries, each)
