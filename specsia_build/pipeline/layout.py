"""Where a run keeps what: the only module that knows the paths below `--out`."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from specsia_build.config import DEFAULT_OUT
from specsia_build.files.names import file_name
from specsia_build.ownership import RUN_MARK
from specsia_build.pipeline.objects import Place, Remote
from specsia_build.stages.stage import CharacterStage, character_of

WHY = "why.txt"
"""Beside the pictures of a character that is quarantined for its looks: the sentence."""

REPORT_MARK = b"<title>specsia: "
"""What every page that `specsia report` writes has at its beginning."""


@dataclass(frozen=True)
class RunLayout:
    """Paths of one run.

    Attributes:
        root: the folder that `--out` names, or the work folder of a URL.
        url: what `--out` names where it is no folder here; its dataset is packed below `root` and then sent there.
        work: URL that artefacts are stored at instead of below `root`.
    """

    root: Path
    url: str | None = None
    work: str | None = None

    @property
    def out(self) -> str:
        """What `--out` names."""
        return self.url or str(self.root)

    @property
    def mark(self) -> Path:
        """Says that the folder is a run's."""
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
        """One JSON object a line for each quarantined character."""
        return self.root / "failures.jsonl"

    @property
    def log(self) -> Path:
        """One JSON object a line for each task: seconds and memory."""
        return self.root / "logs" / "tasks.jsonl"

    @property
    def worker_logs(self) -> Path:
        """What the worker processes of backends printed, and a line for each picture they did."""
        return self.root / "logs" / "workers"

    @property
    def index(self) -> Path:
        """What is remembered of artefacts and source files; see `pipeline.index`."""
        return self.root / "state" / "index.sqlite"

    @property
    def left_out(self) -> Path:
        """Ids of the source's characters that the latest build was told to leave out, a JSON list."""
        return self.root / "state" / "left-out.json"

    @property
    def lock(self) -> Path:
        """Held by the command that is building here."""
        return self.root / "state" / "lock"

    @property
    def lease(self) -> Path:
        """Renewed by the command that is building here, where the file system has no locks."""
        return self.root / "state" / "lease"

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
    def artefacts(self) -> Place:
        """All artefacts."""
        return self.root / "artefacts" if self.work is None else Remote(self.work.rstrip("/"), "artefacts")

    @property
    def written(self) -> tuple[Path, ...]:
        """Folders that hold nothing but what builds write file by file."""
        return (self.root / "artefacts", self.source, self.root / "logs", self.root / "quarantine", self.root / "state")

    def artefact(self, stage: CharacterStage, backend: str | None, key: str) -> Place:
        """One character's or clip's artefact of one stage (and backend, by its name, where it is done for each)."""
        name, of = backend if stage.per_backend else None, character_of(key) if stage.per_clip else key
        # One join, as that of paths is slow and a build asks for a million.
        return self.artefacts / f"{stage.name}{_of_backend(name)}/{fan_of(of)}/{_id(key)}.tar"

    def details(self, stage: str, backend: str | None, character_id: str) -> Path:
        """Where the program itself failed on a character, or the whole of a reason that is too long to be shown."""
        return self._folder("logs", stage, backend) / f"{_id(character_id)}.txt"

    def pictures(self, stage: str, backend: str | None, character_id: str) -> Path:
        """Folder of the pictures of a character that was quarantined for its looks, and of the sentence."""
        return self._folder("quarantine", stage, backend) / _id(character_id)

    def _folder(self, kind: str, stage: str, backend: str | None) -> Path:
        return self.root / kind / f"{stage}{_of_backend(backend)}"


def _of_backend(name: str | None) -> str:
    return "" if name is None else "/" + file_name(name, "backend's name")


FANS = 256
"""Folders of a stage's artefacts, so that none grows to more than file systems like."""


def fan_of(character_id: str) -> str:
    """Which of these folders holds a character's artefacts."""
    return hashlib.sha256(character_id.encode()).hexdigest()[:2]


def _id(character_id: str) -> str:
    return file_name(character_id, "character's id")


def layout_of(out: str | Path) -> RunLayout:
    """The run of a folder, or of an fsspec URL.

    The work of a URL lies in `./specsia-out-NAME-HASH`: the last part of its path, and 8 digits of its SHA-256.
    """
    if isinstance(out, Path) or "://" not in out:
        return RunLayout(Path(out))
    if out.startswith(("file://", "local://")):
        return RunLayout(Path(out.partition("://")[2]))
    url = out.rstrip("/")
    name = re.sub(r"[^A-Za-z0-9._]+", "-", url.rpartition("/")[2]).strip("-.") or "run"
    return RunLayout(Path(f"{DEFAULT_OUT}-{name}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"), url)
