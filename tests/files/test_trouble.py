"""What cannot be written, in sentences."""

from __future__ import annotations

import errno

from specsia_build.errors import CharacterError
from specsia_build.files.trouble import write_trouble


def test_a_full_disk_is_found_behind_other_errors() -> None:
    error = CharacterError("it cannot be read")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert "the disk is full, so " in str(write_trouble(error))
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device", "/x/y")
    assert "the disk is full, so /x/y could not" in str(write_trouble(error))
    assert write_trouble(CharacterError("x")) is None
    assert write_trouble(FileNotFoundError(errno.ENOENT, "x")) is None
