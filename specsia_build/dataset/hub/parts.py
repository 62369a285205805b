"""Large files to a Hub's LFS storage, in parts that outlive the process that sent them.

huggingface_hub begins a file anew when it was interrupted. Here the addresses of the parts and what was answered to
each are kept in a small file, so that the next push sends the missing parts only.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.lfs import LFS_HEADERS, lfs_upload, post_lfs_batch_info
from huggingface_hub.utils._http import fix_hf_endpoint_in_url, hf_raise_for_status, http_backoff
from huggingface_hub.utils._lfs import SliceFileObj

from specsia_build.dataset.hub.client import DATASET, Hub
from specsia_build.errors import SpecsiaError
from specsia_build.files import append, writing
from specsia_build.folders import user_cache

AT_ONCE = 3
"""Parts under way at once: enough to fill a line, few enough that a kill loses little."""

_GONE = frozenset({400, 403, 404, 409, 410})
"""What a storage answers when the addresses of an earlier push have expired or its parts were thrown away."""


@dataclass(frozen=True)
class Journal:
    """A multipart upload under way, as kept in a file.

    Attributes:
        path: of the file; first the instructions, then a line for each part that was sent.
        action: the Hub's instructions for this file.
        etags: what the storage answered, by number of the part, from 1.
        resumed: whether an earlier push began it.
    """

    path: Path
    action: Mapping[str, Any]
    etags: dict[int, str] = field(default_factory=dict)
    resumed: bool = False

    @property
    def header(self) -> Mapping[str, str]:
        """Size of a part and address of each."""
        found: Mapping[str, str] = self.action["actions"]["upload"]["header"]
        return found

    @property
    def chunk(self) -> int:
        """Bytes of every part but the last."""
        return int(self.header["chunk_size"])

    def urls(self) -> dict[int, str]:
        """Address of each part."""
        return {int(key): url for key, url in self.header.items() if key.isdigit()}

    @property
    def whole(self) -> bool:
        """Whether every part has arrived."""
        return len(self.etags) == len(self.urls())

    def add(self, part: int, etag: str) -> None:
        """Note that a part has arrived."""
        self.etags[part] = etag
        # The line break comes first: a line that a kill cut short spoils no other.
        append(self.path, "\n" + json.dumps({"part": part, "etag": etag}))


def state_folder(hub: Hub) -> Path:
    """Where the uploads under way to a repository are noted."""
    return user_cache() / "push" / hashlib.sha256(hub.page.encode()).hexdigest()[:16]


def send(hub: Hub, operation: CommitOperationAdd, advance: Callable[[int], None]) -> None:
    """Bring a file's content into the repository's LFS storage, unless it is there; no commit is made.

    Args:
        hub: where to.
        operation: its file is on disk and its SHA-256 known.
        advance: called with bytes that have arrived, now or in an earlier push.

    Raises:
        HfHubHTTPError: if the Hub or its storage refuses.
        SpecsiaError: if the Hub refuses this file.
    """
    info = operation.upload_info
    path = state_folder(hub) / info.sha256.hex()
    # The second try is for addresses of an earlier push that are no longer valid.
    for last_try in (False, True):
        actions, refused, _ = post_lfs_batch_info(
            [info], None, DATASET, hub.repo, endpoint=hub.api.endpoint, headers=hub.headers
        )
        if refused:
            raise SpecsiaError(f"the Hub refuses {operation.path_in_repo}: {refused[0]['error']['message']}")
        action = actions[0]
        upload = (action.get("actions") or {}).get("upload", {})
        if "chunk_size" not in (upload.get("header") or {}):
            lfs_upload(operation, action, headers=hub.headers, endpoint=hub.api.endpoint)
            path.unlink(missing_ok=True)
            advance(info.size)
            return
        journal = _resume(path, info.size) or _begin(path, action)
        counted = 0

        def count(size: int) -> None:
            nonlocal counted
            counted += size
            advance(size)

        try:
            _send_parts(journal, operation, count)
            _complete(hub, journal, operation)
        except HfHubHTTPError as error:
            # Parts that are not to be joined may have been, by a request whose answer was lost: the Hub will tell.
            again = journal.resumed or journal.whole
            if last_try or not again or error.response.status_code not in _GONE:
                raise
            if journal.resumed:
                path.unlink(missing_ok=True)
            advance(-counted)
        else:
            path.unlink(missing_ok=True)
            return


def forget_others(hub: Hub, sums: set[str]) -> None:
    """Drop notes on uploads of files, by SHA-256, that are no longer to be sent."""
    for path in state_folder(hub).glob("*"):
        if path.name not in sums:
            path.unlink(missing_ok=True)


def _begin(path: Path, action: Mapping[str, Any]) -> Journal:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Whoever has the addresses may send parts: for the owner only.
        path.touch(mode=0o600)
        path.write_text(json.dumps(action), encoding="utf-8")
    return Journal(path, action)


def _resume(path: Path, size: int) -> Journal | None:
    """What an earlier push noted, or None where it noted nothing that can be used."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    notes = []
    for line in lines:
        try:
            notes.append(json.loads(line))
        except json.JSONDecodeError:
            # The line that a kill cut short.
            continue
    try:
        journal = Journal(path, notes[0], {note["part"]: note["etag"] for note in notes[1:]}, resumed=True)
        whole = sorted(journal.urls()) == list(range(1, -(-size // journal.chunk) + 1))
    except (IndexError, KeyError, TypeError, ValueError):
        return None
    return journal if whole else None


def _send_parts(journal: Journal, operation: CommitOperationAdd, advance: Callable[[int], None]) -> None:
    size, chunk, lock = operation.upload_info.size, journal.chunk, threading.Lock()

    def send_part(part: int, url: str) -> None:
        with operation.as_file() as stream, SliceFileObj(stream, (part - 1) * chunk, chunk) as content:
            answer = http_backoff("PUT", url, data=content)
        hf_raise_for_status(answer)
        with lock:
            journal.add(part, answer.headers["ETag"])
            advance(_length(part))

    def _length(part: int) -> int:
        return min(chunk, size - (part - 1) * chunk)

    advance(sum(map(_length, journal.etags)))
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        left = [pool.submit(send_part, n, url) for n, url in journal.urls().items() if n not in journal.etags]
        for done in as_completed(left):
            done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _complete(hub: Hub, journal: Journal, operation: CommitOperationAdd) -> None:
    """Have the parts joined, and the whole checked where the Hub offers it."""
    info, actions = operation.upload_info, journal.action["actions"]
    parts = [{"partNumber": n, "etag": journal.etags[n]} for n in sorted(journal.etags)]
    joined = {"oid": info.sha256.hex(), "parts": parts}
    _post(hub, actions["upload"]["href"], joined, dict(LFS_HEADERS))
    if actions.get("verify"):
        _post(hub, actions["verify"]["href"], {"oid": info.sha256.hex(), "size": info.size}, hub.headers)


def _post(hub: Hub, url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    address = fix_hf_endpoint_in_url(url, endpoint=hub.api.endpoint)
    hf_raise_for_status(http_backoff("POST", address, json=body, headers=headers))
