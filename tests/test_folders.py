"""Home folders, of users that there are and of those that the system does not know."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from specsia_build.cli import main
from specsia_build.folders import expanded, home, homed, user_cache


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
def test_a_path_of_a_user_that_there_is_not_is_said_not_to_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(main, arguments)
    assert found.exit_code in (1, 2)
    assert "~x" in found.stderr
    assert "fault of specsia" not in found.stderr
    assert len(found.stderr.strip().splitlines()) <= 3
