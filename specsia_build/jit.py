"""The one way in which this package compiles: numba without the interpreter lock, cached per state of the sources.

numba keys its cache by the file of a function alone and misses changes of what it calls. Here the cache lies in a
folder named after a digest of all sources that are compiled, of this installation. numba itself is imported when the
first function is needed: a command that draws nothing starts without it.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial, update_wrapper
from importlib.metadata import version
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from specsia_build.caches import private_folder, prune, use
from specsia_build.files.trouble import cannot_write
from specsia_build.files.writing import writing
from specsia_build.folders import caches_home

CACHE_NAME = "specsia-compiled"

MOST_KEPT = 16
"""Installations and states of their sources whose compiled code is kept, some 60 MB each."""


def sources_digest(top: Path) -> str:
    """What changes wherever numba would not take what it has kept: with a source, its place and its time of change.

    Args:
        top: folder of the package.
    """
    digest = hashlib.sha256(f"{version('numba')} {top}".encode())
    for path in sorted(map(str, top.rglob("*.py"))):
        source, name = Path(path).read_bytes(), path[len(f"{top}/") :]
        if b"specsia_build.jit" in source or name.startswith("rendering/"):
            digest.update(f"{name} {Path(path).stat().st_mtime_ns} ".encode() + source)
    return digest.hexdigest()[:16]


@cache
def cache_folder() -> Path:
    """Where compiled code of these sources is kept: below the user's own cache, or in a private folder.

    Raises:
        SpecsiaError: if there is no place.
    """
    stated = os.environ.get("NUMBA_CACHE_DIR")
    cache, digest = Path(stated or caches_home()) / CACHE_NAME, sources_digest(Path(__file__).parent)
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


_MAKING = RLock()
"""Held by the thread that makes what numba knows of a function: there is one of each."""


class Later:
    """A function that numba is told of when it is called, or when one that calls it is compiled.

    Most are only called by others, and to compile what takes a call from Python costs as much as a short function does:
    numba has one of each kind.
    """

    def __init__(self, make: Callable[[bool], Any], function: Callable[..., Any]) -> None:
        self._make, self._made, self._inner = make, None, None
        update_wrapper(self, function)

    def __call__(self, *arguments: Any) -> Any:
        return (self._made or self.made)(*arguments)

    @property
    def made(self) -> Any:
        """What numba makes of it for calls from Python, now if need be."""
        with _MAKING:
            self._made = self._made or self._make(False)
            return self._made

    @property
    def inner(self) -> Any:
        """What numba makes of it for calls from compiled functions alone, now if need be."""
        with _MAKING:
            self._inner = self._inner or self._make(True)
            return self._inner

    @property
    def _numba_type_(self) -> Any:
        """The type that numba asks for of values that it does not know."""
        from numba.core.registry import cpu_target

        return cpu_target.typing_context.resolve_value_type(self.inner)


@cache
def _keeper() -> Any:
    from numba.core.caching import FunctionCache

    class Keeper(FunctionCache):
        """numba's cache, apart for calls from compiled functions alone (`inner`); errors as sentences."""

        def __init__(self, function: Callable[..., Any], inner: bool) -> None:
            super().__init__(function)
            self._inner = inner

        def _index_key(self, sig: Any, codegen: Any) -> Any:
            return (*super()._index_key(sig, codegen), self._inner)

        def save_overload(self, sig: Any, data: Any) -> None:
            with writing(Path(self.cache_path)):
                super().save_overload(sig, data)

    return Keeper


def _compiled(function: Callable[..., Any], options: dict[str, Any], inner: bool) -> Any:
    """A function that is compiled when it is called, and kept in `cache_folder`."""
    import numba

    setattr(numba.config, "CACHE_DIR", str(cache_folder()))  # noqa: B010  it has no type
    stated: dict[str, Any] = {**options, "no_cfunc_wrapper": True, "no_cpython_wrapper": inner}
    made: Any = numba.njit(nogil=True, error_model="numpy", **stated)(function)
    try:
        made._cache = _keeper()(function, inner)
    except RuntimeError as error:
        # numba found no place for it.
        raise cannot_write(cache_folder(), OSError(errno.ENOSPC, "No space left on device")) from error
    return made


def _keeping(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator of functions that are compiled when they are called, and kept in `cache_folder`."""
    return lambda function: Later(partial(_compiled, function, options), function)


compiled: Any = _keeping()
"""Decorator of a compiled function."""

# numba does not document `_nrt`: without it, its runtime for arrays is left out.
uncounted: Any = _keeping(_nrt=False)
"""Decorator of a compiled function that makes no array: to count references costs more than a short loop does."""

inlined: Any = _keeping(forceinline=True, _nrt=False)
"""Decorator of an `uncounted` function that becomes part of its callers."""


class _Types:
    """The module `numba.types`, imported when one of its names is asked for."""

    def __getattr__(self, name: str) -> Any:
        from numba import types

        return getattr(types, name)


types: Any = _Types()


def intrinsic(function: Callable[..., Any]) -> Any:
    """Decorator of what writes a compiled function's instructions itself; see `numba.extending.intrinsic`."""
    return Later(lambda _: _extending(function), function)


def _extending(function: Callable[..., Any]) -> Any:
    from numba.core.registry import cpu_target
    from numba.extending import intrinsic as extending

    made: Any = extending(function)
    # A function that calls it is being compiled, by what was known before.
    cpu_target.typing_context.refresh()
    return made


def ready(array: NDArray[Any], dtype: DTypeLike | None = None) -> NDArray[Any]:
    """The array contiguous and writable, copied where it is not: a read-only one would be compiled for once more."""
    flags = array.flags
    # numpy takes ten times as long to see that there is nothing to do.
    if flags.c_contiguous and flags.writeable and (dtype is None or array.dtype == dtype):
        return array
    return np.require(array, dtype, ["C_CONTIGUOUS", "WRITEABLE"])
