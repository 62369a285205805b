"""Compiled: pieces of lines drawn as strokes of even width, anti-aliased."""

from __future__ import annotations

import numpy as np

from specsia_build.jit import uncounted


@uncounted
def ink(places, width, out):  # type: ignore[no-untyped-def]
    """Darken `out` (H, W) uint8 under pieces (P, 2, 2) in pixels, round at their ends.

    A pixel is as dark as the nearest piece makes it: lines that meet or lie on each other are no darker than one.
    """
    reach = 0.5 * width + 0.5
    for p in range(len(places)):
        x0, y0 = np.float64(places[p, 0, 0]), np.float64(places[p, 0, 1])
        dx, dy = places[p, 1, 0] - x0, places[p, 1, 1] - y0
        squared = dx * dx + dy * dy
        top = max(0, int(np.floor(min(y0, y0 + dy) - reach)))
        bottom = min(out.shape[0] - 1, int(np.floor(max(y0, y0 + dy) + reach)))
        for row in range(top, bottom + 1):
            y = row + 0.5 - y0
            # The columns beside the part of the piece that is near this row.
            low, high = 0.0, 1.0
            if dy > 0:
                low, high = max(low, (y - reach) / dy), min(high, (y + reach) / dy)
            elif dy < 0:
                low, high = max(low, (y + reach) / dy), min(high, (y - reach) / dy)
            xa, xb = x0 + low * dx, x0 + high * dx
            left = max(0, int(np.floor(min(xa, xb) - reach)))
            right = min(out.shape[1] - 1, int(np.floor(max(xa, xb) + reach)))
            for column in range(left, right + 1):
                x = column + 0.5 - x0
                t = min(1.0, max(0.0, (x * dx + y * dy) / squared)) if squared > 0 else 0.0
                u, v = x - t * dx, y - t * dy
                away = u * u + v * v
                if away < reach * reach:
                    level = np.uint8(255 * (1 - min(1.0, reach - np.sqrt(away))) + 0.5)
                    out[row, column] = min(out[row, column], level)
