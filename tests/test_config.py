"""Settings."""

from __future__ import annotations

import os

import pytest

from specsia_build.config import BuildConfig


def test_workers_count_whatever_the_system_tells_about_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    assert BuildConfig(workers=3).worker_count() == 3
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert BuildConfig(workers=3).worker_count() == 3
    assert BuildConfig().worker_count() == 5
