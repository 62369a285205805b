"""Options, fixtures and tables that tests of several packages share."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples on every machine and in every run, however slow the machine is.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")

OUTCOME = "outcome"
"""Under this name a test's properties hold what `tests.hostile.conftest.Tally` counted."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--hostile-full", action="store_true", help="try tests/hostile in full, which takes hours")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the hostile tests tried and what happened, as docs/reliability.md shows it."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()) if getattr(report, "when", "") == "call" else ():
                if name == OUTCOME:
                    suite, kind, outcome, count = value
                    counts[suite, kind, outcome] += count
    if counts:
        terminalreporter.section("hostile trials")
        terminalreporter.line("| trials | of | what happened | how many |")
        terminalreporter.line("|---|---|---|---|")
        for (suite, kind, outcome), count in sorted(counts.items()):
            terminalreporter.line(f"| {suite} | {kind} | {outcome} | {count} |")


@pytest.fixture(scope="session")
def characters_dir() -> Path:
    """The folder of real characters that lies beside the checkout; tests that need it are skipped without it."""
    folder = Path(__file__).resolve().parent.parent.parent / "shared" / "characters"
    if not folder.is_dir():
        pytest.skip(f"needs the real characters at {folder}")
    return folder
