"""Folders of the page's visitors: one for each, removed when the visitor leaves or the server ends."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from specsia_build.errors import SpecsiaError
from specsia_build.files.names import file_name
from specsia_build.files.writing import remove_tree, writing
from specsia_build.repairing.files import is_drawing

EXAMPLES = "examples"  # Folder of a server's examples, which are every visitor's
_PREFIX = "specsia-web-"
_LOCK = "lock"  # File of a server's folder that it keeps locked while it runs


@contextmanager
def server_folder() -> Iterator[Path]:
    """A temporary folder for all of a server's files; removes those of servers that were killed, too."""
    for left in killed_servers():
        remove_tree(left)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    try:
        with FileLock(folder / _LOCK):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def killed_servers() -> list[Path]:
    """Folders of this user's servers that no longer run."""
    return sorted(filter(_is_left, Path(tempfile.gettempdir()).glob(f"{_PREFIX}*")))


def _is_left(folder: Path) -> bool:
    if folder.is_symlink() or not (folder / _LOCK).is_file():
        return False
    try:
        with FileLock(folder / _LOCK, timeout=0):
            return True
    except (Timeout, OSError):
        return False


@dataclass(frozen=True)
class Visitors:
    """The files of a server's visitors, by session."""

    server: Path
    uploads: dict[str, set[Path]] = field(default_factory=dict)  # Uploaded files that a session has used

    def new_job(self, session: str) -> Path:
        """Make a folder for a job of a session."""
        folder = self._folder(session) / uuid.uuid4().hex
        with writing(folder):
            folder.mkdir(parents=True)
        return folder

    def keep(self, session: str, uploaded: str, target: Path) -> Path:
        """Link an uploaded file, or an example, as `target` with its own ending.

        Raises `SpecsiaError` if it is no picture, or no longer there.
        """
        path = Path(uploaded)
        if not is_drawing(path):
            raise SpecsiaError(f"{path.name} is missing or not a picture: drop it again, as PNG or JPEG")
        if not path.is_relative_to(self.server / EXAMPLES):
            self.uploads.setdefault(session, set()).add(path)
        kept = target.with_suffix(path.suffix.lower())
        kept.hardlink_to(path)
        return kept

    def leave(self, session: str) -> None:
        """Remove what a session sent and what was made of it."""
        # Gradio keeps one file of what several visitors send.
        sent = self.uploads.pop(session, set())
        for uploaded in sent.difference(*self.uploads.values()):
            uploaded.unlink(missing_ok=True)
        shutil.rmtree(self._folder(session), ignore_errors=True)

    def _folder(self, session: str) -> Path:
        return self.server / "sessions" / file_name(session, "session")
