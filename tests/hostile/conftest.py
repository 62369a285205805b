"""Tests of a build against hostile files, crashes and full disks; all have the mark `hostile`.

They run in a bounded form with all other tests, and in full with `--hostile-full`. Every trial is decided by
its seed.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.yard import Yard, new_yard


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("hostile")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that is marked `seeds(bounded, full)` its seeds, each a test of its own."""
    marker = metafunc.definition.get_closest_marker("seeds")
    if marker is not None:
        bounded, full = marker.args
        count = full if metafunc.config.getoption("--hostile-full") else bounded
        metafunc.parametrize("seed", range(count))


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether all is to be tried, not the bounded form."""
    return bool(request.config.getoption("--hostile-full"))


@pytest.fixture
def yard() -> Iterator[Yard]:
    """A place to try the command in."""
    with new_yard() as yard:
        yield yard
