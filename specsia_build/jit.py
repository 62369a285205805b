"""The one way in which this package compiles: numba without the interpreter lock, cached per state of the sources.

numba keys its cache by the file of the compiled function alone, so that a change in a function it calls, in another
file, would go unnoticed. Here the cache lies in a folder named after a digest of all sources that are compiled.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.core.caching import FunctionCache
from numpy.typing import DTypeLike, NDArray

from specsia_build.caches import private_folder, prune, use
from specsia_build.files.trouble import cannot_write
from specsia_build.files.writing import writing

CACHE_NAME = "specsia-compiled"

MOST_KEPT = 16
"""States of the sources whose compiled code is kept, some 60 MB each."""


def _sources_digest() -> str:
    top = Path(__file__).parent
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted(top.rglob("*.py")):
        source = path.read_bytes()
        if b"specsia_build.jit" in source or top / "rendering" in path.parents:
            digest.update(path.relative_to(top).as_posix().encode() + source)
    return digest.hexdigest()[:16]


def _cache_folder() -> Path:
    """A folder that can be written: of the user's own cache, or of a private one in the temporary folder."""
    stated = os.environ.get("NUMBA_CACHE_DIR")
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    cache, digest = Path(stated or home) / CACHE_NAME, _sources_digest()
    # A home that cannot be written is no reason to fail.
    with suppress(OSError):
        (cache / digest).mkdir(parents=True, exist_ok=True)
    if not os.access(cache / digest, os.W_OK):
        cache = private_folder(CACHE_NAME)
        with writing(cache):
            (cache / digest).mkdir(exist_ok=True)
    use(cache / digest)
    prune(cache, MOST_KEPT)
    return cache / digest


CACHE = _cache_folder()
"""Where compiled code of these sources is kept."""

setattr(numba.config, "CACHE_DIR", str(CACHE))  # noqa: B010  it has no type


class _Kept(FunctionCache):
    """numba's cache of a function, which says in a sentence where nothing can be kept."""

    def save_overload(self, sig: Any, data: Any) -> None:
        with writing(Path(self.cache_path)):
            super().save_overload(sig, data)


def _keeping(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator of compiled functions that are kept in `CACHE`."""

    def decorate(function: Callable[..., Any]) -> Any:
        made: Any = numba.njit(nogil=True, error_model="numpy", **options)(function)
        try:
            made._cache = _Kept(function)
        except RuntimeError as error:
            # numba found no place for it.
            raise cannot_write(CACHE, OSError(errno.ENOSPC, "No space left on device")) from error
        return made

    return decorate


compiled: Any = _keeping()
"""Decorator of a compiled function."""

# numba does not document `_nrt`: without it, its runtime for arrays is left out.
uncounted: Any = _keeping(_nrt=False)
"""Decorator of a compiled function that makes no array: to count references costs more than a short loop does."""

inlined: Any = _keeping(forceinline=True, _nrt=False)
"""Decorator of an `uncounted` function that becomes part of its callers."""


def ready(array: NDArray[Any], dtype: DTypeLike | None = None) -> NDArray[Any]:
    """The array contiguous and writable, copied where it is not: a read-only one would be compiled for once more."""
    flags = array.flags
    # numpy takes ten times as long to see that there is nothing to do.
    if flags.c_contiguous and flags.writeable and (dtype is None or array.dtype == dtype):
        return array
    return np.require(array, dtype, ["C_CONTIGUOUS", "WRITEABLE"])
