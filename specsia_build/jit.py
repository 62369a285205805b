"""The one way in which this package compiles: numba without the interpreter lock, cached per state of the sources.

numba keys its cache by the file of the compiled function alone, so that a change in a function it calls, in another
file, would go unnoticed. Here the cache lies in a folder named after a digest of all sources that are compiled.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import DTypeLike, NDArray


def _sources_digest() -> str:
    top = Path(__file__).parent
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted(top.rglob("*.py")):
        source = path.read_bytes()
        if b"specsia_build.jit" in source or path.parent.name == "rendering":
            digest.update(path.relative_to(top).as_posix().encode() + source)
    return digest.hexdigest()[:16]


def _cache_folder() -> Path:
    """A folder that can be written: the user's own cache, or a private one of the temporary folder."""
    stated = os.environ.get("NUMBA_CACHE_DIR")
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(stated or home) / "specsia-compiled" / _sources_digest()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        # A read-only home is no reason to fail: the folder below serves for as long as this process.
        pass
    return Path(tempfile.mkdtemp(prefix="specsia-compiled-"))


CACHE = _cache_folder()
"""Where compiled code of these sources is kept."""

setattr(numba.config, "CACHE_DIR", str(CACHE))  # noqa: B010  it has no type

compiled: Any = numba.njit(cache=True, nogil=True, error_model="numpy")
"""Decorator of a compiled function."""

# numba does not document `_nrt`: without it, its runtime for arrays is left out.
uncounted: Any = numba.njit(cache=True, nogil=True, error_model="numpy", _nrt=False)  # type: ignore[call-overload]
"""Decorator of a compiled function that makes no array: to count references costs more than a short loop does."""

inlined: Any = numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True, _nrt=False)  # type: ignore[call-overload]
"""Decorator of an `uncounted` function that becomes part of its callers."""


def ready(array: NDArray[Any], dtype: DTypeLike | None = None) -> NDArray[Any]:
    """The array contiguous and writable, copied where it is not: a read-only one would be compiled for once more."""
    return np.require(array, dtype, ["C_CONTIGUOUS", "WRITEABLE"])
