"""Compilation by numba without the GIL, cached by a digest of all compiled sources of this installation.

numba's own cache looks at a function's file alone and misses changes of what it calls. numba is imported when
the first function is called, so that commands that draw nothing start without it.
"""

import errno
import gc
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial, update_wrapper
from importlib.metadata import version
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import DTypeLike, NDArray

from specsia_build.files.writing import cannot_write, writing
from specsia_build.folders import caches_home, private_folder, private_path, use

CACHE_NAME = "specsia-compiled"


def sources_digest(top: Path) -> str:
    """Digest of the compiled sources below the package's folder `top`, their paths and modification times."""
    digest = hashlib.sha256(f"{version('numba')} {top}".encode())
    for path in sorted(map(str, top.rglob("*.py"))):
        source, name = Path(path).read_bytes(), path[len(f"{top}/") :]
        # Compiled code holds the constants of `frame`.
        if b"specsia_build.jit" in source or name.startswith(("rendering/", "frame.py")):
            digest.update(f"{name} {Path(path).stat().st_mtime_ns} ".encode() + source)
    return digest.hexdigest()[:16]


def _preferred() -> Path:
    return Path(os.environ.get("NUMBA_CACHE_DIR") or caches_home()) / CACHE_NAME


def compiled_folders() -> list[Path]:
    """Folders that may hold compiled code of any version: the user's cache, and the private one."""
    return [_preferred(), private_path(CACHE_NAME)]


@cache
def cache_folder() -> Path:
    """Create the folder of compiled code in the user's cache, or a private one if that cannot be written."""
    cache, digest = _preferred(), sources_digest(Path(__file__).parent)
    # A home folder that cannot be written is not a reason to fail.
    with suppress(OSError):
        (cache / digest).mkdir(parents=True, exist_ok=True)
    if not os.access(cache / digest, os.W_OK):
        cache = private_folder(CACHE_NAME)
        with writing(cache):
            (cache / digest).mkdir(exist_ok=True)
    use(cache / digest)
    return cache / digest


_LONGEST_SECONDS = 60.0  # Longest wait for a function that another process compiles
_WRAPPER = "_ZN7cpython"  # How the names of functions that Python calls begin
_MAKING = RLock()  # Held while a dispatcher is created, so that there is one of each


class Later:
    """A function whose numba dispatcher is made when it is called, or when a caller of it is compiled.

    Most functions are only called by compiled ones; these get a dispatcher without the wrapper for Python,
    which would take as long to compile as a short function.
    """

    def __init__(self, make: Callable[[bool], Any], function: Callable[..., Any]) -> None:
        self._make = make
        self._dispatcher = self._inner = None
        update_wrapper(self, function)

    def __call__(self, *arguments: Any) -> Any:
        return (self._dispatcher or self.dispatcher)(*arguments)

    @property
    def dispatcher(self) -> Any:
        """Dispatcher for calls from Python."""
        with _MAKING:
            self._dispatcher = self._dispatcher or self._make(False)
            return self._dispatcher

    @property
    def inner(self) -> Any:
        """Dispatcher for calls from compiled functions only."""
        with _MAKING:
            self._inner = self._inner or self._make(True)
            return self._inner

    @property
    def _numba_type_(self) -> Any:
        """The type that numba looks up for values that it does not know."""
        from numba.core.registry import cpu_target

        return cpu_target.typing_context.resolve_value_type(self.inner)


@cache
def _keeper() -> Any:
    from numba.core.caching import FunctionCache

    class Keeper(FunctionCache):
        """numba's cache, with separate entries for `inner` dispatchers and `WriteError` for errors."""

        def __init__(self, function: Callable[..., Any], inner: bool) -> None:
            super().__init__(function)
            self._inner = inner

        def _index_key(self, sig: Any, codegen: Any) -> Any:
            return (*super()._index_key(sig, codegen), self._inner)

        def has(self, sig: Any, codegen: Any) -> bool:
            """Whether a function was saved for arguments of such types."""
            return self._index_key(sig, codegen) in self._cache_file._load_index()

        def save_overload(self, sig: Any, data: Any) -> None:
            with writing(Path(self.cache_path)):
                super().save_overload(sig, data)

    return Keeper


@cache
def _linked() -> Any:
    from numba.core.codegen import JITCodeLibrary

    class Linked(JITCodeLibrary):
        """numba's library of a function, optimised and turned into machine code only if Python calls it.

        Any other function is linked into its callers and optimised there; numba would do both.
        """

        def _is_called(self) -> bool:
            functions = (each for each in self._final_module.functions if not each.is_declaration)
            compiled = getattr(self, "_compiled_object", None) is not None
            return compiled or any(each.name.startswith(_WRAPPER) for each in functions)

        def _optimize_final_module(self) -> None:
            if self._is_called():
                super()._optimize_final_module()

        def _finalize_final_module(self) -> None:
            if self._is_called():
                super()._finalize_final_module()
            self._finalized = True

        def serialize_using_object_code(self) -> Any:
            if self._is_called():
                return super().serialize_using_object_code()
            return self.serialize_using_bitcode()

    return Linked


@contextmanager
def _linking(codegen: Any) -> Iterator[None]:
    """Use `Linked` libraries for what is compiled in the block; numba's own lock must be held."""
    if codegen._library_class is _linked():
        yield
        return
    set_env = codegen.set_env

    def set_environment(name: str, environment: Any) -> None:
        # A function without machine code has no place for it, and needs none.
        if codegen._engine.is_symbol_defined(name):
            set_env(name, environment)

    codegen._library_class, codegen.set_env = _linked(), set_environment
    try:
        yield
    finally:
        del codegen._library_class, codegen.set_env


def _compile_once(dispatcher: Any, compile_it: Callable[[Any], Any], lock: FileLock, signature: Any) -> Any:
    """Load a function for arguments of such types, or compile it; wait if another process compiles it."""
    from numba.core.compiler_lock import global_compiler_lock

    codegen = dispatcher.targetctx.codegen()
    # A thread that waits for another process waits as the only one that may compile, or two would be stuck.
    with global_compiler_lock, _linking(codegen):
        if dispatcher._cache.has(signature, codegen):
            return compile_it(signature)
        collecting = gc.isenabled()
        # Collecting garbage would take a fifth of the time.
        gc.disable()
        try:
            with writing(cache_folder()), suppress(Timeout):
                lock.acquire()
            return compile_it(signature)
        finally:
            lock.release()
            if collecting:
                gc.enable()


def _compiled(function: Callable[..., Any], options: dict[str, Any], inner: bool) -> Any:
    import numba

    setattr(numba.config, "CACHE_DIR", str(cache_folder()))  # noqa: B010  it has no type
    stated: dict[str, Any] = {**options, "no_cfunc_wrapper": True, "no_cpython_wrapper": inner}
    dispatcher: Any = numba.njit(nogil=True, error_model="numpy", **stated)(function)
    try:
        keeper = dispatcher._cache = _keeper()(function, inner)
    except RuntimeError as error:
        # numba found no place for it.
        raise cannot_write(cache_folder(), OSError(errno.ENOSPC, "No space left on device")) from error
    lock = FileLock(cache_folder() / f"{keeper._impl.filename_base}.lock", _LONGEST_SECONDS)
    dispatcher.compile = partial(_compile_once, dispatcher, dispatcher.compile, lock)
    return dispatcher


def _keeping(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    return lambda function: Later(partial(_compiled, function, options), function)


compiled: Any = _keeping()  # Decorator of a compiled function

# `_nrt` is undocumented: without it, numba leaves its runtime for arrays out.
uncounted: Any = _keeping(_nrt=False)
"""Decorator of a compiled function that creates no array: reference counts cost more than a short loop."""

inlined: Any = _keeping(forceinline=True, _nrt=False)
"""Decorator of an `uncounted` function that is inlined into its callers."""


class _Types:
    """`numba.types`, imported when one of its names is used."""

    def __getattr__(self, name: str) -> Any:
        from numba import types

        return getattr(types, name)


types: Any = _Types()


def intrinsic(function: Callable[..., Any]) -> Any:
    """Decorator like `numba.extending.intrinsic`, which imports numba later."""
    return Later(lambda _: _extending(function), function)


def _extending(function: Callable[..., Any]) -> Any:
    from numba.core.registry import cpu_target
    from numba.extending import intrinsic as extending

    decorated: Any = extending(function)
    # The function that calls it is being compiled with the types known before.
    cpu_target.typing_context.refresh()
    return decorated


def ready(array: NDArray[Any], dtype: DTypeLike | None = None) -> NDArray[Any]:
    """Return the array contiguous and writable, copied if needed: numba compiles again for read-only ones."""
    flags = array.flags
    # np.require takes ten times as long to find that nothing is to be done.
    if flags.c_contiguous and flags.writeable and (dtype is None or array.dtype == dtype):
        return array
    return np.require(array, dtype, ["C_CONTIGUOUS", "WRITEABLE"])
