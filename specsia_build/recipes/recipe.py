"""The interface of recipes: a layout that some project's loader reads, made from the frames of clips."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from specsia_build.config import BuildConfig
from specsia_build.dataset.layers import LAYERS, frame_file
from specsia_build.recipes.checks import MOST_FRAMES, check_files


@dataclass(frozen=True)
class ClipFrames:
    """The T frames of a clip, each S x S pixels.

    Attributes:
        meta: `id`, `character`, `clip` (its `action`, `view`, `yaw` and so on), `fps`, `times` (T,) in seconds,
            `loops` (whether the first frame follows the last one smoothly), `yaws` (T,) of the camera, `size`, `width`
            of the camera's frame, `box` of positions, `license`, `source`; with labels also `palette` (R, 3), the flat
            colours of regions; `backend` of a reconstruction, else None.
        files: the encoded layers of each frame, by `frame_file`.
        clean: the same of the character, where `files` are of a reconstruction.
    """

    meta: Mapping[str, Any]
    files: Mapping[str, bytes]
    clean: Mapping[str, bytes] | None = None

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.meta["times"])

    def raw(self, layer: str, frame: int) -> bytes:
        """Return the encoded layer of a frame."""
        return self.files[frame_file(layer, frame)]

    def frame(self, layer: str, frame: int) -> Any:
        """Decode a layer of a frame, in the form that `dataset.layers.LAYERS` states."""
        return LAYERS[layer].decode(self.raw(layer, frame))


@dataclass(frozen=True)
class Part:
    """The unit that a recipe writes: one clip, or all clips of a character. Iterating loads one clip at a time.

    Attributes:
        key: id of the clip or the character; a valid file name.
        character: id of the character.
        split: `train`, `validation` or `test`; the same for all clips of a character.
        options: result of `Recipe.options`.
        clips: ids of the clips, in order.
        load: loads the frames of a clip.
    """

    key: str
    character: str
    split: str
    options: Mapping[str, Any]
    clips: Sequence[str]
    load: Callable[[str], ClipFrames]

    def __iter__(self) -> Iterator[ClipFrames]:
        """Load the clips one by one."""
        return map(self.load, self.clips)


@dataclass(frozen=True)
class Written:
    """The record of a written part.

    Attributes:
        key, character, split, clips: see `Part`.
        license, credit: of the character; None where its source states none.
        files: size in bytes and SHA-256 by name in the recipe's folder, in order.
        facts: result of `Recipe.write`.
        mark: fingerprint of everything that decides the files; empty for parts read from `parts.jsonl`.
    """

    key: str
    character: str
    split: str
    clips: Sequence[str]
    license: str | None
    credit: str | None
    files: Mapping[str, tuple[int, str]]
    facts: Mapping[str, Any]
    mark: str = ""


class Recipe(ABC):
    """A layout, written part by part in worker processes into `DIR/NAME`.

    To add one, subclass this with a constructor without arguments, and declare the class under its name as an entry
    point of the group ``specsia.recipes``.

    Attributes:
        name: name on the command line and of the folder.
        version: to be raised whenever the same frames give other files.
        title: one line about the layout.
        layers: names of `dataset.layers.LAYERS` that are needed of each frame.
        defaults: settings used where the user states none: `size`, or settings of clips such as `fps` or `frames`.
        by: whether a part is a clip or all clips of a character.
        by_pattern: whether the reader globs, so that it finds nothing below a folder such as ``films [old]``.
        reconstructions: whether reconstructions are written too, into `DIR/NAME-BACKEND`.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    title: ClassVar[str]
    layers: ClassVar[Sequence[str]]
    defaults: ClassVar[Mapping[str, Any]] = {}
    by: ClassVar[Literal["clip", "character"]] = "clip"
    by_pattern: ClassVar[bool] = False
    reconstructions: ClassVar[bool] = False

    def check(self, config: BuildConfig) -> None:  # noqa: B027  most recipes accept all settings
        """Check that the layout's reader can take the result of these settings.

        Raises:
            UsageError: if not, with advice.
        """

    def options(self, config: BuildConfig) -> Mapping[str, Any]:
        """Return what decides the files beside the frames, JSON-serialisable."""
        return {}

    @abstractmethod
    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        """Write the files of a part into an empty folder, under their names in the recipe's folder.

        Args:
            part: the part.
            out: the empty folder. Its files are moved to the recipe's folder; no two parts may share a name.

        Returns:
            Facts, JSON-serialisable: `frames`, their number; `left_out`, the number of frames that the reader cannot
            take; and whatever `whole` and `verify` need.

        Raises:
            CharacterError: if the reader can take nothing of this part, which is then left out.
        """

    def whole(self, parts: Iterable[Written]) -> Iterable[tuple[str, bytes]]:
        """Return names and bytes of files about all parts, which come sorted by key."""
        return ()

    @abstractmethod
    def load(self) -> str:
        """Return Markdown for the card: the layout, and how to load it with its reader."""

    def expected(self, part: Written) -> Mapping[str, int] | None:
        """Return the names of all files of a part, with the number of frames of films, else 0; None if not known."""
        return None

    def verify(self, folder: Path, part: Written) -> Iterator[str]:
        """Check the files of a part; by default by `checks.check_files`.

        Called for each part by `specsia verify`, in worker processes, if all its files exist. The folder may come
        from somebody else. What is raised counts as one more problem.

        Args:
            folder: of the recipe.
            part: record from `parts.jsonl`.

        Yields:
            Problems that begin with the name of a file, such as ``a-walk-00/mask/0003.png is missing``.
        """
        if part.facts.get("frames", 0) > MOST_FRAMES:
            return iter([f"{part.key} has more than {MOST_FRAMES} frames"])
        return check_files(folder, part.files, self.expected(part))
