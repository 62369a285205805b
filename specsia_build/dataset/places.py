"""A dataset's folder, wherever it lies: on this machine, behind an fsspec URL, or on the Hub."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from specsia_build.config import BuildConfig, backend_name, result_settings
from specsia_build.errors import SpecsiaError, UsageError, spelled
from specsia_build.files.names import relative_name
from specsia_build.files.sources import source_place
from specsia_build.folders import expanded

HUB_ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*(@[\w./-]+)?", re.ASCII)
"""`OWNER/NAME`, and `@` with a branch, tag or commit where one is wanted."""


MOST_READ = 1 << 28
"""Bytes of a file that is read at once."""


def link_root(folder: Path) -> Path:
    """Where links in a dataset's folder may lead: the folder, or all of the repository in the Hub's cache."""
    real = folder.resolve()
    repository = real.parent.parent
    return repository if real.parent.name == "snapshots" and (repository / "blobs").is_dir() else real


def leads_out(folder: Path, name: str) -> bool:
    """Whether a file of a dataset's folder is a link to what lies outside of it."""
    path = folder / name
    return path.is_symlink() and not path.resolve().is_relative_to(link_root(folder))


@dataclass(frozen=True)
class HubRevision:
    """A dataset repository of the Hub at one commit, so that a push in between changes nothing that is read."""

    repo: str
    commit: str


@dataclass(frozen=True)
class Place:
    """A folder that can be listed and read.

    Attributes:
        where: what the user called it.
        fs: fsspec filesystem.
        root: of the folder in it.
        folder: the same on this machine, None if it is elsewhere.
        hub: repository and commit, None if it is elsewhere.
    """

    where: str
    fs: Any
    root: str
    folder: Path | None = None
    hub: HubRevision | None = None

    def files(self) -> dict[str, int]:
        """Bytes by relative name of every file, sorted, without hidden ones and those in hidden folders.

        Raises:
            SpecsiaError: if the folder cannot be listed.
        """
        if self.folder is not None:
            paths = (p for p in self.folder.rglob("*") if p.is_file())
            found = {p.relative_to(self.folder).as_posix(): p.stat().st_size for p in paths}
        else:
            with self.reading(""):
                found = {name: self._size(listed) for name, listed in files_below(self.fs, self.root).items()}
        return {n: found[n] for n in sorted(found) if not any(part.startswith(".") for part in n.split("/"))}

    def _size(self, listed: Mapping[str, Any]) -> int:
        """Bytes of a file, asked for by itself where a listing does not tell, as that of a web server."""
        path = listed["name"]
        size = listed["size"] if listed["size"] is not None else self.fs.size(path)
        if size is None:
            raise SpecsiaError(f"{self.where} cannot be read: it does not tell how large its files are, such as {path}")
        return int(size)

    def open(self, name: str) -> Any:
        """A file as pyarrow reads it; without read-ahead, since its readers say exactly what they need.

        Raises:
            OSError: if there is none, its name cannot be one, or it is a link that leads out of the folder.
        """
        try:
            inner = relative_name(name, "file")
            local = None if self.folder is None else source_place(self.folder / inner, link_root(self.folder))
        except SpecsiaError as error:
            raise PermissionError(str(error)) from error
        path = self._cached(name) if self.hub is not None else local
        if path is not None:
            import pyarrow as pa

            return pa.OSFile(str(path))
        return self.fs.open(f"{self.root}/{inner}", "rb", cache_type="none")

    def read(self, name: str) -> bytes:
        """Content of a small file, of at most `MOST_READ` bytes.

        Raises:
            SpecsiaError: if it cannot be read.
        """
        with self.reading(name), self.open(name) as stream:
            data = bytes(stream.read(MOST_READ + 1))
        if len(data) > MOST_READ:
            raise SpecsiaError(f"{self.where}/{name} cannot be read: it has more than {MOST_READ / 2**20:,.0f} MB")
        return data

    @contextmanager
    def small_files(self, names: Iterable[str]) -> Iterator[Path]:
        """A folder on this machine that holds these files: the place itself, or copies that go when the context ends.

        No link in it leads out of the place.

        Raises:
            SpecsiaError: if one cannot be read.
        """
        if self.folder is not None and not any(leads_out(self.folder, name) for name in self.files()):
            yield self.folder
            return
        with tempfile.TemporaryDirectory(prefix="specsia-") as scratch:
            for name in names:
                path = Path(scratch) / relative_name(name, "file")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self.read(name))
            yield Path(scratch)

    @contextmanager
    def reading(self, name: str) -> Iterator[None]:
        """Turns what a filesystem raises while `name` is read into a sentence."""
        try:
            yield
        except read_errors() as error:
            raise self._unread(name, error) from error
        except ValueError as error:
            # Those of Arrow, and of text that is none, are its readers' to tell; a filesystem's are of no special kind.
            if type(error) is not ValueError:
                raise
            raise self._unread(name, error) from error

    def _unread(self, name: str, error: BaseException) -> SpecsiaError:
        where = f"{self.where}/{name}" if name else self.where
        return SpecsiaError(f"{where} cannot be read: {sentence(error)}")

    def _cached(self, name: str) -> Path | None:
        from huggingface_hub import try_to_load_from_cache

        assert self.hub is not None
        found = try_to_load_from_cache(self.hub.repo, name, repo_type="dataset", revision=self.hub.commit)
        return Path(found) if isinstance(found, str) else None


def read_errors() -> tuple[type[BaseException], ...]:
    """What a filesystem may raise while it is read."""
    from huggingface_hub.errors import HfHubHTTPError

    # Its bases are OSError and the error of the HTTP client that huggingface_hub uses.
    found = [base for base in HfHubHTTPError.__bases__ if issubclass(base, Exception)]
    # Those of S3 are no OSError; whoever has raised one has imported it.
    for name, kind in (("botocore.exceptions", "BotoCoreError"), ("aiohttp", "ClientError")):
        found += [vars(sys.modules[name])[kind]] if name in sys.modules else []
    return tuple(found)


def sentence(error: BaseException) -> str:
    """What an error says, on one line."""
    text = " ".join(str(error).split()).rstrip(".")
    return text[:300] or type(error).__name__


def find_place(where: str | Path) -> Place:
    """The folder that a user means by a path, an fsspec URL (`s3://…`, `memory://…`) or a Hub id (`OWNER/NAME`).

    A folder that is there beats a Hub id of the same name; a `Path` is never a Hub id.

    Raises:
        UsageError: if there is no such folder, or no such way to reach one.
        SpecsiaError: if the Hub cannot be asked.
    """
    text = str(where)
    if isinstance(where, str) and text.startswith("hf://"):
        return _on_hub(text.removeprefix("hf://").removeprefix("datasets/").strip("/"), text)
    if isinstance(where, str) and "://" in text:
        return _behind_url(text)
    folder = expanded(text)
    if folder.is_dir():
        return Place(spelled(text), _local_filesystem(), str(folder.resolve()), folder)
    if folder.is_file():
        raise UsageError(f"{text} is a file: give the folder of a packed dataset, such as DIR/dataset")
    if isinstance(where, str) and HUB_ID.fullmatch(text):
        return _on_hub(text, text)
    raise UsageError(f"there is no folder {text}: give the folder of a packed dataset, such as DIR/dataset")


def public_name(where: str) -> str:
    """What a card may call a place: a Hub id as it is, the last name alone of a path or URL, as those are private."""
    return where if HUB_ID.fullmatch(where) else PurePosixPath(where.rstrip("/")).name or "a dataset"


def public_settings(config: BuildConfig, source: str) -> dict[str, Any]:
    """The settings that decide what is made, as a card may state them: without a path of this machine.

    Args:
        config: of the run.
        source: name of its source, free of paths.
    """
    found = {**result_settings(config), "source": source}
    if config.like is None:
        del found["like"]
    else:
        found["like"] = public_name(config.like)
    found["backends"] = [backend_name(spec) for spec in config.backends]
    if config.clips is not None:
        # Of a file of motions the name alone, which no folder of this machine is part of.
        found["clips"]["motions"] = [PurePath(origin).name for origin in config.clips.motions]
    return found


def _local_filesystem() -> Any:
    from fsspec.implementations.local import LocalFileSystem

    return LocalFileSystem()


def files_below(fs: Any, root: str) -> dict[str, Any]:
    """What an fsspec filesystem says of each file in a folder and below it, by relative name."""
    base = fs._strip_protocol(root).rstrip("/") + "/"
    return {name.removeprefix(base): said for name, said in fs.find(root, detail=True).items() if name.startswith(base)}


def filesystem_of(url: str, **options: Any) -> tuple[Any, str]:
    """The fsspec filesystem of a URL, with `options` of its own, and the URL's path in it; nothing is asked of it.

    Raises:
        UsageError: if there is no such way to reach one.
    """
    import fsspec

    try:
        fs, root = fsspec.url_to_fs(url, **options)
    except ImportError as error:
        raise UsageError(f"{url} cannot be opened: {sentence(error)} (for s3: pip install 'specsia[s3]')") from error
    # A filesystem of others' may raise anything, such as for what its URL must hold besides.
    except Exception as error:
        raise UsageError(f"{url} is no URL that can be opened: {sentence(error)}") from error
    return fs, root.rstrip("/")


def _behind_url(url: str) -> Place:
    fs, root = filesystem_of(url)
    if isinstance(fs, type(_local_filesystem())):
        return find_place(Path(root))
    place = Place(url, fs, root)
    with place.reading(""):
        if not fs.isdir(place.root):
            raise UsageError(f"there is no folder {url}")
    return place


def _on_hub(repo: str, where: str) -> Place:
    import os

    from huggingface_hub import HfApi, HfFileSystem, constants, snapshot_download
    from huggingface_hub.errors import (
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    name, _, revision = repo.partition("@")
    if not HUB_ID.fullmatch(name):
        raise UsageError(f"{where} is no dataset of the Hub: give OWNER/NAME")
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise UsageError(f"there is no folder {where} here, and no dataset on the Hub can have that name") from error
    endpoint = os.environ.get("HF_ENDPOINT") or None
    if constants.HF_HUB_OFFLINE:
        try:
            found = snapshot_download(name, repo_type="dataset", revision=revision or None, local_files_only=True)
        except (LocalEntryNotFoundError, ValueError) as error:
            raise SpecsiaError(
                f"{where} is neither a folder here nor in the Hub's cache, and HF_HUB_OFFLINE is set: download it first"
            ) from error
        return Place(where, _local_filesystem(), found, Path(found))
    fs = HfFileSystem(endpoint=endpoint)
    try:
        commit = HfApi(endpoint=endpoint).dataset_info(name, revision=revision or None).sha
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        kind = "dataset" if isinstance(error, RepositoryNotFoundError) else f"revision '{revision}' of it"
        raise UsageError(
            f"there is no folder {where} here, and no {kind} on the Hub that you may read: "
            "check the name, and log in if it is private"
        ) from error
    except read_errors() as error:
        raise SpecsiaError(
            f"there is no folder {where} here, and the Hub cannot be asked for a dataset of that name: "
            f"{sentence(error)}"
        ) from error
    assert commit is not None
    return Place(where, fs, f"datasets/{name}@{commit}", hub=HubRevision(name, commit))
