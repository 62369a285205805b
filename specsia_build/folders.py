"""Folders of the user, the package and caches; checks that no command replaces or removes others' files."""

import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from specsia_build.errors import SpecsiaError, UsageError, spelled
from specsia_build.files.names import DESKTOP, is_temporary
from specsia_build.files.writing import require_writable, writing

UNUSED_DAYS = 30  # Days after which an unused folder of a cache is removed
RUN_MARK = "specsia-run.json"  # In the folder of a run
_LOOKED_AT = 4096  # Bytes of a file's beginning, and of its end


def home() -> Path:
    """The user's home folder; `os.devnull`, below which nothing can be created, for a user without one."""
    # Path.home raises an error for them: containers run as numbers that the system does not know.
    path = os.path.expanduser("~")  # noqa: PTH111
    return Path(path if os.path.isabs(path) else os.devnull)  # noqa: PTH117


def homed() -> dict[str, str]:
    """This process's environment with `HOME` set, without which Blender crashes, among others."""
    return {"HOME": str(home()), **os.environ}


def expanded(path: str) -> Path:
    """Expand ``~`` in a path that a user gave; it stays if there is no such user."""
    return Path(os.path.expanduser(path))  # noqa: PTH111


def caches_home() -> Path:
    """Folder of the user's caches: `XDG_CACHE_HOME`, else ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or home() / ".cache")


def user_cache() -> Path:
    """Folder of this package's caches."""
    return caches_home() / "specsia"


def shipped(name: str) -> Path:
    """A folder of the package, ``manifests`` or ``blender_scripts``: in it or, in a checkout, beside it."""
    package = Path(__file__).resolve().parent
    return package / name if (package / name).is_dir() else package.parent / name


def private_path(name: str) -> Path:
    """Path of a `private_folder`, which need not exist."""
    return Path(tempfile.gettempdir()) / f"{name}-{os.getuid()}"


def private_folder(name: str) -> Path:
    """Create a temporary folder shared by all of this user's processes; check that nobody else may enter."""
    path = private_path(name)
    with writing(path):
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        reason = "can be entered by other users, so it is not used"
        raise SpecsiaError(f"{path} {reason}: remove it, or set TMPDIR")
    return path


def use(folder: Path) -> None:
    """Mark a cache's folder as used, and remove those with hexadecimal names unused for `UNUSED_DAYS`."""
    oldest = time.time() - UNUSED_DAYS * 86400
    # A cache may lie on a read-only disk.
    with suppress(OSError):
        os.utime(folder)
        for path in folder.parent.iterdir():
            if set(path.name) <= set("0123456789abcdef") and path.is_dir() and path.stat().st_mtime < oldest:
                shutil.rmtree(path, ignore_errors=True)


def is_vacant(folder: Path) -> bool:
    """Whether a folder is missing, or holds at most leftovers; raises UsageError if it is not a folder."""
    try:
        return all(is_temporary(path.name) or path.name in DESKTOP for path in folder.iterdir())
    except FileNotFoundError:
        return True
    except NotADirectoryError as error:
        raise UsageError(f"{folder} is not a folder: name another --out") from error
    except OSError as error:
        raise UsageError(f"{spelled(folder)} cannot be read: {error.strerror or error}") from error


def require_vacant(folder: Path) -> None:
    """Raise UsageError unless an `--out` is missing or holds at most leftovers, and can be written."""
    if not is_vacant(folder):
        raise UsageError(f"{spelled(folder)} is not empty: name another --out")
    require_writable(folder)


def refuse_foreign_folder(folder: Path, what: str, *marks: str) -> None:
    """Raise UsageError if an `--out` is not vacant and has none of the `marks`; `what` is to be written."""
    if not is_vacant(folder) and not any((folder / mark).is_file() for mark in marks):
        problem = f"{spelled(folder)} is not empty and holds no {what}"
        raise UsageError(f"{problem}: name another --out, a new folder in it for instance")


def bears(path: Path, words: bytes) -> bool:
    """Whether a file exists whose first or last `_LOOKED_AT` bytes contain some words."""
    with suppress(OSError):
        if path.is_file():
            with path.open("rb") as stream:
                beginning = stream.read(_LOOKED_AT)
                stream.seek(max(0, path.stat().st_size - _LOOKED_AT))
                return words in beginning or words in stream.read(_LOOKED_AT)
    return False


def refuse_foreign_file(path: Path, what: str, words: bytes | None) -> None:
    """Raise UsageError if a file is not empty and not a `what`, which `bears` these `words`.

    Also checks that its folder can be written.
    """
    in_the_way = next((above for above in path.parents if above.is_file()), None)
    if in_the_way is not None:
        raise UsageError(f"{path} cannot be written: {in_the_way} is not a folder; name another file")
    empty = path.is_file() and path.stat().st_size == 0
    if os.path.lexists(path) and not empty and (words is None or not bears(path, words)):
        raise UsageError(f"{path} already exists and is not a {what}: name another file")
    require_writable(path)


def listed_below(folder: Path) -> list[str]:
    """Sorted relative names of the files, links and empty folders below a folder; links are not followed."""

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise SpecsiaError(f"{error.filename} cannot be read: {error.strerror}")

    names = []
    for parent, folders, files in os.walk(folder, onerror=refuse):
        above = Path(parent).relative_to(folder)
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        names += [(above / name).as_posix() for name in (*files, *links)]
        if not folders and not files and above != Path():
            names.append(above.as_posix())
    return sorted(names)


def remove_empty(folder: Path) -> None:
    """Remove the empty folders below a folder, and itself if nothing is left; links stay."""
    for parent, _, _ in os.walk(folder, topdown=False):
        path = Path(parent)
        if not path.is_symlink() and not any(path.iterdir()):
            path.rmdir()
