"""Options, fixtures and tables that tests of several packages share."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from hypothesis import settings

# Tests run beside each other: threads of one only wait for processors that others have, and sums keep their order.
os.environ["OMP_NUM_THREADS"] = "1"

# What is compiled already serves commands that have another home or another folder for their caches, too.
os.environ.setdefault("NUMBA_CACHE_DIR", os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache"))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what runs in its background deaf to Ctrl-C, and so would be the commands that tests stop by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

if TYPE_CHECKING:
    from specsia_build.pipeline.layout import RunLayout

# The same examples on every machine and in every run, however slow the machine is.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")

OUTCOME, PEAK = "outcome", "peak_mb"
"""Names of tests' properties: what `tests.hostile.conftest.Tally` counted, and the largest process that it saw."""

LONGEST = (
    "docs/test_pages.py",
    "pipeline/test_ray.py",
    "rendering/blender/test_renderer.py",
    "pipeline/test_build.py",
    "rendering/fast/test_processors.py",
    "hostile/test_full_disk.py",
    "hostile/test_workers.py",
    "pipeline/test_clips.py",
    "hostile/test_datasets.py",
    "dravie/test_train.py",
    "dravie/evaluation/test_evaluate.py",
    "dravie/adaptation/test_adapt.py",
    "hostile/test_mutations.py",
    "report/browser/test_item.py",
    "dataset/test_decoding.py",
    "dataset/test_push.py",
    "backends/fusion/test_backend.py",
    "report/browser/test_page.py",
    "pipeline/test_worker_backends.py",
    "dataset/test_push_killed.py",
    "report/browser/test_gallery.py",
    "hostile/test_kills.py",
    "backends/relief/test_backend.py",
    "characters/blender/test_read.py",
)
"""Files of the tests that take most time together, the longest first."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--hostile-full", action="store_true", help="try tests/hostile in full, which takes hours")


def pytest_xdist_auto_num_workers() -> int:
    """Twice as many as there are processors, as tests wait for processes that start, are killed or fall silent.

    Beyond 16 they would wait for the longest file.
    """
    return min(16, 2 * (os.cpu_count() or 1))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with `LONGEST`, so that no processor is idle while the last of them ends."""
    here, places = Path(__file__).parent, {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.relative_to(here).as_posix(), len(places)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the hostile tests tried and what happened, as docs/reliability.md shows it."""
    reports = [report for found in terminalreporter.stats.values() for report in found]
    called = [report for report in reports if getattr(report, "when", None) == "call"]
    properties = [found for report in called for found in report.user_properties]
    counts: Counter[tuple[str, str, str]] = Counter()
    for suite, kind, outcome, count in (value for name, value in properties if name == OUTCOME):
        counts[suite, kind, outcome] += count
    peaks = [value for name, value in properties if name == PEAK]
    if counts:
        terminalreporter.section("hostile trials")
        terminalreporter.line("| trials | of | what happened | how many |")
        terminalreporter.line("|---|---|---|---|")
        for (suite, kind, outcome), count in sorted(counts.items()):
            terminalreporter.line(f"| {suite} | {kind} | {outcome} | {count} |")
    if peaks:
        terminalreporter.line(f"the largest process had {max(peaks):,.0f} MB")


@pytest.fixture(scope="session")
def characters_dir() -> Path:
    """The folder of real characters that lies beside the checkout; tests that need it are skipped without it."""
    folder = Path(__file__).resolve().parent.parent.parent / "shared" / "characters"
    if not folder.is_dir():
        pytest.skip(f"needs the real characters at {folder}")
    return folder


@pytest.fixture(scope="module")
def no_workers() -> Iterator[None]:
    """Builds in this process: workers take longer to start than a few small characters to be made."""
    from tests.clips import at_once

    with patch("specsia_build.pipeline.build.open_executor", at_once):
        yield


@pytest.fixture(scope="session")
def clips_run(tmp_path_factory: pytest.TempPathFactory) -> RunLayout:
    """A run of three figures in motion, one in each split, folders of frames and a dataset; not to be changed."""
    from tests.clips import clips_config, run_clips, write_figures

    folder = tmp_path_factory.mktemp("clips")
    return run_clips(folder / "run", clips_config(write_figures(folder / "figures"), recipes=["frames", "dravie"]))[0]
