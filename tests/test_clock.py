"""Time that a process was stopped for is no time of what it waits for."""

from __future__ import annotations

import math
import time

import pytest

from specsia_build.clock import LOOK_SECONDS, Clock


def test_time_in_which_the_process_was_stopped_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    at = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: at[0])
    clock = Clock()
    deadline = clock.now() + 5.0
    at[0] += 2.0
    assert clock.now() == deadline - 3.0
    at[0] += 900.0
    assert clock.now() == deadline - 3.0 + LOOK_SECONDS
    assert clock.left(deadline) == LOOK_SECONDS
    at[0] += 1.5
    assert clock.left(deadline) == 0.5
    at[0] += 2.0
    assert clock.left(deadline) == 0.0
    assert clock.left(math.inf) == LOOK_SECONDS
