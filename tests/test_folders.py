"""Home folders, of known and unknown users, and folders of caches: shared, private, and pruned."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from specsia_build.cli import main
from specsia_build.folders import UNUSED_DAYS, expanded, home, homed, prune, use, user_cache


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user that the system does not know: a container may run as any number."""

    def unknown(_: object) -> SimpleNamespace:
        raise KeyError

    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


def test_a_path_may_begin_in_a_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/her")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert home() == Path("/home/her")
    assert user_cache() == Path("/home/her/.cache/specsia")
    assert expanded("~/figures") == Path("/home/her/figures")
    assert expanded("./~/figures") == Path("~/figures")
    assert expanded("~no-such-user/figures") == Path("~no-such-user/figures")


@pytest.mark.usefixtures("nobody")
def test_a_user_without_a_home_folder_has_one_that_cannot_be() -> None:
    assert not home().is_dir()
    assert homed() == {**os.environ, "HOME": str(home())}
    assert user_cache().is_absolute()
    with pytest.raises(NotADirectoryError):
        user_cache().mkdir(parents=True)


@pytest.mark.usefixtures("nobody")
@pytest.mark.parametrize(
    "arguments",
    [
        ("characters", "~x/hero.glb"),
        ("build", "~x/hero.glb", "--out", "out"),
        ("build", "sample:1", "--like", "~x/dataset", "--out", "out"),
        ("build", "sample:1", "--exclude", "~x/ids", "--out", "out"),
        ("build", "sample:1", "--backend", "mesh-dir:~x", "--out", "out"),
        ("clips", "sample:1", "--motion", "~x/walk.bvh", "--out", "out"),
        ("verify", "~x"),
    ],
)
def test_a_path_of_an_unknown_user_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code in (1, 2)
    assert "~x" in result.stderr
    assert "fault of specsia" not in result.stderr
    assert len(result.stderr.strip().splitlines()) <= 3


def kept(cache: Path, name: str, days: float = 0.0) -> Path:
    folder = cache / name
    folder.mkdir(parents=True)
    (folder / "file").touch()
    then = time.time() - days * 86400
    os.utime(folder, (then, then))
    return folder


def compiled_at(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Where a process keeps compiled code, or the error line of the command."""
    argv = ["specsia", "build", "sample:1", "--size", "32", "--out", f"{environment['TMPDIR']}/run"]
    code = f"from specsia_build.cli import main; import sys; sys.argv = {argv}; main()"
    code = "from specsia_build.jit import cache_folder; print(cache_folder())" if "ASK" in environment else code
    environment = {**os.environ, "NUMBA_CACHE_DIR": "", **environment}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


def test_where_nothing_can_be_kept_processes_share_one_private_folder(tmp_path: Path) -> None:
    environment = {"XDG_CACHE_HOME": "/proc/none", "TMPDIR": str(tmp_path), "ASK": ""}
    first, second = (Path(compiled_at(environment).stdout.strip()) for _ in range(2))
    assert first == second and first.is_dir()
    shared = tmp_path / f"specsia-compiled-{os.getuid()}"
    assert first.parent == shared and list(tmp_path.iterdir()) == [shared]
    assert shared.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("kind", ["open", "link"])
def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path, kind: str) -> None:
    planted = tmp_path / f"specsia-compiled-{os.getuid()}"
    if kind == "open":
        planted.mkdir()
        planted.chmod(0o777)
    else:
        (tmp_path / "theirs").mkdir(mode=0o700)
        planted.symlink_to(tmp_path / "theirs")
    ran = compiled_at({"XDG_CACHE_HOME": "/proc/none", "TMPDIR": str(tmp_path)})
    assert ran.returncode == 1 and "Traceback" not in ran.stderr
    assert "is not yours alone, so nothing is kept there: remove it, or set TMPDIR" in ran.stderr


def test_old_folders_are_removed_and_others_left_alone(tmp_path: Path) -> None:
    old, new = kept(tmp_path, "0a", UNUSED_DAYS + 1), kept(tmp_path, "0b", UNUSED_DAYS - 1)
    foreign, held = kept(tmp_path, "notes", 1000), kept(tmp_path, "0c")
    use(held)
    os.utime(held, (0, 0))
    assert prune(tmp_path) == [old]
    assert not old.exists() and new.exists() and foreign.exists() and held.exists()
    assert prune(tmp_path / "none") == []


def test_a_folder_that_another_process_uses_stays(tmp_path: Path) -> None:
    folder = kept(tmp_path, "0a")
    code = "import sys; from pathlib import Path; from specsia_build.folders import use; use(Path(sys.argv[1])); "
    code += "print('used', flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code, str(folder)], text=True, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout.readline() == "used\n"
        os.utime(folder, (0, 0))
        assert prune(tmp_path) == []
        process.stdin.close()
    assert prune(tmp_path) == [folder]
