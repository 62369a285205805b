"""The recipe `paintbucket`: line art, its segments, and which are the same part of a character in all frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from specsia_build.dataset.layers import LABEL, SEG
from specsia_build.errors import CharacterError
from specsia_build.recipes import checks
from specsia_build.recipes.painted import names_of, teaches, write_frame, wrong
from specsia_build.recipes.recipe import Part, Recipe, Written

TOP, REF = "PaintBucket_Char", "ref"

SHEETS = 4
"""Frames of the turntable; a reader draws one of so many."""

PATH_WORDS = ("line", "seg", "gt", "png")
"""What readers replace by one another, wherever in a path it stands."""


_SAID_WORDS = ", ".join(f"`{word}`" for word in PATH_WORDS)


class PaintBucket(Recipe):
    """What BasicPBC's `PaintBucketLabelSegDataset` trains on and its `PaintBucketSegMat` tests with."""

    name = "paintbucket"
    title = "line art, its segments and their flat colours, frame after frame of a character, as BasicPBC reads them"
    layers = (LABEL, SEG)
    defaults: ClassVar[Mapping[str, Any]] = {"size": 640, "turntable": True}
    by = "character"

    def write(self, part: Part, out: Path) -> Mapping[str, Any]:
        folder = f"{part.split}/{TOP}/{folder_name(part.character)}"
        numbers: dict[str, list[int]] = {}
        count = left_out = sheets = 0
        for clip in part:
            kept = [k for k in range(clip.frames) if teaches(clip.frame(SEG, k))]
            if len(set(clip.meta["yaws"])) > 1:
                sheets = SHEETS if len(kept) >= SHEETS else 0
                for sheet in range(sheets):
                    write_frame(
                        out, names_of(f"{folder}/{REF}", sheet, part.split), clip, kept[sheet * len(kept) // SHEETS]
                    )
                continue
            for number, k in enumerate(kept, count):
                write_frame(out, names_of(folder, number, part.split), clip, k)
            numbers[clip.meta["id"]] = [count, len(kept)]
            count, left_out = count + len(kept), left_out + clip.frames - len(kept)
        if not numbers:
            raise CharacterError(
                f"{part.character} has no clip but its turntable, and BasicPBC learns from frames of motions: --motion "
                "FILE or NAME gives it one"
            )
        if not count:
            raise CharacterError(
                f"no frame of a motion of {part.character} has lines and a segment near its middle and background "
                "around, and BasicPBC's training would look for one for ever: try --in-place, or another --size"
            )
        return {"frames": count, "left_out": left_out, "sheets": sheets, "numbers": numbers}

    def load(self) -> str:
        return _LOAD

    def verify(self, folder: Path, part: Written) -> Iterator[str]:
        top = f"{part.split}/{TOP}/{folder_name(part.character)}"
        frames = [names_of(top, number, part.split) for number in range(checks.frames(part))]
        sheets = SHEETS if part.facts["sheets"] else 0
        frames += [names_of(f"{top}/{REF}", sheet, part.split) for sheet in range(sheets)]
        yield from checks.names(part, {name for names in frames for name in names.values()})
        for names in frames:
            if part.files.keys() >= set(names.values()):
                yield from wrong(folder, names)


def folder_name(character: str) -> str:
    """A character's id with capitals in it so that no reader finds a word to replace; ids differ in more than case."""
    for word in PATH_WORDS:
        character = character.replace(word, word.capitalize())
    return character


_LOAD = f"""\
`train/{TOP}/CHARACTER/` has `gt`, `line`, `label`, `seg`, `json_color` and `json_index` as PaintBucket-Character v1, \
with one number for each frame in all of them, through all clips of a character; `numbers` in `parts.jsonl` gives the \
first number and the count of each clip. `test/` and `validation/` have `gt`, `line` and `seg` with its colours. \
`{REF}/` holds {SHEETS} frames of the turntable, evenly chosen. Numbers of `label` count the character's regions \
from 1 on, the same in all its frames.

```bash
# in a checkout of ykdai/BasicPBC; FOLDER is where this card lies
sed "s#root: dataset/#root: FOLDER/#; s#name: {TOP}#name: mine#" options/train/basicpbc_pbch_train_option.yml > mine.yml
python basicsr/train.py -opt mine.yml
```

Frames without lines and a segment near the middle, or without background, are left out (`left_out` in \
`parts.jsonl`), as training would look for them for ever. In names of characters {_SAID_WORDS} have a capital \
(`Caroline` is `CaroLine`), as BasicPBC replaces these words in whole paths: see that no folder above FOLDER has \
one of them in its name.
"""
