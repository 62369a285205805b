"""Paths of a run: the only module that knows what lies where below `--out`."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from specsia_build.config import DEFAULT_OUT
from specsia_build.files.names import file_name
from specsia_build.ownership import RUN_MARK
from specsia_build.stages.stage import CharacterStage, character_of

WHY = "why.txt"
"""Beside the pictures of a quarantined character: the reason."""

REPORT_MARK = b"<title>specsia: "
"""Words near the beginning of every page that `specsia report` writes."""


class _Below:
    """A path below a run's folder."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, layout: RunLayout, _: object = None) -> Path:
        return layout.root / self._name


@dataclass(frozen=True)
class RunLayout:
    """Paths of one run.

    Attributes:
        root: folder that `--out` names, or the local folder of a URL.
        url: what `--out` names where it is a URL; the dataset is packed below `root` and then sent there.
    """

    root: Path
    url: str | None = None

    # Marks the folder as a run's, with the version that made it.
    mark = _Below(RUN_MARK)
    # Effective settings, and the frozen splits of the source's ids.
    config = _Below("config.yaml")
    splits = _Below("splits.json")
    # A JSON object a line: failed and quarantined characters; seconds and memory of each artefact.
    failures = _Below("failures.jsonl")
    log = _Below("logs/tasks.jsonl")
    # Output of the backends' own processes.
    worker_logs = _Below("logs/workers")
    index = _Below("state/index.sqlite")
    # Ids of the source that the latest build left out, a JSON list.
    left_out = _Below("state/left-out.json")
    # Held by the command that builds here.
    lock = _Below("state/lock")
    # What was sent to the URL.
    uploaded = _Below("state/uploaded.json")
    # Procedural characters that this run wrote.
    source = _Below("source")
    artefacts = _Below("artefacts")
    dataset = _Below("dataset")
    report = _Below("report.html")

    @property
    def out(self) -> str:
        """Value of `--out`: a folder or a URL."""
        return self.url or str(self.root)

    @property
    def remote_dataset(self) -> str | None:
        """URL that the packed dataset is sent to."""
        return None if self.url is None else f"{self.url.rstrip('/')}/dataset"

    @property
    def written(self) -> tuple[Path, ...]:
        """Folders that hold nothing but what builds write file by file."""
        return (self.artefacts, self.source, *(self.root / name for name in ("logs", "quarantine", "state")))

    def artefact(self, stage: CharacterStage, backend: str | None, key: str) -> Path:
        """Artefact of a character or clip, and of a backend by its name where each has its own.

        They lie in 256 folders a stage, by a hash of the character's id, so that no folder grows too large.
        """
        fan = hashlib.sha256((character_of(key) if stage.per_clip else key).encode()).hexdigest()[:2]
        names = _names(stage.name, backend if stage.per_backend else None)
        # One call: a million paths are built for 100,000 characters.
        return self.root.joinpath("artefacts", *names, fan, f"{_id(key)}.tar")

    def recipe(self, name: str, backend: str | None = None) -> Path:
        """Folder of a recipe: of the characters, or of a backend's reconstructions of them."""
        return self.root / (name if backend is None else f"{name}-{backend}")

    def details(self, stage: str, backend: str | None, key: str) -> Path:
        """Traceback, or a reason that is too long to be shown."""
        return self.root.joinpath("logs", *_names(stage, backend), f"{_id(key)}.txt")

    def pictures(self, stage: str, backend: str | None, key: str) -> Path:
        """Folder of the pictures of a quarantined character."""
        return self.root.joinpath("quarantine", *_names(stage, backend), _id(key))


def _names(stage: str, backend: str | None) -> list[str]:
    return [stage] if backend is None else [stage, file_name(backend, "backend's name")]


def _id(key: str) -> str:
    return file_name(key, "character's id")


def layout_of(out: str | Path) -> RunLayout:
    """Layout of a folder or an fsspec URL, whose local folder is `./specsia-out-NAME-HASH`."""
    if isinstance(out, Path) or "://" not in out:
        return RunLayout(Path(out))
    if out.startswith(("file://", "local://")):
        return RunLayout(Path(out.partition("://")[2]))
    url = out.rstrip("/")
    name = re.sub(r"[^A-Za-z0-9._]+", "-", url.rpartition("/")[2]).strip("-.") or "run"
    return RunLayout(Path(f"{DEFAULT_OUT}-{name}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"), url)
