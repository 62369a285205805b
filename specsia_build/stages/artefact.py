"""An artefact: named files that a stage writes for one character, and meta data with the fingerprint of its inputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

META = "meta.json"

DIGEST = "digest"
"""Field of the meta data with the SHA-256 of all its other fields, those with the files' SHA-256 among them."""


@dataclass(frozen=True)
class Artefact:
    """One character's result of one stage.

    Attributes:
        key: the character's id.
        files: bytes by name; `META` is not among them.
        meta: JSON-serialisable; `seal` adds `fingerprint`, `inputs`, `stage`, the `files`' SHA-256 and sizes, and
            `DIGEST`.
    """

    key: str
    files: Mapping[str, bytes]
    meta: Mapping[str, Any]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def file_digest(path: Path) -> str | None:
    """SHA-256 of a file's content, or None where there is no such file."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def fingerprint(stage: str, version: int, settings: Mapping[str, Any], inputs: Mapping[str, str | None]) -> str:
    """SHA-256 over everything that decides an artefact.

    Args:
        stage: its name.
        version: of the stage's code; grows whenever equal inputs would give another artefact.
        settings: the part of the configuration that the stage uses, JSON-serialisable.
        inputs: content digest of every input by name, None for one that was looked for in vain.
    """
    what = {"stage": stage, "version": version, "settings": settings, "inputs": inputs}
    return sha256(canonical_json(what).encode())


def seal(artefact: Artefact, stage: str, mark: str, inputs: Mapping[str, str | None]) -> Artefact:
    """The artefact with its origin and its files' digests written into its meta data."""
    files = {name: {"sha256": sha256(data), "bytes": len(data)} for name, data in artefact.files.items()}
    meta = {**artefact.meta, "stage": stage, "fingerprint": mark, "inputs": dict(inputs), "files": files}
    return Artefact(artefact.key, artefact.files, {**meta, DIGEST: meta_digest(meta)})


def meta_digest(meta: Mapping[str, Any]) -> str:
    """SHA-256 of an artefact's meta data without `DIGEST`, which is this where they are as `seal` left them.

    Raises:
        ValueError: if a number of them is none.
    """
    return sha256(canonical_json({name: value for name, value in meta.items() if name != DIGEST}).encode())
