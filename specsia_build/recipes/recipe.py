"""What a recipe is: a layout that somebody's loader reads, made of clips' frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from specsia_build.config import BuildConfig
from specsia_build.dataset.layers import LAYERS, frame_file

By = Literal["clip", "character"]


@dataclass(frozen=True)
class ClipFrames:
    """One clip's frames, T of them of S x S pixels, as they were drawn.

    Attributes:
        meta: `id`, `character`, `clip` (its `action`, `view`, `yaw` …), `fps`, `times` (T,) in seconds, `loops`,
            whether the last frame passes over into the first as others do into the next, `yaws` (T,) of the camera,
            `size`, `width` of the camera's frame, `box` of positions, `license`, `source`; `palette` (R, 3) of flat
            colours of regions, where there are labels; `backend` of a reconstruction, else None.
        files: of each frame the layers that recipes asked for, by `frame_file`.
        clean: the clean frames' files, where these are of a reconstruction.
    """

    meta: Mapping[str, Any]
    files: Mapping[str, bytes]
    clean: Mapping[str, bytes] | None = None

    @property
    def frames(self) -> int:
        """How many there are."""
        return len(self.meta["times"])

    def raw(self, layer: str, frame: int) -> bytes:
        """A layer of a frame as it is in its file."""
        return self.files[frame_file(layer, frame)]

    def frame(self, layer: str, frame: int) -> Any:
        """A layer of a frame; `dataset.layers.LAYERS` says what that is."""
        return LAYERS[layer].decode(self.raw(layer, frame))


@dataclass(frozen=True)
class Part:
    """What is written at once: a clip, or all clips of a character.

    Attributes:
        key: the clip's or the character's id, a file name.
        character: the character's id.
        split: `train`, `validation` or `test`, the same for all clips of a character.
        options: what the recipe made of the settings, see `Recipe.options`.
        clips: ids of its clips, in order.
        load: gives the frames of one.
    """

    key: str
    character: str
    split: str
    options: Mapping[str, Any]
    clips: Sequence[str]
    load: Callable[[str], ClipFrames]

    def __iter__(self) -> Iterator[ClipFrames]:
        """The clips' frames, one clip's in memory at a time."""
        return map(self.load, self.clips)


@dataclass(frozen=True)
class Written:
    """What is on record of a part that was written.

    Attributes:
        key, character, split, clips: see `Part`.
        license, credit: of the character, None where its source states none.
        files: bytes and SHA-256 by name in the recipe's folder, in order.
        facts: what `Recipe.write` gave.
        mark: SHA-256 over all that decides its files; of no part that is read from `parts.jsonl`.
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

    One of your own is a subclass with a constructor without arguments, declared as an entry point of the group
    ``specsia.recipes`` under its name.

    Attributes:
        name: on the command line, and of its folder.
        version: grows whenever the same frames would give other files.
        title: what it is, in a line.
        layers: that it asks of each frame, of `dataset.layers.LAYERS`.
        defaults: settings of the run where the user states none, by their names in the settings file: `size`, or those
            of clips such as `fps`, `frames`, `views`, `turntable`, `line_px`.
        by: whether a part is a clip, or all clips of a character.
        by_pattern: whether its reader looks for files by patterns, so that it finds none below a folder whose own path
            is one, such as ``films [old]``.
        reconstructions: whether it is written of reconstructions too, into `DIR/NAME-BACKEND`, where these are moved.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    title: ClassVar[str]
    layers: ClassVar[Sequence[str]]
    defaults: ClassVar[Mapping[str, Any]] = {}
    by: ClassVar[By] = "clip"
    by_pattern: ClassVar[bool] = False
    reconstructions: ClassVar[bool] = False

    def check(self, config: BuildConfig) -> None:  # noqa: B027  most have nothing against any settings
        """See that the layout's reader can take what the settings make.

        Raises:
            UsageError: if not, with what to do.
        """

    def options(self, config: BuildConfig) -> Mapping[str, Any]:
        """What of the settings decides its files besides the frames, JSON-serialisable."""
        return {}

    @abstractmethod
    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        """Write a part's files into an empty folder, by the names that they have in the recipe's folder.

        Args:
            part: what is written.
            out: the folder; what is in it is then moved to the recipe's, where no other part has files of these names.

        Returns:
            What is to be known of it, JSON-serialisable: `frames`, their number, `left_out`, that of frames which the
            reader cannot take, and what `whole` and `verify` need.

        Raises:
            CharacterError: if there is nothing of this part that the reader could take; it is then left out.
        """

    def whole(self, parts: Iterable[Written]) -> Iterable[tuple[str, bytes]]:
        """Names and bytes of files over all parts, which come in the order of their keys."""
        return ()

    @abstractmethod
    def load(self) -> str:
        """Markdown for its card: the layout, and the command that loads it with its reader."""

    def verify(self, folder: Path, part: Written) -> Iterator[str]:
        """What is wrong with a part's files: names, shapes, ranges, layers that do not agree.

        `specsia verify` calls it for each part, side by side in worker processes, where all its files are there. It
        may be given a copy that somebody else made or changed, and what it raises is told as a sentence too:
        `recipes.checks` reads pictures and records so that this is one.

        Args:
            folder: of the recipe, with nothing of the run that made it.
            part: what `parts.jsonl` says of it, `files` by name and the `facts` that `write` gave among it.

        Yields:
            Sentences that begin with the name of a file in the folder, such as
            ``a-walk-00/mask/0003.png is of mode RGB, not L``.
        """
        yield from ()
