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


@dataclass(frozen=True)
class RunLayout:
    """Paths of one run.

    Attributes:
        root: folder that `--out` names, or the local folder of a URL.
        url: what `--out` names where it is a URL; the dataset is packed below `root` and then sent there.
    """

    root: Path
    url: str | None = None

    @property
    def out(self) -> str:
        """What `--out` names."""
        return self.url or str(self.root)

    @property
    def mark(self) -> Path:
        """Marks the folder as a run's, with the versions that made it."""
        return self.root / RUN_MARK

    @property
    def config(self) -> Path:
        """Effective settings, YAML."""
        return self.root / "config.yaml"

    @property
    def splits(self) -> Path:
        """Frozen splits of the source's ids."""
        return self.root / "splits.json"

    @property
    def failures(self) -> Path:
        """One JSON object a line for each failed or quarantined character."""
        return self.root / "failures.jsonl"

    @property
    def log(self) -> Path:
        """One JSON object a line for each artefact: seconds and memory."""
        return self.root / "logs" / "tasks.jsonl"

    @property
    def worker_logs(self) -> Path:
        """Output of the backends' own processes."""
        return self.root / "logs" / "workers"

    @property
    def index(self) -> Path:
        """Cache of meta data and digests; see `pipeline.index`."""
        return self.root / "state" / "index.sqlite"

    @property
    def left_out(self) -> Path:
        """Ids of the source that the latest build left out, a JSON list."""
        return self.root / "state" / "left-out.json"

    @property
    def lock(self) -> Path:
        """Held by the command that builds here."""
        return self.root / "state" / "lock"

    @property
    def source(self) -> Path:
        """Procedural characters that this run wrote."""
        return self.root / "source"

    @property
    def dataset(self) -> Path:
        """The packed dataset."""
        return self.root / "dataset"

    @property
    def remote_dataset(self) -> str | None:
        """URL that the packed dataset is sent to."""
        return None if self.url is None else f"{self.url.rstrip('/')}/dataset"

    @property
    def uploaded(self) -> Path:
        """What was sent to the URL."""
        return self.root / "state" / "uploaded.json"

    @property
    def report(self) -> Path:
        """The page that `specsia report` writes."""
        return self.root / "report.html"

    @property
    def artefacts(self) -> Path:
        """All artefacts."""
        return self.root / "artefacts"

    @property
    def written(self) -> tuple[Path, ...]:
        """Folders that hold nothing but what builds write file by file."""
        return (self.artefacts, self.source, self.root / "logs", self.root / "quarantine", self.root / "state")

    def artefact(self, stage: CharacterStage, backend: str | None, key: str) -> Path:
        """Artefact of a character or clip, and of a backend by its name where each has its own.

        They lie in 256 folders a stage, by a hash of the character's id, so that no folder grows too large.
        """
        fan = hashlib.sha256((character_of(key) if stage.per_clip else key).encode()).hexdigest()[:2]
        return (
            self.artefacts / f"{stage.name}{_of_backend(backend if stage.per_backend else None)}/{fan}/{_id(key)}.tar"
        )

    def details(self, stage: str, backend: str | None, key: str) -> Path:
        """Traceback, or a reason that is too long to be shown."""
        return self.root / "logs" / f"{stage}{_of_backend(backend)}" / f"{_id(key)}.txt"

    def pictures(self, stage: str, backend: str | None, key: str) -> Path:
        """Folder of the pictures of a quarantined character."""
        return self.root / "quarantine" / f"{stage}{_of_backend(backend)}" / _id(key)


def _of_backend(name: str | None) -> str:
    return "" if name is None else "/" + file_name(name, "backend's name")


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
