"""The time that deadlines of other processes are judged by."""

from __future__ import annotations

import math
import time

LOOK_SECONDS = 1.0
"""How long who waits for a deadline may go without a look at the clock."""

_LATE_SECONDS = 2.0
"""By how much later a look is where this process was stopped."""


class Clock:
    """Seconds that pass while this process runs, without those in which it was stopped, by Ctrl-Z say."""

    def __init__(self) -> None:
        self._looked, self._stopped = time.monotonic(), 0.0

    def now(self) -> float:
        """Seconds since some moment; of two looks that lie far apart, `LOOK_SECONDS` have passed."""
        before, self._looked = self._looked, time.monotonic()
        late = self._looked - before - LOOK_SECONDS
        self._stopped += late if late > _LATE_SECONDS else 0.0
        return self._looked - self._stopped

    def left(self, deadline: float) -> float:
        """Seconds to wait before the next look, none where a deadline by this clock is over; it may be infinite."""
        return LOOK_SECONDS if deadline == math.inf else min(max(0.0, deadline - self.now()), LOOK_SECONDS)
