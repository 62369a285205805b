"""Find a dataset's folder on this machine, at an fsspec URL or on the Hub; read, replace and upload files.

Only files in the old dataset's `SHA256SUMS` are replaced or removed. A folder that holds others is refused.
"""

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from specsia_build.characters.formats import FORMATS
from specsia_build.dataset.checksums import own_names, parse_sums
from specsia_build.dataset.schema import SUMS_FILE, own_files
from specsia_build.errors import SpecsiaError, UsageError, some, spelled
from specsia_build.extras import how_to_add
from specsia_build.files.names import DESKTOP, relative_name
from specsia_build.files.sources import source_place
from specsia_build.folders import expanded, listed_below, remove_empty

HUB_ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*(@[\w./-]+)?", re.ASCII)
"""`OWNER/NAME`, optionally with `@` and a branch, tag or commit."""

PARTIAL = f"{SUMS_FILE}.partial"  # List of a dataset's files behind a URL while they are being sent
MOST_READ = 1 << 28  # Largest file, in bytes, that `Place.read` reads whole


def link_root(folder: Path) -> Path:
    """Folder that a dataset's links must not leave: its own, or the whole repository in the Hub's cache."""
    real = folder.resolve()
    repository = real.parent.parent
    return repository if real.parent.name == "snapshots" and (repository / "blobs").is_dir() else real


def leads_out(folder: Path, name: str) -> bool:
    """Whether a file of a dataset's folder is a link to something outside of it."""
    path = folder / name
    return path.is_symlink() and not path.resolve().is_relative_to(link_root(folder))


def unfit(folder: Path, name: str) -> str | None:
    """Reason why a file must not be published; None if it may be."""
    if leads_out(folder, name):
        return f"{name} is a link that leads out of the dataset"
    return f"{name} is a 3D asset" if Path(name).suffix.lower() in FORMATS else None


@dataclass(frozen=True)
class Place:
    """A folder on this machine, or at path `root` of an fsspec filesystem; `where` is what the user gave."""

    where: str
    folder: Path | None
    fs: Any = None
    root: str = ""

    def files(self) -> dict[str, int]:
        """Size in bytes of every file by relative name, sorted, without hidden files."""
        with self.reading(""):
            if self.folder is not None:
                sizes = {name: (self.folder / name).stat().st_size for name in own_files(self.folder)}
            else:
                base = self.fs._strip_protocol(self.root).rstrip("/") + "/"
                listed = self.fs.find(self.root, detail=True).items()
                entries = {name.removeprefix(base): info for name, info in listed if name.startswith(base)}
                # Listings of web servers have no sizes.
                sizes = {name: int(i["size"] or self.fs.size(i["name"])) for name, i in entries.items()}
        return {name: sizes[name] for name in sorted(sizes) if not re.search(r"(^|/)\.", name)}

    def open(self, name: str) -> Any:
        """Open a file for pyarrow, without read-ahead. Raises OSError if missing or outside of the folder."""
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
        """Read a file of at most `MOST_READ` bytes."""
        with self.reading(name), self.open(name) as stream:
            data = bytes(stream.read(MOST_READ + 1))
        if len(data) > MOST_READ:
            problem = f"{self.where}/{name} cannot be read: it has more than {MOST_READ / 2**20:,.0f} MB"
            raise SpecsiaError(problem)
        return data

    @contextmanager
    def reading(self, name: str, done: str = "read") -> Iterator[None]:
        """Turn errors of the filesystem into SpecsiaErrors such as "FILE cannot be read", by verb `done`."""
        try:
            yield
        except Exception as error:
            # Subclasses of ValueError are errors of Arrow or of decoding, which the callers handle.
            if not isinstance(error, read_errors()) and type(error) is not ValueError:
                raise
            where = f"{self.where}/{name}" if name else self.where
            raise SpecsiaError(f"{where} cannot be {done}: {one_line(error)}") from error


def read_errors(*more: type[Exception]) -> tuple[type[Exception], ...]:
    """Exceptions that reading from a filesystem may raise, and `more`."""
    from huggingface_hub.errors import HfHubHTTPError

    # Its bases are OSError and the error of the HTTP client that huggingface_hub uses.
    kinds = [base for base in HfHubHTTPError.__bases__ if issubclass(base, Exception)]
    # Errors of S3 and HTTP are not OSErrors; their modules are imported if one was raised.
    for name, kind in (("botocore.exceptions", "BotoCoreError"), ("aiohttp", "ClientError")):
        kinds += [vars(sys.modules[name])[kind]] if name in sys.modules else []
    return (*kinds, *more)


def one_line(error: BaseException) -> str:
    """The text of an error on one line."""
    return " ".join(str(error).split()).rstrip(".")[:300] or type(error).__name__


def place_of_url(url: str) -> Place:
    """The folder of an fsspec URL, before any request."""
    import fsspec

    try:
        fs, root = fsspec.url_to_fs(url)
    # Filesystems raise anything, for example if their URL lacks a part.
    except Exception as error:
        hint = f" (for s3: {how_to_add('s3')})" if isinstance(error, ImportError) else ""
        raise UsageError(f"{url} cannot be opened: {one_line(error)}{hint}") from error
    root = root.rstrip("/")
    return Place(url, Path(root) if fs.protocol == ("file", "local") else None, fs, root)


def find_place(where: str | Path) -> Place:
    """Find the folder of a path, an fsspec URL (`s3://…`, `memory://…`) or an id on the Hub, see `HUB_ID`.

    A local folder takes precedence over a Hub id of the same name; a `Path` is never a Hub id.
    """
    text = str(where)
    if isinstance(where, str) and text.startswith("hf://"):
        return _on_hub(text.removeprefix("hf://").removeprefix("datasets/").strip("/"), text)
    if isinstance(where, str) and "://" in text:
        place = place_of_url(text)
        with place.reading(""):
            if not place.fs.isdir(place.root):
                raise UsageError(f"there is no folder {text}: give the folder of a packed dataset")
        return place
    folder = expanded(text)
    if folder.is_dir():
        return Place(spelled(text), folder)
    if isinstance(where, str) and HUB_ID.fullmatch(text) and not folder.exists():
        return _on_hub(text, text)
    raise UsageError(f"there is no folder {text}")


def _on_hub(repo: str, where: str) -> Place:
    """A dataset repository at its present commit, from the Hub's cache if that is complete."""
    from huggingface_hub import HfApi, HfFileSystem, constants, snapshot_download
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    name, _, requested = repo.partition("@")
    endpoint = os.environ.get("HF_ENDPOINT") or None
    revision = requested or None
    files: list[str] = []
    if not HUB_ID.fullmatch(name):
        raise UsageError(f"{where} is not a dataset on the Hub: give OWNER/NAME")
    absent = f"there is no folder {where} here"
    if not constants.HF_HUB_OFFLINE:
        try:
            info = HfApi(endpoint=endpoint).dataset_info(name, revision=revision)
        except (HFValidationError, RepositoryNotFoundError, RevisionNotFoundError) as error:
            hint = "check the name, and log in if it is private"
            raise UsageError(f"{absent}, and no such dataset or revision on the Hub: {hint}") from error
        except read_errors() as error:
            raise SpecsiaError(f"{absent}, and the Hub cannot be reached: {one_line(error)}") from error
        revision, files = str(info.sha), [file.rfilename for file in info.siblings or ()]
    with suppress(FileNotFoundError, ValueError):
        folder = Path(snapshot_download(name, repo_type="dataset", revision=revision, local_files_only=True))
        if all((folder / file).is_file() for file in files):
            return Place(where, folder)
    if constants.HF_HUB_OFFLINE:
        problem = f"{absent}, it is not in the Hub's cache, and HF_HUB_OFFLINE is set: download it first"
        raise SpecsiaError(problem)
    return Place(where, None, HfFileSystem(endpoint=endpoint), f"datasets/{name}@{revision}")


def public_name(where: str) -> str:
    """Name of a place on a card: a Hub id, or only the last part of a path or URL, as the rest is private."""
    return where if HUB_ID.fullmatch(where) else PurePosixPath(where.rstrip("/")).name or "a dataset"


def listed_names(folder: Path) -> set[str]:
    """Names that a dataset's `SHA256SUMS` lists, and its own; empty without that file."""
    try:
        sums, _ = parse_sums((folder / SUMS_FILE).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return set()
    return {SUMS_FILE, *sums}


def remove(folder: Path) -> list[str]:
    """Remove a dataset; returns the names of other files in its folder, which stay."""
    # The list is removed last, so that a removal that was killed can be repeated.
    for name in sorted(listed_names(folder), key=lambda name: name == SUMS_FILE):
        if not (folder / name).is_dir():
            (folder / name).unlink(missing_ok=True)
    remove_empty(folder)
    return listed_below(folder)


def recover(folder: Path) -> None:
    """Finish a `put` that was killed, or undo it if the new dataset is not in place."""
    aside = folder.with_name(f".{folder.name}.replaced")
    if not aside.is_dir():
        return
    if folder.exists():
        shutil.rmtree(aside)
    else:
        aside.replace(folder)


def refuse_other_files(folder: Path) -> None:
    """Raise SpecsiaError if a dataset's folder holds files that its `SHA256SUMS` does not list."""
    listed = listed_names(folder)
    unlisted = [name for name in listed_below(folder) if name not in listed]
    unlisted = [name for name in unlisted if Path(name).name not in DESKTOP]
    others = [name for name in unlisted if (folder / name).is_symlink() or not (folder / name).is_dir()]
    if others:
        problem = f"{folder} holds {some(others)}, which its {SUMS_FILE} does not list"
        cure = "move that elsewhere and run the same command again"
        raise SpecsiaError(f"{problem}, so the dataset is not replaced: {cure}")


def put(finished: Path, folder: Path) -> None:
    """Replace a dataset by a finished one beside it; a kill leaves one of them whole, see `recover`."""
    if folder.exists():
        refuse_other_files(folder)
        folder.replace(folder.with_name(f".{folder.name}.replaced"))
    finished.replace(folder)
    recover(folder)


def open_target(url: str) -> Place:
    """Find the folder of a URL to upload to, which need not exist."""
    if url.startswith("hf://"):
        raise UsageError(f"{url} is on the Hub: build into a folder, then send it there with `specsia push`")
    target = place_of_url(url)
    with target.reading(""):
        target.fs.exists(target.root)
    return target


def upload(folder: Path, url: str, advance: Callable[[int], None]) -> int:
    """Make the folder at a URL hold a packed dataset: send files that differ, remove those no longer listed.

    `SHA256SUMS` is there only while the dataset is whole; meanwhile it has the name `PARTIAL`, so that an
    upload that was interrupted is recognised and done again. `advance` is called with numbers of files.
    Returns the number of files sent. Raises UsageError if a file that no upload sent would be replaced.
    """
    target = open_target(url)
    fs, root = target.fs, target.root
    text = (folder / SUMS_FILE).read_bytes()
    sums, _ = parse_sums(text.decode("utf-8"))

    def listed(name: str) -> str:
        return str(fs.cat_file(f"{root}/{name}").decode("utf-8", errors="replace")) if name in there else ""

    with target.reading("", "written"):
        fs.invalidate_cache()
        there = target.files().keys()
        before, partial = listed(SUMS_FILE), listed(PARTIAL)
        sums_there, _ = parse_sums(before)
        ours = own_names(before) | own_names(partial) | {PARTIAL}
        changed = [name for name in sums if name not in there or sums_there.get(name) != sums[name]]
        if conflicts := [name for name in (*changed, SUMS_FILE) if name in there - ours]:
            problem = f"{url}/{conflicts[0]} already exists and was not sent by a build"
            raise UsageError(f"{problem}, so it is not replaced: move it, or give another --out")
        surplus = (there & ours) - sums.keys() - {SUMS_FILE, PARTIAL}
        advance(len(sums) - len(changed))
        if before and not (changed or surplus or partial):
            return 0
        # Files that an upload sent, including those that this one sends before it may be interrupted.
        known = {**sums_there, **parse_sums(partial)[0], **sums}
        listing = "".join(f"{digest}  {name}\n" for name, digest in known.items())
        fs.pipe_file(f"{root}/{PARTIAL}", listing.encode())
        if before:
            fs.rm_file(f"{root}/{SUMS_FILE}")
        for name in changed:
            fs.put_file(str(folder / name), f"{root}/{name}")
            advance(1)
        for name in surplus:
            fs.rm_file(f"{root}/{name}")
        fs.pipe_file(f"{root}/{SUMS_FILE}", text)
        fs.rm_file(f"{root}/{PARTIAL}")
    return len(changed)
