"""Options and fixtures shared by tests of several packages."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from hypothesis import settings

from tests.needs import pytest_terminal_summary as pytest_terminal_summary

# Tests run in parallel already, and sums over one thread keep their order.
os.environ["OMP_NUM_THREADS"] = "1"

# Commands that tests run with another home share the compiled code.
os.environ.setdefault("NUMBA_CACHE_DIR", os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache"))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A background job of a shell ignores SIGINT and so would the commands that tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from specsia_build.pipeline.run import RunPaths
    from tests.hub_server import HubServer

# The same examples on every machine and in every run, however slow the machine is.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")

LONGEST = (
    "pipeline/test_ray.py",
    "rendering/fast/test_characters.py",
    "dravie/evaluate/test_evaluate.py",
    "library/test_library.py",
    "docs/test_pages.py",
    "hostile/test_mutations.py",
    "layouts/views/test_views.py",
    "benchmarks/test_bench.py",
    "hostile/test_kills.py",
    "hostile/test_datasets.py",
    "pipeline/test_build.py",
    "pipeline/test_export.py",
    "pipeline/test_clips.py",
    "repairing/test_sheet.py",
    "repairing/test_folder.py",
    "web/test_web.py",
    "dravie/train/test_train.py",
    "backends/upstream/test_worker.py",
    "rendering/blender/test_renderer.py",
    "rigging/test_find.py",
    "repairing/test_without_torch.py",
    "dravie/model/test_model.py",
    "characters/blender/test_blender.py",
)
"""The slowest test files, slowest first."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--hostile-full", action="store_true", help="run all hostile trials, which takes hours")


def pytest_xdist_auto_num_workers() -> int:
    """Two workers a processor, since many tests wait for processes; beyond 16 they wait for the longest
    file."""
    return min(16, 2 * (os.cpu_count() or 1))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start `LONGEST` first, so that no processor is idle at the end."""
    here, places = Path(__file__).parent, {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.relative_to(here).as_posix(), len(places)))


@pytest.fixture(scope="session")
def characters_dir() -> Path:
    """The folder of real characters beside the checkout; without it the test is skipped."""
    folder = Path(__file__).resolve().parent.parent.parent / "shared" / "characters"
    if not folder.is_dir():
        pytest.skip(f"needs the real characters at {folder}")
    return folder


@pytest.fixture(scope="session")
def drawings_dir() -> Path:
    """The folder of strangers' drawings beside the checkout; without it the test is skipped."""
    folder = Path(__file__).resolve().parent.parent.parent / "shared" / "drawings"
    if not folder.is_dir():
        pytest.skip(f"needs the drawings at {folder}")
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, as the system has it; one a process, which is all that Playwright allows."""
    from playwright.sync_api import sync_playwright

    from tests.needs import find_chromium, needs

    needs("chromium")
    software = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox", *software]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def no_workers() -> Iterator[None]:
    """Build in this process, since starting workers takes longer than a few small characters."""
    from tests.clips import at_once

    with patch("specsia_build.pipeline.build.open_executor", at_once):
        yield


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A Hub to which the process is logged in."""
    from tests.hub_server import logged_in

    with logged_in(tmp_path, monkeypatch) as running:
        yield running


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three characters, one in each split, four views of 96 px, two backends; not to be changed."""
    from tests.dataset.small import build_small

    folder = tmp_path_factory.mktemp("pairs") / "dataset"
    return build_small(folder, ("a", "b", "c"), backends=("fat", "thin"))


@pytest.fixture(scope="session")
def clips_run(tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    """A read-only run of three figures in motion, one for each split, with frames and a dataset."""
    from tests.clips import clips_config, run_clips, write_figures

    folder = tmp_path_factory.mktemp("clips")
    config = clips_config(write_figures(folder / "figures"), layouts=["frames", "pairs"])
    return run_clips(folder / "run", config)[0]
