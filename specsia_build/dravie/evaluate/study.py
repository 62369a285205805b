"""`specsia study`: a page that asks people which of two films is better, and the score of their answers.

The page is a folder of its own: `index.html` and the films under numbers that say nothing. Each pair is shown
twice, the second time with its sides swapped, in an order that the seed decides.
"""

import csv
import html
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from statistics import fmean

import numpy as np

from specsia_build import png, terminal
from specsia_build.arrays import Pixels
from specsia_build.dravie.evaluate.statistics import Bounds, bootstrap
from specsia_build.errors import UsageError, plural
from specsia_build.files.writing import replacing_folder
from specsia_build.folders import require_vacant
from specsia_build.look.evaluation import UNREPAIRED
from specsia_build.look.items import Gallery, Item
from specsia_build.look.open import open_gallery
from specsia_build.look.page import asset
from specsia_build.look.repair import BEFORE
from specsia_build.pictures.files import write_moving
from specsia_build.pictures.films import on_white

ANSWER_COLUMNS = ("pair", "item", "left", "right", "answer")  # Of the answers
_ANSWERS = ("left", "right")
PAGE, FILMS = "index.html", "films"
_TURN_SECONDS = 4  # Length of a film of views around a figure
_MOST_BYTES = 10_000_000  # Of a file of answers


@dataclass(frozen=True)
class Contestant:
    """One side of a gallery: what a method or a run made of its items, by their ids."""

    name: str
    gallery: Gallery
    side: str
    items: Mapping[str, Item]

    def write(self, item_id: str, path: Path) -> None:
        """Write the film of an item on white, as animated WebP."""
        item = self.items[item_id]
        layer = item.sides[self.side].layers[0]
        rate = Fraction(item.fps or item.frames / _TURN_SECONDS).limit_denominator(1000)
        pictures = self.gallery.reader.read(item_id, self.side, [layer], range(item.frames))[layer]
        frames: Iterator[Pixels] = (on_white(png.decode(picture, 4)) for picture in pictures)
        write_moving(path, item.frames, frames, rate)


def contestants(runs: Sequence[str]) -> list[Contestant]:
    """List what the results of runs, repairs or evaluations show: each method or backend of each.

    Names are those of the folders, of the methods where one folder has several, or both. Neither Y*, nor Z as
    it is, is one. Raises `UsageError` if there are fewer than two.
    """
    result = []
    for where in runs:
        gallery, _ = open_gallery(where)
        sides = [name for name in gallery.makers if name not in (BEFORE, UNREPAIRED)]
        for side in sides:
            words = [Path(where).name] if len(runs) > 1 or len(sides) == 1 else []
            words += [side] if len(sides) > 1 else []
            items = {item.id: item for item in gallery.items if side in item.sides}
            result.append(Contestant(": ".join(words), gallery, side, items))
    names = [contestant.name for contestant in result]
    if len(names) < 2 or len(set(names)) < len(names):
        raise UsageError(
            f"a study compares two results or more of different names, not {', '.join(names) or 'none'}: "
            "give an evaluation of several methods, or several folders"
        )
    return result


def write_study(runs: Sequence[str], out: Path, pairs: int, seed: int, question: str) -> int:
    """Write the page of a study of at most so many pairs of films; returns their number.

    Raises `UsageError` if `out` is not empty, or nothing is shown by two of the runs.
    """
    require_vacant(out)
    sides = contestants(runs)
    both = []
    for first, second in itertools.combinations(sides, 2):
        both += [(item, first, second) for item in sorted(first.items.keys() & second.items.keys())]
    if not both:
        raise UsageError(
            f"no two of {', '.join(side.name for side in sides)} show the same character or clip"
        )
    rng = np.random.default_rng(seed)
    chosen = [both[k] for k in rng.permutation(len(both))[:pairs]]
    shown = {(side.name, item): side for item, *pair in chosen for side in pair}
    keys = sorted(shown)
    numbers = {keys[k]: f"{FILMS}/{number:04d}.webp" for number, k in enumerate(rng.permutation(len(keys)))}
    rounds = []
    for swapped in (False, True):
        for k in rng.permutation(len(chosen)):
            item, first, second = chosen[k]
            # Which side comes first alternates by chance, and is the other one the second time.
            turned = swapped ^ bool((seed + k) % 2)
            left, right = (second.name, first.name) if turned else (first.name, second.name)
            films = [numbers[name, item] for name in (left, right)]
            rounds.append({"pair": int(k), "item": item, "left": left, "right": right, "films": films})
    with replacing_folder(out, lambda folder: any(folder.iterdir())) as folder:
        (folder / FILMS).mkdir()
        with terminal.bar("study", len(shown), "film") as advance:
            for (name, item), side in shown.items():
                side.write(item, folder / numbers[name, item])
                advance(1)
        data = json.dumps({"rounds": rounds, "columns": ANSWER_COLUMNS}).replace("<", "\\u003c")
        page = asset("study.html").replace("QUESTION", html.escape(question)).replace('"DATA"', data)
        (folder / PAGE).write_text(page, encoding="utf-8")
    return len(chosen)


@dataclass(frozen=True)
class Share:
    """Share of answers for `first` over `second`, its interval over pairs of films, and the answers."""

    first: str
    second: str
    share: float
    interval: Bounds
    answers: int

    def __str__(self) -> str:
        of = plural(self.answers, "answer")
        return f"{self.first} over {self.second}: {_percent(self.share, self.interval)} of {of}"


@dataclass(frozen=True)
class StudyScore:
    """Shares of each two results, and the share of pairs that a person answered alike both times."""

    shares: tuple[Share, ...]
    agreement: float | None
    interval: Bounds

    @property
    def alike(self) -> str:
        """The agreement as text; it is half for answers by chance."""
        return "not asked" if self.agreement is None else _percent(self.agreement, self.interval)


def _percent(share: float, bounds: Bounds) -> str:
    low, high = bounds
    return f"{share:.0%}" if low is None else f"{share:.0%} [{low:.0%}, {high:.0%}]"


def read_answers(path: Path) -> list[dict[str, str]]:
    """Read the answers of one person; raises `UsageError` if the file is not one that a page wrote."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"it is larger than {_MOST_BYTES:,} bytes")
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines(), strict=True))
        if not rows:
            raise ValueError("it has no answers")
        for number, row in enumerate(rows, 2):
            if tuple(row) != ANSWER_COLUMNS or None in row.values() or row["answer"] not in _ANSWERS:
                raise ValueError(
                    f"line {number} is not {','.join(ANSWER_COLUMNS)} with the answer left or right"
                )
            if row["left"] == row["right"]:
                raise ValueError(f"line {number} compares {row['left']} with itself")
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(
            f"{path} holds no answers of a study ({error}): download them from its page"
        ) from error
    return rows


def score_study(paths: Sequence[Path]) -> StudyScore:
    """Score the answers of people, a file each; intervals are over pairs of films."""
    won: dict[tuple[str, str], dict[tuple[str, str], list[float]]] = {}
    alike: dict[str, list[float]] = {}
    for path in paths:
        choices: dict[str, list[str]] = {}
        for row in read_answers(path):
            first, second = sorted((row["left"], row["right"]))
            chosen = row[row["answer"]]
            pairs = won.setdefault((first, second), {})
            pairs.setdefault((row["pair"], row["item"]), []).append(float(chosen == first))
            choices.setdefault(row["pair"], []).append(chosen)
        for pair, names in choices.items():
            if len(names) > 2:
                raise UsageError(
                    f"{path} answers pair {pair} {len(names)} times: score each person's file once"
                )
            if len(names) == 2:
                alike.setdefault(pair, []).append(float(names[0] == names[1]))
    shares = []
    for (first, second), pairs in sorted(won.items()):
        values, count = [fmean(of) for of in pairs.values()], sum(map(len, pairs.values()))
        shares.append(Share(first, second, fmean(values), bootstrap(values), count))
    repeated = [fmean(of) for of in alike.values()]
    return StudyScore(tuple(shares), fmean(repeated) if repeated else None, bootstrap(repeated))
