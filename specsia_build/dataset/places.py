"""A dataset's folder, wherever it lies: on this machine, behind an fsspec URL, or on the Hub."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
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
"""`OWNER/NAME`, and `@` with a branch, tag or commit if one is wanted."""

MOST_READ = 1 << 28
"""Bytes of a file that is read at once."""


def link_root(folder: Path) -> Path:
    """Where links in a dataset's folder may lead: the folder, or all of the repository in the Hub's cache."""
    real = folder.resolve()
    repository = real.parent.parent
    return repository if real.parent.name == "snapshots" and (repository / "blobs").is_dir() else real


def leads_out(folder: Path, name: str) -> bool:
    """Whether a file of a dataset's folder is a link to something outside of it."""
    path = folder / name
    return path.is_symlink() and not path.resolve().is_relative_to(link_root(folder))


@dataclass(frozen=True)
class Place:
    """A folder that can be listed and read.

    Attributes:
        where: what the user called it.
        fs: fsspec filesystem.
        root: of the folder in it.
        folder: the same on this machine, None if it is elsewhere.
    """

    where: str
    fs: Any
    root: str
    folder: Path | None = None

    def files(self) -> dict[str, int]:
        """Bytes by relative name of every file, sorted, without hidden ones and those in hidden folders.

        Raises:
            SpecsiaError: if the folder cannot be listed.
        """
        if self.folder is not None:
            paths = (p for p in self.folder.rglob("*") if p.is_file())
            sizes = {p.relative_to(self.folder).as_posix(): p.stat().st_size for p in paths}
        else:
            with self.reading(""):
                listed = files_below(self.fs, self.root)
                # A web server's listing does not tell sizes.
                sizes = {n: f["size"] if f["size"] is not None else self.fs.size(f["name"]) for n, f in listed.items()}
        visible = (name for name in sorted(sizes) if not any(part.startswith(".") for part in name.split("/")))
        return {name: int(sizes[name]) for name in visible}

    def open(self, name: str) -> Any:
        """A file for pyarrow; without read-ahead, since its readers ask for exactly what they need.

        Raises:
            OSError: if there is none, its name cannot be one, or it is a link that leads out of the folder.
        """
        try:
            inner = relative_name(name, "file")
            path = None if self.folder is None else source_place(self.folder / inner, link_root(self.folder))
        except SpecsiaError as error:
            raise PermissionError(str(error)) from error
        if path is None:
            return self.fs.open(f"{self.root}/{inner}", "rb", cache_type="none")
        import pyarrow as pa

        return pa.OSFile(str(path))

    def read(self, name: str) -> bytes:
        """Content of a file of at most `MOST_READ` bytes.

        Raises:
            SpecsiaError: if it cannot be read.
        """
        with self.reading(name), self.open(name) as stream:
            data = bytes(stream.read(MOST_READ + 1))
        if len(data) > MOST_READ:
            raise SpecsiaError(f"{self.where}/{name} cannot be read: it has more than {MOST_READ / 2**20:,.0f} MB")
        return data

    @contextmanager
    def reading(self, name: str) -> Iterator[None]:
        """Raise what a filesystem raises while `name` is read as one sentence."""
        try:
            yield
        except Exception as error:
            # Arrow's own errors and undecodable text are ValueErrors of special kinds, for its readers to tell.
            if not isinstance(error, read_errors()) and type(error) is not ValueError:
                raise
            where = f"{self.where}/{name}" if name else self.where
            raise SpecsiaError(f"{where} cannot be read: {sentence(error)}") from error


def read_errors(*more: type[Exception]) -> tuple[type[Exception], ...]:
    """Errors that a filesystem may raise while it is read, and `more`."""
    from huggingface_hub.errors import HfHubHTTPError

    # Its bases are OSError and the error of the HTTP client that huggingface_hub uses.
    kinds = [base for base in HfHubHTTPError.__bases__ if issubclass(base, Exception)]
    # Errors of S3 are not OSErrors; the module is imported wherever one was raised.
    for name, kind in (("botocore.exceptions", "BotoCoreError"), ("aiohttp", "ClientError")):
        kinds += [vars(sys.modules[name])[kind]] if name in sys.modules else []
    return (*kinds, *more)


def sentence(error: BaseException) -> str:
    """An error's text on one line."""
    return " ".join(str(error).split()).rstrip(".")[:300] or type(error).__name__


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
        raise UsageError(f"{text} is a file: give the folder that it lies in")
    if isinstance(where, str) and HUB_ID.fullmatch(text):
        return _on_hub(text, text)
    raise UsageError(f"there is no folder {text}")


def public_name(where: str) -> str:
    """Name of a place on a card: a Hub id as it is, the last part alone of a path or URL, as those are private."""
    return where if HUB_ID.fullmatch(where) else PurePosixPath(where.rstrip("/")).name or "a dataset"


def public_settings(config: BuildConfig, source: str) -> dict[str, Any]:
    """The settings that decide what is built, free of paths of this machine.

    Args:
        config: of the run.
        source: name of its source, free of paths.
    """
    settings = {**result_settings(config), "source": source}
    if config.like is None:
        del settings["like"]
    else:
        settings["like"] = public_name(config.like)
    settings["backends"] = [backend_name(spec) for spec in config.backends]
    if config.clips is not None:
        settings["clips"]["motions"] = [PurePath(origin).name for origin in config.clips.motions]
    return settings


def _local_filesystem() -> Any:
    from fsspec.implementations.local import LocalFileSystem

    return LocalFileSystem()


def files_below(fs: Any, root: str) -> dict[str, Any]:
    """Details of each file below a folder of an fsspec filesystem, by relative name."""
    base, found = fs._strip_protocol(root).rstrip("/") + "/", fs.find(root, detail=True)
    return {name.removeprefix(base): details for name, details in found.items() if name.startswith(base)}


def filesystem_of(url: str, **options: Any) -> tuple[Any, str]:
    """The fsspec filesystem of a URL, with `options` of its own, and the URL's path in it; nothing is asked of it.

    Raises:
        UsageError: if there is no such filesystem.
    """
    import fsspec

    try:
        fs, root = fsspec.url_to_fs(url, **options)
    except ImportError as error:
        raise UsageError(f"{url} cannot be opened: {sentence(error)} (for s3: pip install 'specsia[s3]')") from error
    # A filesystem may raise anything, such as for what its URL must hold besides.
    except Exception as error:
        raise UsageError(f"{url} is no URL that can be opened: {sentence(error)}") from error
    return fs, root.rstrip("/")


def _behind_url(url: str) -> Place:
    fs, root = filesystem_of(url)
    if isinstance(fs, type(_local_filesystem())):
        return find_place(Path(root))
    place = Place(url, fs, root)
    with place.reading(""):
        if not fs.isdir(root):
            raise UsageError(f"there is no folder {url}: give that of a packed dataset")
    return place


def _on_hub(repo: str, where: str) -> Place:
    """A dataset repository at the commit that it has now, so that a push in between changes nothing that is read.

    It is read from the Hub's cache if that holds all of it.
    """
    from huggingface_hub import HfApi, HfFileSystem, constants, snapshot_download
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    name, _, revision = repo.partition("@")
    endpoint = os.environ.get("HF_ENDPOINT") or None
    if not HUB_ID.fullmatch(name):
        raise UsageError(f"{where} is no dataset of the Hub: give OWNER/NAME")

    def cached(revision: str | None) -> Place | None:
        try:
            found = snapshot_download(name, repo_type="dataset", revision=revision, local_files_only=True)
        except (FileNotFoundError, ValueError):
            return None
        return Place(where, _local_filesystem(), found, Path(found))

    if constants.HF_HUB_OFFLINE:
        place = cached(revision or None)
        if place is None:
            where = f"{where} is neither a folder here nor in the Hub's cache"
            raise SpecsiaError(f"{where}, and HF_HUB_OFFLINE is set: download it first")
        return place
    absent = f"there is no folder {where} here"
    try:
        info = HfApi(endpoint=endpoint).dataset_info(name, revision=revision or None)
    except (HFValidationError, RepositoryNotFoundError, RevisionNotFoundError) as error:
        kind = f"revision '{revision}' of it" if isinstance(error, RevisionNotFoundError) else "dataset"
        raise UsageError(
            f"{absent}, and no {kind} on the Hub that you may read: check the name, and log in if it is private"
        ) from error
    except read_errors() as error:
        raise SpecsiaError(
            f"{absent}, and the Hub cannot be asked for a dataset of that name: {sentence(error)}"
        ) from error
    place = cached(str(info.sha))
    if place is not None and all((Path(place.root) / file.rfilename).is_file() for file in info.siblings or ()):
        return place
    return Place(where, HfFileSystem(endpoint=endpoint), f"datasets/{name}@{info.sha}")
