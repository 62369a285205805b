"""Two builds in one folder."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from specsia_build.errors import SpecsiaError, UsageError, WriteError
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.lock import locked


@pytest.fixture
def layout(tmp_path: Path) -> RunLayout:
    return RunLayout(tmp_path / "out")


def enter(layout: RunLayout) -> None:
    with locked(layout):
        pass


@pytest.mark.parametrize("locks", [True, False])
def test_a_folder_that_is_locked_is_another_builds(
    layout: RunLayout, locks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    if not locks:
        monkeypatch.setattr(fcntl, "flock", refuse)
    with locked(layout), pytest.raises(UsageError, match="at work"):
        enter(layout)
    enter(layout)


@pytest.mark.parametrize("again", [False, True], ids=["moved", "another build has begun"])
def test_a_folder_that_is_gone_ends_the_build(layout: RunLayout, again: bool) -> None:
    with pytest.raises(SpecsiaError, match="removed or moved"), locked(layout) as see_there:
        see_there()
        layout.root.rename(layout.root.with_name("elsewhere"))
        if again:
            enter(layout)
        with pytest.raises(SpecsiaError, match="removed or moved"):
            see_there()


def test_what_stands_in_the_way_of_the_lock_is_a_sentence(layout: RunLayout) -> None:
    layout.lock.mkdir(parents=True)
    with pytest.raises(WriteError, match="state/lock"):
        enter(layout)
