"""A build's settings and their defaults: checked once, frozen."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from typing import Any

from specsia_build.errors import UsageError, no_such
from specsia_build.memory import MEMORY, memory_bytes

LOOKS = ("unlit", "lit")
FRONTALS = ("render", "drawing")
POS_FRAMES = ("character", "view")
LOW_IOU_ACTIONS = ("quarantine", "keep")
EXECUTORS = ("local", "ray")
ALL, NONE = KEEPS = ("all", "none")
"""Artefacts to keep once all is packed."""

RANDOM, DARK = OUTLINES = ("random", "dark")
"""Rules of the contour's grey, which may also be a number: the published one, any grey; and a quarter of it."""

RENDERERS = ("cycles", "eevee", "fast", "pyrender")

DEFAULT_SOURCE = "sample:24"
DEFAULT_OUT = "specsia-out"
DEFAULT_CLIPS_OUT = "specsia-clips"


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


FRAMES, DRAVIE = "frames", "dravie"
"""Layouts that clips are packed in, without others that entry points declare."""

MAX_FAILURES = "1%"
"""Failed characters that a build puts up with which was not told."""

OWN = "own"
"""As a motion: those of the character's own file."""


@dataclass(frozen=True)
class ClipSettings:
    """What decides the clips of `specsia clips`.

    Attributes:
        recipes: names of layouts to pack them in.
        motions: `OWN`, names of built-in motions, or files of motions made for other characters.
        patterns: shell patterns of the names of motions to take; none takes all.
        fps: frames a second.
        frames: most frames of a clip, or None.
        views: evenly spaced cameras that see each motion, 1-360.
        in_place: hold the figure where it is at its first frame, but for up and down.
        turntable: also a clip of the still figure with a camera that walks around it.
        reconstructed: whether reconstructions are moved too where no recipe asks for them.
        preview: write a film of each clip.
        line_px: width of lines, 1-4 pixels.
    """

    recipes: tuple[str, ...] = (FRAMES,)
    motions: tuple[str, ...] = (OWN,)
    patterns: tuple[str, ...] = ()
    fps: float = 12.0
    frames: int | None = None
    views: int = 4
    in_place: bool = False
    turntable: bool = False
    reconstructed: bool = False
    preview: bool = False
    line_px: float = 2.0

    def __post_init__(self) -> None:
        if not self.recipes or not (self.motions or self.turntable):
            raise UsageError("clips need at least one recipe, and a motion or a turntable")
        check_number("fps", self.fps, 0.1, 240)
        check_whole("clips' views", self.views, 1, 360)
        check_number("line_px", self.line_px, 1, 4)
        if self.frames is not None:
            check_whole("frames", self.frames, 1, 100_000)

    @property
    def pairs(self) -> bool:
        """Whether reconstructions are moved beside the characters."""
        return self.reconstructed or DRAVIE in self.recipes


@dataclass(frozen=True)
class BuildConfig:
    """Everything that decides what a build makes, and how it is run.

    Attributes:
        source: `SOURCE` of the command.
        like: a packed dataset (folder, URL or Hub id) whose characters and splits are taken, or None.
        backends: `NAME[:ARG]` each, names differ.
        renderer: what draws Y* and Z.
        views: evenly spaced cameras, 1-360.
        size: pixels on a side of every image, 32-2048.
        look: `unlit` or `lit`.
        outline: grey of the contour: one of `OUTLINES` by the seed and the character's id, or a number 0-255 in words.
        seed: of contours and backends; splits do not depend on it.
        frontal: whether the backend sees the frontal `render` or the character's own `drawing`.
        pos_frame: frame of position colours, the `character`'s or each `view`'s (as the published script has it).
        min_iou: mean IoU after registration below which `low_iou` says what happens, 0-1.
        low_iou: `quarantine` such a character, or `keep` it.
        workers: processes; 0 is one for each core.
        executor: where they run, in a pool of this machine (`local`) or on a `ray` cluster.
        shard: `I/N`, build only the I-th of N shares of the source, or None for all of it; see `in_shard`.
        limit: build only the first so many characters of that, or None.
        exclude: a file of ids, one a line, of characters that are left out; or None.
        max_failures: failed characters that a build puts up with: a count, or a share such as `1%`; those that are
            quarantined for their looks do not count. A build ends as soon as more have failed. None is `MAX_FAILURES`,
            of which all characters are tried before it counts.
        timeout: seconds after which one character's stage is given up.
        memory: what a character may cost in a worker, such as `2 GB`; one that needs more is quarantined.
        keep: `none` removes the artefacts once all is packed and proves to be as it was written, else they stay.
        clips: what clips are made of, where a run is of characters in motion; None where it is of stills.
    """

    source: str = DEFAULT_SOURCE
    like: str | None = None
    backends: tuple[str, ...] = ("relief",)
    renderer: str = "fast"
    views: int = 10
    size: int = 512
    look: str = "unlit"
    outline: str = RANDOM
    seed: int = 42
    frontal: str = "render"
    pos_frame: str = "character"
    min_iou: float = 0.5
    low_iou: str = "quarantine"
    shard: str | None = None
    workers: int = 0
    executor: str = "local"
    limit: int | None = None
    exclude: str | None = None
    max_failures: str | None = None
    timeout: float = 600.0
    memory: str = MEMORY
    keep: str | None = None
    clips: ClipSettings | None = None

    def __post_init__(self) -> None:
        ranges = {"views": (1, 360), "size": (32, 2048), "seed": (0, 2**63 - 1), "workers": (0, 1024)}
        for name, (low, high) in ranges.items():
            check_whole(name, getattr(self, name), low, high)
        check_number("min_iou", self.min_iou, 0, 1)
        check_number("timeout", self.timeout, 1, 10**9)
        memory_bytes(self.memory)
        in_shard("", self.shard or "1/1")
        check_whole("limit", 1 if self.limit is None else self.limit, 1, 10**9)
        choices = {"look": LOOKS, "frontal": FRONTALS, "pos_frame": POS_FRAMES, "low_iou": LOW_IOU_ACTIONS}
        for name, known in {**choices, "executor": EXECUTORS, "keep": (None, *KEEPS)}.items():
            check_choice(name, getattr(self, name), known)
        if self.outline not in OUTLINES and not (self.outline.isdecimal() and int(self.outline) <= 255):
            raise UsageError(f"outline cannot be '{self.outline}': it is random, dark, or a grey from 0 to 255")
        if self.renderer not in RENDERERS:
            raise UsageError(no_such("renderer", self.renderer, RENDERERS))
        names = [backend_name(spec) for spec in self.backends]
        if not names or len(set(names)) < len(names):
            raise UsageError(f"backends cannot be {', '.join(names) or 'empty'}: name at least one, and each only once")
        check_failures(self.max_failures)

    def allowed_failures(self, characters: int) -> int:
        """Failed characters that a build of so many puts up with; a share allows at least one."""
        stated = MAX_FAILURES if self.max_failures is None else self.max_failures
        return max(1, int(characters * Fraction(stated[:-1]) / 100)) if stated.endswith("%") else int(stated)

    @property
    def command(self) -> str:
        """What makes such a run, on the command line."""
        return "specsia build" if self.clips is None else "specsia clips"

    def worker_count(self) -> int:
        """Processes to start: `workers`, or one for each core this process may use."""
        return self.workers or cores()


def check_failures(stated: str | None) -> None:
    """Check that `max_failures` is a count or a share.

    Raises:
        UsageError: if not, or if it is more than all.
    """
    if stated is not None and not re.fullmatch(r"\d+|(\d{1,2}(\.\d+)?|100)%", stated, re.ASCII):
        raise UsageError(f"max_failures cannot be '{stated}': give a count (3) or a share of all (1%)")


RUN_SETTINGS = frozenset({"workers", "executor", "limit", "exclude", "max_failures", "timeout", "memory", "keep"})
"""Settings of one command, which the next one does not inherit."""


def backend_name(spec: str) -> str:
    """`NAME` of `NAME[:ARG]`; it names the dataset's configuration."""
    return spec.partition(":")[0]


def in_shard(character_id: str, shard: str) -> bool:
    """Whether a character is in a share of a source, which its id alone decides.

    Args:
        character_id: of it.
        shard: `I/N`: the I-th of N shares, those whose ids' SHA-256 leaves I - 1 when divided by N.

    Raises:
        UsageError: if it is none.
    """
    share, _, shares = shard.partition("/")
    if not (re.fullmatch(r"[0-9]{1,5}/[0-9]{1,5}", shard) and 1 <= int(share) <= int(shares)):
        raise UsageError(f"shard cannot be '{shard}': it is I/N, the I-th of N shares, such as 1/16")
    digest = hashlib.sha256(character_id.encode()).digest()
    return int.from_bytes(digest[:8], "big") % int(shares) == int(share) - 1


def check_choice(name: str, value: str | None, known: Sequence[str | None]) -> None:
    """Check that a setting is one of the known ones.

    Raises:
        UsageError: if it is not.
    """
    if value not in known:
        raise UsageError(f"{name} cannot be '{value}': it is one of {', '.join(filter(None, known))}")


def check_number(name: str, value: object, low: float, high: float) -> None:
    """Check that a setting is a number from `low` to `high`.

    Raises:
        UsageError: if it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise UsageError(f"{name} cannot be {value!r}: it is a number from {low} to {high}")


def check_whole(name: str, value: object, low: int, high: int) -> None:
    """Check that a setting is a whole number from `low` to `high`.

    Raises:
        UsageError: if it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise UsageError(f"{name} cannot be {value!r}: it is a whole number from {low} to {high}")


def result_settings(config: BuildConfig) -> dict[str, Any]:
    """The settings that decide what is made, as plain values in the order of `BuildConfig`."""
    out: dict[str, Any] = {}
    for field in fields(config):
        value = getattr(config, field.name)
        unset = (value is None and field.name in ("clips", "shard")) or (field.name == "outline" and value == RANDOM)
        if field.name in RUN_SETTINGS or unset:
            continue
        if isinstance(value, ClipSettings):
            out[field.name] = {name: _plain(inner) for name, inner in asdict(value).items()}
        else:
            out[field.name] = _plain(value)
    return out


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
