"""Worker processes that crash, hang or are killed do not affect others, and end with their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest

from specsia_build.errors import SpecsiaError
from specsia_build.pool import Clock, Lost, Pool, _died, results
from tests.backends.upstream.standins import eventually

LONG = 600.0

ASKING = f"""
print("asking", flush=True)
try:
    for _ in results((partial(sleep, seconds) for seconds in (0.0, *[{LONG}] * 9)), 2):
        print("at work", flush=True)
except KeyboardInterrupt:
    print("stopped", flush=True)
"""
IMPORTS = """
import os, pathlib, signal, sys, threading
from functools import partial
from time import sleep
from specsia_build.pool import results
"""


def troubled(item: int) -> int:
    """Item 3 crashes, item 5 hangs, item 7 is killed; the others double."""
    if item == 3:
        os._exit(9)
    if item == 5:
        time.sleep(LONG)
    if item == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * item


def later(item: int) -> int:
    """Even items take a while, so that results come out of order."""
    time.sleep(0.2 * (item % 2 == 0))
    return item


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


def test_every_item_ends() -> None:
    outcomes = dict(Pool(2, timeout=8.0).run(troubled, list(range(20))))
    assert sorted(outcomes) == list(range(20))
    lost = {i: o.reason for i, o in outcomes.items() if isinstance(o, Lost)}
    assert set(lost) == {3, 5, 7}
    assert "exit code 9" in lost[3] and "8 seconds" in lost[5] and "SIGKILL" in lost[7]
    assert all(outcomes[i] == 2 * i for i in range(20) if i not in lost)
    assert "signal 35" in _died(-35, None)


def test_ordered_results() -> None:
    assert list(results([partial(later, item) for item in range(12)], 2)) == list(range(12))
    with pytest.raises(SpecsiaError, match="exit code 9"):
        list(results([partial(troubled, item) for item in (1, 3, 2)], 2))


def test_idle_workers_may_die(tmp_path: Path) -> None:
    left = [tmp_path / str(i) for i in range(2)]
    for path in left:
        path.touch()
    assert dict(Pool(1).run(DiesOnArrival(left), list(range(4)))) == {i: 2 * i for i in range(4)}
    assert not any(path.exists() for path in left)


@pytest.mark.parametrize("started", [True, False])
def test_workers_that_never_start(started: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    if not started:
        monkeypatch.setattr(Pool, "_start", refused)
    with pytest.raises(SpecsiaError, match="before they begin"):
        list(Pool(1).run(DiesOnArrival(None), [1, 2]))


def test_enough_ends_the_rest() -> None:
    done: list[int] = []
    for index, result in Pool(2).run(abs, list(range(50)), enough=lambda: len(done) >= 3):
        assert result == index
        done.append(index)
    assert 3 <= len(done) <= 3 + 4
    assert sorted(done) == list(range(len(done)))


@contextmanager
def asking(code: str = ASKING, *path: Path) -> Iterator[subprocess.Popen[str]]:
    """A command in a group of its own, which has asked for results."""
    search = os.pathsep.join([*map(str, path), *sys.path])
    with subprocess.Popen(
        [sys.executable, "-c", IMPORTS + code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": search},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "asking\n"
        yield process


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_parent(kind: signal.Signals) -> None:
    with asking() as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 2
        process.send_signal(kind)
        _, alive = psutil.wait_procs(children, timeout=300)
    assert alive == []


def test_ctrl_c_while_workers_start(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    (tmp_path / "sitecustomize.py").write_text(
        "import pathlib, sys, time\n"
        'if "multiprocessing.forkserver" in " ".join(sys.orig_argv):\n'
        f"    pathlib.Path({str(begun)!r}).touch()\n"
        "    time.sleep(1.0)\n"
    )
    with asking(ASKING, tmp_path) as process:
        assert eventually(begun.exists)
        os.killpg(process.pid, signal.SIGINT)
        said, complained = process.communicate(timeout=300)
    assert (said, complained) == ("stopped\n", "")


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_cwd_is_not_imported(tmp_path: Path, method: str) -> None:
    script = tmp_path / "count.py"
    script.write_text(
        f'{IMPORTS}if __name__ == "__main__":\n    print(*results((partial(abs, number) for number in (-1, '
        "-2)), 2))\n"
    )
    strangers = tmp_path / "strangers"
    strangers.mkdir()
    ran = strangers / "ran"
    for name in (*sys.stdlib_module_names, "numpy", "specsia_build", "sitecustomize"):
        (strangers / f"{name}.py").write_text(f"open({str(ran)!r}, 'a').write({name!r})")
    # Where the temporary folder's path is too long for a socket's, there is no server.
    deep = tmp_path / ("d" * 100 if method == "spawn" else "d")
    deep.mkdir()
    counted = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=strangers,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "TMPDIR": str(deep),
        },
    )
    assert counted.stdout == "1 2\n", counted.stderr
    assert not ran.exists()


def test_suspended_time_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    at = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: at[0])
    clock = Clock()
    for seconds, passed in ((0.0, 0.0), (2.0, 2.0), (900.0, 5.0), (1.5, 6.5)):
        at[0] += seconds
        assert clock.now() == passed
