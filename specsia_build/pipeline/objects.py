"""Where artefacts lie: files below the run's folder, or objects behind an fsspec URL, which are stored whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from glob import has_magic
from pathlib import Path
from typing import Any, TypeAlias

from specsia_build.dataset.places import filesystem_of, read_errors, sentence
from specsia_build.errors import WriteError
from specsia_build.files.trouble import AGAIN

_TOLD_BY = ("ETag", "etag", "generation", "mtime", "last_modified", "LastModified", "created")
"""What a listing says of an object that changes with it; the first that there is counts."""


@dataclass(frozen=True)
class Remote:
    """An object behind a URL, or a folder of them.

    Attributes:
        url: that the user named.
        name: below it.
    """

    url: str
    name: str = ""

    def __truediv__(self, name: str) -> Remote:
        return Remote(self.url, f"{self.name}/{name}" if self.name else name)

    def __str__(self) -> str:
        return f"{self.url}/{self.name}" if self.name else self.url

    def read(self, most: int | None = None) -> bytes:
        """Its content, or the first bytes of it, by one request.

        Raises:
            FileNotFoundError: if there is no such object.
            WriteError: if the store cannot be reached.
        """
        with self._reached("read") as (fs, path):
            # From the first byte, or some ask for the size before.
            return bytes(fs.cat_file(path, start=0, end=most))

    def write(self, data: bytes) -> None:
        """Store an object in the place of what is there, by one request where it is not large.

        Raises:
            WriteError: if it cannot be stored.
        """
        try:
            with self._reached("written") as (fs, path):
                fs.pipe_file(path, data)
        except FileNotFoundError as error:
            raise self._trouble("written", error) from error

    def claim(self) -> None:
        """See that objects can be stored below it before there is work to lose: one says that they are ours.

        Raises:
            UsageError: if there is no such way to reach a store.
            WriteError: if nothing can be stored there.
        """
        (self / "README").write(b"Artefacts of specsia, by stage and character. Builds that name this URL use them.\n")

    def stamp(self) -> str | None:
        """What changes whenever it does, as `below` has it; None where there is no such object.

        Raises:
            WriteError: if the store cannot be reached.
        """
        with suppress(FileNotFoundError), self._reached("read") as (fs, path):
            return _stamp(fs.info(path))
        return None

    def below(self) -> Iterator[tuple[str, str]]:
        """Names of the objects below it as seen from here, and what changes whenever they do.

        They are listed folder by folder, which takes a request for a thousand objects.

        Raises:
            WriteError: if the store cannot be reached.
        """
        with suppress(FileNotFoundError), self._reached("read") as (fs, path):
            base = f"{fs._strip_protocol(path).rstrip('/')}/"
            folders = [found["name"] for found in fs.ls(path, detail=True) if found["type"] == "directory"]
            for folder in folders:
                for name, found in fs.find(folder, detail=True).items():
                    yield name.removeprefix(base), _stamp(found)

    def remove_below(self, names: Sequence[str]) -> None:
        """Remove objects below it, as `below` names them, many with one request.

        Raises:
            WriteError: if they cannot be removed.
        """
        with suppress(FileNotFoundError), self._reached("removed") as (fs, path):
            fs.rm([f"{path}/{name}" for name in names if not has_magic(name)])
        for name in filter(has_magic, names):
            (self / name).remove()

    def remove(self) -> None:
        """Remove it, if it is there.

        Raises:
            WriteError: if it cannot be removed.
        """
        with suppress(FileNotFoundError), self._reached("removed") as (fs, path):
            fs.rm_file(path)

    @contextmanager
    def _reached(self, what: str) -> Iterator[tuple[Any, str]]:
        """The filesystem, and the object's path in it; what it raises becomes a sentence, but that nothing is there."""
        # What is listed once would hide what other processes store.
        fs, root = filesystem_of(self.url, use_listings_cache=False)
        try:
            yield fs, f"{root}/{self.name}" if self.name else root
        except FileNotFoundError:
            raise
        except read_errors() as error:
            raise self._trouble(what, error) from error

    def _trouble(self, what: str, error: BaseException) -> WriteError:
        return WriteError(f"{self} cannot be {what} ({sentence(error)}): see that the store can be used, and {AGAIN}")


Place: TypeAlias = Path | Remote
"""Of an artefact, or of the folder of all."""


def _stamp(found: dict[str, Any]) -> str:
    return f"{found['size']}:{next((found[name] for name in _TOLD_BY if found.get(name)), '')}"
