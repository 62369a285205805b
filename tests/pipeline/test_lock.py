"""Two builds in one folder, on file systems with locks and without."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from specsia_build.errors import SpecsiaError, UsageError, WriteError
from specsia_build.pipeline import lock
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.lock import STALE_SECONDS, locked


@pytest.fixture
def layout(tmp_path: Path) -> RunLayout:
    return RunLayout(tmp_path / "out")


@pytest.fixture(params=[errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def lockless(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", refuse)


def enter(layout: RunLayout, say: Callable[[str], None] = print, pause: Callable[[float], None] = time.sleep) -> None:
    with locked(layout, say, pause):
        pass


class Watch:
    """Stands in for time that passes while somebody else's lease is watched."""

    def __init__(self, lease: Path, renewed_after: float | None = None) -> None:
        self.lease, self.renewed_after, self.passed = lease, renewed_after, 0.0

    def __call__(self, seconds: float) -> None:
        self.passed += seconds
        if self.renewed_after is not None and self.passed >= self.renewed_after:
            write_lease(self.lease, beat=1)


def write_lease(lease: Path, beat: int = 0) -> None:
    lease.parent.mkdir(parents=True, exist_ok=True)
    lease.write_text(json.dumps({"host": "elsewhere", "process": 7, "key": "theirs", "beat": beat}))


def test_a_folder_that_is_locked_is_another_builds(layout: RunLayout) -> None:
    said: list[str] = []
    with locked(layout, said.append), pytest.raises(UsageError, match="another build is at work"):
        enter(layout, said.append)
    with locked(layout, said.append):
        assert not layout.lease.exists()
    assert not said


@pytest.mark.parametrize("again", [False, True], ids=["moved", "another build has begun"])
def test_a_folder_that_is_gone_ends_the_build(layout: RunLayout, again: bool) -> None:
    with pytest.raises(SpecsiaError, match="out was removed or moved"), locked(layout, print) as see_there:
        see_there()
        layout.root.rename(layout.root.with_name("elsewhere"))
        if again:
            enter(layout)
        with pytest.raises(SpecsiaError, match="out was removed or moved"):
            see_there()


@pytest.mark.usefixtures("lockless")
def test_without_locks_a_lease_keeps_the_second_build_out(layout: RunLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "BEAT_SECONDS", 0.01)
    said: list[str] = []
    with locked(layout, said.append):
        assert "has no locks: lease keeps other builds out" in said[0]
        with pytest.raises(UsageError, match=rf"another build \(process {os.getpid()} on .*\) is at work"):
            enter(layout, said.append, lambda _: time.sleep(0.05))
    assert not layout.lease.exists()
    enter(layout, said.append)


@pytest.mark.usefixtures("lockless")
def test_a_lease_that_nobody_renews_is_taken_over_after_a_stated_time(layout: RunLayout) -> None:
    write_lease(layout.lease)
    watch, said = Watch(layout.lease), list[str]()
    with locked(layout, said.append, watch):
        assert "elsewhere" not in layout.lease.read_text()
    assert watch.passed == STALE_SECONDS
    assert any("process 7 on elsewhere" in line and "60 s" in line for line in said)
    assert "not been renewed for 60 s" in said[-1]
    assert [path.name for path in layout.lease.parent.iterdir()] == ["lock"]


@pytest.mark.usefixtures("lockless")
@pytest.mark.parametrize("after", [lock.BEAT_SECONDS, STALE_SECONDS])
def test_a_lease_that_is_renewed_is_left_alone(layout: RunLayout, after: float) -> None:
    write_lease(layout.lease)
    with pytest.raises(UsageError, match=r"another build \(process 7 on elsewhere\)"):
        enter(layout, print, Watch(layout.lease, after))
    assert json.loads(layout.lease.read_text())["beat"] == 1


@pytest.mark.usefixtures("lockless")
def test_a_build_whose_lease_was_taken_over_stops(layout: RunLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "BEAT_SECONDS", 0.01)
    with pytest.raises(SpecsiaError, match="another build took over"), locked(layout, print):
        write_lease(layout.lease)
        time.sleep(600)
    assert "elsewhere" in layout.lease.read_text()


def test_what_stands_in_the_way_of_the_lock_is_a_sentence(layout: RunLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    layout.lock.mkdir(parents=True)
    with pytest.raises(WriteError, match=r"state/lock .* in its way"):
        enter(layout)
    layout.lock.rmdir()

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(WriteError, match="Input/output error"):
        enter(layout)
