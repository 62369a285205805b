"""Worker processes that crash, hang or are killed take nothing along."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from specsia_build.dataset.parallel import worker_context

from specsia_build.errors import SpecsiaError
from specsia_build.pipeline.executors import Lost, local, run_local
from specsia_build.pipeline.executors.local import _serve


def troubled(item: int) -> int:
    """Item 3 crashes, item 5 hangs, item 7 is killed; the others double."""
    if item == 3:
        os._exit(9)
    if item == 5:
        time.sleep(600)
    if item == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * item


class DiesOnArrival:
    """Doubles; ends the worker that unpacks it, once for each of some files, or always."""

    def __init__(self, files: list[Path] | None) -> None:
        self.files = files

    def __reduce__(self) -> tuple[Callable[..., DiesOnArrival], tuple[list[Path] | None]]:
        return arrive, (self.files,)

    def __call__(self, item: int) -> int:
        return 2 * item


def arrive(files: list[Path] | None) -> DiesOnArrival:
    there = [path for path in files or () if path.exists()]
    if files is None or there:
        for path in there[:1]:
            path.unlink()
        os._exit(3)
    return DiesOnArrival(files)


def test_every_item_is_either_done_or_lost_for_the_true_reason() -> None:
    outcomes = dict(run_local(troubled, list(range(20)), workers=2, timeout=8.0))
    assert sorted(outcomes) == list(range(20))
    lost = {i: o.reason for i, o in outcomes.items() if isinstance(o, Lost)}
    assert set(lost) == {3, 5, 7}
    assert "exit code 9" in lost[3]
    assert "8 seconds" in lost[5]
    assert "SIGKILL" in lost[7]
    assert all(outcomes[i] == 2 * i for i in range(20) if i not in lost)


def test_workers_that_die_idle_cost_nothing(tmp_path: Path) -> None:
    left = [tmp_path / str(i) for i in range(2)]
    for path in left:
        path.touch()
    outcomes = dict(run_local(DiesOnArrival(left), list(range(4)), workers=1, timeout=100.0))
    assert outcomes == {i: 2 * i for i in range(4)}
    assert not any(path.exists() for path in left)


def test_workers_that_never_begin_are_told() -> None:
    with pytest.raises(SpecsiaError, match="worker processes end before they begin"):
        list(run_local(DiesOnArrival(None), [1, 2], workers=1, timeout=100.0))


def test_workers_that_cannot_be_started_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    def refused(*_: object) -> None:
        tries.append(1)
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(local, "_started", refused)
    with pytest.raises(SpecsiaError, match="worker processes end before they begin"):
        list(run_local(abs, [1, 2], workers=2, timeout=100.0))
    assert len(tries) == 3


def test_a_worker_that_cannot_be_started_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    begin, tries = local._started, [0]

    def refused_once(*given: Any) -> Any:
        tries[0] += 1
        if tries[0] == 1:
            raise BrokenPipeError(32, "Broken pipe")
        return begin(*given)

    monkeypatch.setattr(local, "_started", refused_once)
    assert dict(run_local(abs, [-1, -2, -3], workers=2, timeout=100.0)) == {0: 1, 1: 2, 2: 3}


def test_a_signal_without_a_name_is_told_by_its_number() -> None:
    assert local._died(-35, None) == "its worker process was killed by signal 35"


def test_time_in_which_all_processes_are_stopped_is_no_items(tmp_path: Path) -> None:
    script = tmp_path / "stopped.py"
    script.write_text(
        "import time\n"
        "from specsia_build.pipeline.executors import run_local\n"
        "if __name__ == '__main__':\n"
        "    for found in run_local(time.sleep, [0.0, 2.0], workers=1, timeout=6.0): print(found, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "(0, None)\n"
        family = [psutil.Process(parent.pid), *psutil.Process(parent.pid).children(recursive=True)]
        for one in family:
            one.suspend()
        time.sleep(8.0)
        # Who counts wakes before who is counted has said what was done.
        family[0].resume()
        time.sleep(1.0)
        for one in family:
            one.resume()
        assert parent.stdout.readline() == "(1, None)\n"


def test_once_it_is_enough_what_is_under_way_is_finished_and_no_more_begun() -> None:
    done: list[int] = []
    for index, result in run_local(abs, list(range(50)), workers=2, timeout=100.0, enough=lambda: len(done) >= 3):
        assert result == index
        done.append(index)
    assert 3 <= len(done) <= 3 + 4
    assert sorted(done) == list(range(len(done)))


def test_nothing_to_do_starts_nothing() -> None:
    assert list(run_local(troubled, [], workers=2, timeout=1.0)) == []


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import time\n"
        "from specsia_build.pipeline.executors import run_local\n"
        "if __name__ == '__main__':\n"
        "    for _ in run_local(time.sleep, [600.0, 600.0], workers=2, timeout=1000.0): pass\n"
    )
    process = subprocess.Popen([sys.executable, str(script)])
    children: list[psutil.Process] = []
    deadline = time.monotonic() + 300
    while len(children) < 4 and time.monotonic() < deadline:
        children = psutil.Process(process.pid).children(recursive=True)
        time.sleep(0.05)
    assert len(children) >= 3
    time.sleep(1.0)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=300)
    assert alive == []


def test_a_worker_that_nobody_wants_any_more_ends_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    for heard in (0, 1):
        ours, theirs = worker_context().Pipe()
        process = worker_context().Process(target=_serve, args=(theirs, None))  # type: ignore[attr-defined]
        process.start()
        theirs.close()
        for _ in range(heard):
            ours.send(print)
        ours.close()
        process.join()
        assert process.exitcode == 0
    assert capfd.readouterr().err == ""


def test_a_temporary_folder_of_a_long_name_is_no_hindrance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    found = dict(run_local(str, [7, 8], workers=1, timeout=300))
    assert found == {0: "7", 1: "8"}


def test_a_resource_tracker_that_is_killed_costs_nothing_and_says_nothing(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, psutil\n"
        "from specsia_build.pipeline.executors import run_local\n"
        "def kill_tracker():\n"
        "    lines = {p: ' '.join(p.cmdline()) for p in psutil.Process().children()}\n"
        "    (tracker,) = [p for p, line in lines.items() if 'resource_tracker' in line]\n"
        "    tracker.kill(); tracker.wait()\n"
        "def work(number):\n"
        "    if number == 1: os._exit(3)\n"
        "    return number\n"
        "if __name__ == '__main__':\n"
        "    found = {}\n"
        "    for index, result in run_local(work, [0, 1, 2, 3], workers=1, timeout=100.0):\n"
        "        found[index] = result\n"
        "        if index == 0: kill_tracker()\n"
        "    print(sorted(i for i in found if found[i] == i))\n"
    )
    ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=300, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "[0, 2, 3]\n", "")
