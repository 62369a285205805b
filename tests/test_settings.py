"""Settings, home folders and caches, replacing files, and text from data."""

import os
import pwd
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specsia_build.config import BuildConfig, read_settings, with_settings, write_settings
from specsia_build.errors import UsageError, argument, printable, spelled
from specsia_build.folders import (
    UNUSED_DAYS,
    expanded,
    home,
    homed,
    is_vacant,
    listed_below,
    refuse_foreign_file,
    refuse_foreign_folder,
    remove_empty,
    use,
    user_cache,
)
from tests.commands import specsia


def test_workers_of_any_system(monkeypatch: pytest.MonkeyPatch) -> None:
    assert BuildConfig(workers=3).worker_count() == 3
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert BuildConfig(workers=3).worker_count() == 3
    assert BuildConfig().worker_count() == 5


@pytest.mark.parametrize(("share", "of", "may"), [("4.6%", 1500, 69), ("16.4%", 15000, 2460), ("1%", 99, 1)])
def test_exact_share_of_characters(share: str, of: int, may: int) -> None:
    assert BuildConfig(max_failures=share).allowed_failures(of) == may


def test_invalid_or_repeated_settings(tmp_path: Path) -> None:
    for text in ("views: 4\nsize: 64\nviews: 5\n", "clips:\n  frames: 4\n  frames: 5\n"):
        (tmp_path / "c.yaml").write_text(text)
        with pytest.raises(UsageError, match="twice"):
            read_settings(tmp_path / "c.yaml")
    for settings, word in (({"veiws": 4}, "'views'"), ({"memory": 2048}, "'2 GB'")):
        with pytest.raises(UsageError, match=word):
            with_settings(BuildConfig(), settings, "c")


def test_settings_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    config = with_settings(BuildConfig(), {"clips": {"fps": 8}, "shard": "1/2"}, "here")
    write_settings(config, path)
    assert with_settings(BuildConfig(), read_settings(path), "there") == config


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user that the system does not know: a container may run as any number."""

    def unknown(_: object) -> SimpleNamespace:
        raise KeyError

    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


def test_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/her")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert home() == Path("/home/her")
    assert user_cache() == Path("/home/her/.cache/specsia")
    assert expanded("~/figures") == Path("/home/her/figures")
    assert expanded("./~/figures") == Path("~/figures")
    assert expanded("~no-such-user/figures") == Path("~no-such-user/figures")


@pytest.mark.usefixtures("nobody")
def test_user_without_home() -> None:
    assert not home().is_dir()
    assert homed() == {**os.environ, "HOME": str(home())}
    assert user_cache().is_absolute()
    with pytest.raises(NotADirectoryError):
        user_cache().mkdir(parents=True)


@pytest.mark.usefixtures("nobody")
@pytest.mark.parametrize("command", ["characters ~x/hero.glb", "clips sample:1 --motion ~x/a.bvh --out o"])
def test_unknown_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.chdir(tmp_path)
    result = specsia(*command.split(), code=None)
    assert result.exit_code in (1, 2) and "fault of specsia" not in result.stderr
    assert "~x" in result.stderr and len(result.stderr.strip().splitlines()) <= 3


def compiled_at(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Where a process keeps compiled code, or the error line of the command."""
    argv = ["specsia", "build", "sample:1", "--size", "32", "--out", f"{environment['TMPDIR']}/run"]
    code = f"from specsia_build.cli import main; import sys; sys.argv = {argv}; main()"
    code = (
        "from specsia_build.jit import cache_folder; print(cache_folder())" if "ASK" in environment else code
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": "", **environment}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


def test_private_temporary_folder(tmp_path: Path) -> None:
    environment = {"XDG_CACHE_HOME": "/proc/none", "TMPDIR": str(tmp_path), "ASK": ""}
    first, second = (Path(compiled_at(environment).stdout.strip()) for _ in range(2))
    assert first == second and first.is_dir()
    shared = tmp_path / f"specsia-compiled-{os.getuid()}"
    assert first.parent == shared and list(tmp_path.iterdir()) == [shared]
    assert shared.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("kind", ["open", "link"])
def test_shared_folder_is_refused(tmp_path: Path, kind: str) -> None:
    planted = tmp_path / f"specsia-compiled-{os.getuid()}"
    if kind == "open":
        planted.mkdir()
        planted.chmod(0o777)
    else:
        (tmp_path / "theirs").mkdir(mode=0o700)
        planted.symlink_to(tmp_path / "theirs")
    ran = compiled_at({"XDG_CACHE_HOME": "/proc/none", "TMPDIR": str(tmp_path)})
    assert ran.returncode == 1 and "Traceback" not in ran.stderr
    assert "set TMPDIR" in ran.stderr


def kept(cache: Path, name: str, days: float = 0.0) -> Path:
    folder = cache / name
    folder.mkdir(parents=True)
    (folder / "file").touch()
    then = time.time() - days * 86400
    os.utime(folder, (then, then))
    return folder


def test_old_folders_are_removed(tmp_path: Path) -> None:
    old, new = kept(tmp_path, "0a", UNUSED_DAYS + 1), kept(tmp_path, "0b", UNUSED_DAYS - 1)
    foreign, used = kept(tmp_path, "notes", 1000), kept(tmp_path, "0c", 1000)
    use(used)
    assert not old.exists() and new.exists() and foreign.exists() and used.exists()
    use(tmp_path / "none" / "0")


def test_vacant_folder(tmp_path: Path) -> None:
    assert is_vacant(tmp_path / "none")
    assert is_vacant(tmp_path)
    for name in (".0123456789abcdef.tmp", ".DS_Store"):
        (tmp_path / name).write_text("")
    assert is_vacant(tmp_path)
    (tmp_path / "a").write_text("")
    assert not is_vacant(tmp_path)
    with pytest.raises(UsageError, match="folder"):
        is_vacant(tmp_path / "a")


def test_unmarked_folder_is_refused(tmp_path: Path) -> None:
    refuse_foreign_folder(tmp_path / "none", "training", "run.json")
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(UsageError, match="--out"):
        refuse_foreign_folder(tmp_path, "training", "run.json")
    (tmp_path / "run.json").write_text("{}")
    refuse_foreign_folder(tmp_path, "training", "run.json")


def test_own_files_are_replaced(tmp_path: Path) -> None:
    path, ours = tmp_path / "page.html", ("report of specsia", b"<title>specsia: ")
    refuse_foreign_file(path, *ours)
    for content in (b"", b"<html><title>specsia: x"):
        path.write_bytes(content)
        refuse_foreign_file(path, *ours)
    path.write_text("<html>my own page")
    for foreign in (path, tmp_path):
        with pytest.raises(UsageError):
            refuse_foreign_file(foreign, *ours)


def test_listing_does_not_follow_links(tmp_path: Path) -> None:
    (tmp_path / "top" / "a" / "b").mkdir(parents=True)
    (tmp_path / "top" / "c").mkdir()
    (tmp_path / "top" / "c" / "file").write_text("")
    (tmp_path / "top" / "link").symlink_to(tmp_path)
    assert listed_below(tmp_path / "top") == ["a/b", "c/file", "link"]
    assert listed_below(tmp_path / "none") == []
    remove_empty(tmp_path / "top")
    assert listed_below(tmp_path / "top") == ["c/file", "link"]


@given(st.text(st.characters()))
def test_printable_text(text: str) -> None:
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    assert "\x1b" not in shown
    shown.encode()


def test_nameless_folder_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    wanted = (tmp_path / "a" / "b", tmp_path / "a" / "b", tmp_path / "a", tmp_path)
    assert [spelled(name) for name in (".", "./", "..", "../..")] == [*map(str, wanted)]
    for name in ("run", "../run", "run/", "/", "s3://bucket/..", "OWNER/NAME"):
        assert spelled(name) == name
    assert spelled(Path("run")) == "run"


def test_names_that_begin_with_a_dash() -> None:
    for name, shown in (("a run", "'a run'"), ("-run", "./-run"), ("--json", "./--json"), ("a-b", "a-b")):
        assert argument(name) == argument(Path(name)) == shown
