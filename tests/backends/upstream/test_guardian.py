"""Everything that a worker started ends with it, however it ends and wherever its children have gone."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from specsia_build.backends.upstream import guardian
from specsia_build.backends.upstream.supervisor import Supervisor
from specsia_build.errors import CharacterError
from tests.backends.upstream.standins import QUICK, TETRAHEDRON, command, eventually, processes_naming

FAMILY = f"""
import os, signal, subprocess, sys, time
from specsia_worker import serve

SLEEP = [sys.executable, "-c", "import signal, time\\n"
    "for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(s, signal.SIG_IGN)\\n"
    "time.sleep(600)", os.getcwd()]

def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid()
            os.execv(SLEEP[0], SLEEP)
        os._exit(0)
    os.wait()

def load(settings):
    subprocess.Popen(SLEEP)
    subprocess.Popen(SLEEP, start_new_session=True)
    subprocess.Popen(SLEEP, preexec_fn=os.setpgrp)
    daemon()
    open("family", "w").close()

    def reconstruct(request):
        how = settings["how"]
        if how == "crash":
            os._exit(3)
        if how == "hang":
            time.sleep(600)
        if how == "stop the guardian":
            os.kill(os.getppid(), signal.SIGSTOP)
            time.sleep(600)
        if how == "kill the guardian":
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(600)
        if how == "memory":
            raise MemoryError
        with open(request.out("mesh.obj"), "w") as stream:
            stream.write({TETRAHEDRON!r})
        return request.out("mesh.obj")

    return reconstruct

serve("family", load, axes=("+x", "-z", "+y"))
"""


@pytest.mark.parametrize("how", ["close", "crash", "hang", "memory", "stop the guardian", "kill the guardian"])
def test_no_descendant_outlives_the_worker(tmp_path: Path, how: str) -> None:
    with Supervisor(command(tmp_path, FAMILY, how=how), QUICK) as supervisor:
        if how == "close":
            supervisor.reconstruct(tmp_path / "a.png", tmp_path / "a", 1)
            assert len(processes_naming(str(tmp_path))) >= 6, "the guardian, the worker and four children"
        else:
            with pytest.raises(CharacterError):
                supervisor.reconstruct(tmp_path / "a.png", tmp_path / "a", 1)
            assert supervisor.starts == 2
    assert (tmp_path / "family").exists()
    assert processes_naming(str(tmp_path)) == []


OWNER = """
import sys, time
from pathlib import Path
from specsia_build.backends.upstream.supervisor import Supervisor
from tests.backends.upstream.standins import QUICK, command
from tests.backends.upstream.test_guardian import FAMILY

supervisor = Supervisor(command(Path(sys.argv[1]), FAMILY, how="close"), QUICK)
supervisor.reconstruct(Path(sys.argv[1]) / "a.png", Path(sys.argv[1]) / "a", 1)
print("ready", flush=True)
time.sleep(600)
"""


def test_no_descendant_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    script = [sys.executable, "-c", OWNER, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(script, stdout=subprocess.PIPE, cwd=root, env=environment) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"ready\n"
        assert len(processes_naming(str(tmp_path))) >= 7
        owner.kill()
    assert eventually(lambda: processes_naming(str(tmp_path)) == [])


def run(*program: str) -> subprocess.CompletedProcess[str]:
    """A program below a guardian whose pipe stays open."""
    ours, theirs = os.pipe()
    try:
        command = [sys.executable, "-I", "-S", guardian.__file__, str(ours), *program]
        return subprocess.run(command, pass_fds=(ours,), capture_output=True, text=True, timeout=300, check=False)
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 0", 0), ("exit 7", 7), ("kill -SEGV $$", -signal.SIGSEGV), ("kill -KILL $$", -9), ("kill -40 $$", -40)],
)
def test_it_ends_as_the_program_did(script: str, code: int) -> None:
    ended = run("/bin/sh", "-c", f"echo out; echo err >&2; {script}")
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "out\n", "err\n")


def test_a_program_that_is_not_there_is_said(tmp_path: Path) -> None:
    ended = run(str(tmp_path / "nothing"))
    assert ended.returncode == guardian.CANNOT_START
    assert ended.stderr == f"{tmp_path / 'nothing'} cannot be started: No such file or directory\n"


def test_a_signal_without_a_name_is_a_sentence(tmp_path: Path) -> None:
    script = "import os\nos.kill(os.getpid(), 40)\n"
    with Supervisor(command(tmp_path, script), QUICK) as supervisor, pytest.raises(CharacterError) as caught:
        supervisor.reconstruct(tmp_path / "a.png", tmp_path / "a", 1)
    assert "was killed by signal 40" in str(caught.value)


def test_a_limit_on_this_process_is_none_on_the_worker(tmp_path: Path) -> None:
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    script = "import resource; print(resource.getrlimit(resource.RLIMIT_AS)[0])"
    limited = "import resource, subprocess, sys; resource.setrlimit(resource.RLIMIT_AS, (2**32, resource.getrlimit("
    limited += "resource.RLIMIT_AS)[1])); sys.exit(subprocess.call(sys.argv[1:], close_fds=False))"
    ours, theirs = os.pipe()
    os.set_inheritable(ours, True)
    command = [sys.executable, guardian.__file__, str(ours), sys.executable, "-c", script]
    ended = subprocess.run(
        [sys.executable, "-c", limited, *command], pass_fds=(ours,), capture_output=True, text=True, check=True
    )
    os.close(ours)
    os.close(theirs)
    assert int(ended.stdout) == hard


def test_many_generations_end(tmp_path: Path) -> None:
    script = """
import os, sys, time
for _ in range(4):
    os.fork()
    os.setsid() if os.getpgrp() != os.getpid() else None
open("%d.child" % os.getpid(), "w").close()
time.sleep(600)
"""
    (tmp_path / "many.py").write_text(script)
    ours, theirs = os.pipe()
    command = [sys.executable, guardian.__file__, str(ours), sys.executable, "many.py", str(tmp_path)]
    with subprocess.Popen(command, pass_fds=(ours,), cwd=tmp_path) as process:
        os.close(ours)
        assert eventually(lambda: len(list(tmp_path.glob("*.child"))) == 16)
        assert len(psutil.Process(process.pid).children(recursive=True)) == 16
        os.close(theirs)
        assert process.wait(20) == -signal.SIGKILL
    assert processes_naming(str(tmp_path)) == []
