"""A process that was stopped for a while, as Ctrl-Z and schedulers do it, without waiting for it."""

from __future__ import annotations

import time

import pytest


def stop_after(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """From `seconds` on, have the monotonic clock say that a quarter of an hour more has passed."""
    real = time.monotonic
    begun = real()
    monkeypatch.setattr(time, "monotonic", lambda: real() + 900.0 * (real() > begun + seconds))
