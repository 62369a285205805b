"""KTX2 textures: what Basis Universal's encoder wrote, and what is no such thing."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from specsia_build import memory
from specsia_build.characters.images import load_texture
from specsia_build.errors import CharacterError, CostError

UASTC = base64.b64decode(
    "q0tUWCAyMLsNChoKAAAAAAEAAAAQAAAAEAAAAAAAAAAAAAAAAQAAAAEAAAAAAAAAaAAAACwAAACUAAAALAAAAAAAAAAAAAAAAAAAAAAA"
    "AADAAAAAAAAAAAABAAAAAAAAAAEAAAAAAAAsAAAAAAAAAAIAKACmAQIAAwMAABAAAAAAAAAAAAB/AAAAAAAAAAAA/////x8AAABLVFh3"
    "cml0ZXIAQmFzaXMgVW5pdmVyc2FsIDIuMTAAAAQAAAB/fwAAlxuZ5//iOgEAAAAAAAAAAJcbmef/4joBAAAAAAAAAAAXBZnnPx22AAAA"
    "AAAAAAAAFwWZ5z8dtgAAAAAAAAAAAJcbmef/4joBAAAAAAAAAACXG5nn/+I6AQAAAAAAAAAAFwWZ5z8dtgAAAAAAAAAAABcFmec/HbYA"
    "AAAAAAAAAACX24Pnf9TjAAAAAAAAAAAAl9uD53/U4wAAAAAAAAAAABfFg+d/JOMAAAAAAAAAAAAXxYPnfyTjAAAAAAAAAAAAl9uD53/U"
    "4wAAAAAAAAAAAJfbg+d/1OMAAAAAAAAAAAAXxYPnfyTjAAAAAAAAAAAAF8WD538k4wAAAAAAAAAAAA=="
)
"""16 x 16 texels in four squares: red changes from left to right, green from top to bottom."""


def test_what_basis_universal_wrote_is_decoded() -> None:
    pixels = load_texture(UASTC, "skin")
    assert pixels.dtype == np.uint8
    y, x = np.indices((16, 16))
    expected = np.stack([np.where(x < 8, 220, 40), np.where(y < 8, 200, 30), 0 * x + 60, 0 * x + 255], axis=-1)
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("data", [UASTC[:60], UASTC[:300], UASTC[:12]])
def test_what_cannot_be_decoded_says_how_to_export_it(data: bytes) -> None:
    with pytest.raises(CharacterError, match=r"^skin "):
        load_texture(data, "skin")


def test_a_header_that_promises_more_than_may_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    huge = UASTC[:20] + (60_000).to_bytes(4, "little") * 2 + UASTC[28:]
    with pytest.raises((CharacterError, CostError)):
        load_texture(huge, "skin")
    monkeypatch.setattr(memory, "_allowed", 500)
    with pytest.raises(CostError):
        load_texture(UASTC, "skin")
