"""Settings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from specsia_build.config import BuildConfig, read_run_settings, read_settings, with_settings, write_settings
from specsia_build.errors import UsageError


def test_workers_count_whatever_the_system_tells_about_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    assert BuildConfig(workers=3).worker_count() == 3
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert BuildConfig(workers=3).worker_count() == 3
    assert BuildConfig().worker_count() == 5


@pytest.mark.parametrize(("share", "of", "may"), [("4.6%", 1500, 69), ("16.4%", 15000, 2460), ("1%", 99, 1)])
def test_a_share_of_characters_is_exact(share: str, of: int, may: int) -> None:
    assert BuildConfig(max_failures=share).allowed_failures(of) == may


@pytest.mark.parametrize("text", ["views: 4\nsize: 64\nviews: 5\n", "clips:\n  frames: 4\n  frames: 5\n"])
def test_a_setting_that_is_there_twice_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(UsageError, match=r"' is there twice: keep one"):
        read_settings(tmp_path / "c.yaml")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"veiws": 4}, r"^c: there is no setting 'veiws'; .* Did you mean 'views'\?$"),
        ({"memory": 2048}, "^memory cannot be '2048': give a size from 256 MB to 16 TB, such as '2 GB'$"),
    ],
)
def test_what_is_no_setting_says_what_would_be_one(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        with_settings(BuildConfig(), settings, "c")


def test_settings_of_a_run_come_back_and_are_refused_if_they_are_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    config = with_settings(BuildConfig(), {"clips": {"fps": 8}, "shard": "1/2"}, "here")
    write_settings(config, path)
    assert with_settings(BuildConfig(), read_run_settings(path), "there") == config
    whole = path.read_bytes()
    for length in range(0, len(whole) - 1, 5):
        path.write_bytes(whole[:length])
        with pytest.raises(UsageError):
            with_settings(BuildConfig(), read_run_settings(path), "there")
