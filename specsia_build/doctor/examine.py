"""All that is asked, at once, in the order in which it is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from specsia_build.doctor import machine, packages
from specsia_build.doctor.fact import BROKEN, Fact
from specsia_build.errors import brief

_ASKED: tuple[tuple[str, Callable[[], Fact | Sequence[Fact]], bool], ...] = (
    ("Python", machine.python, True),
    ("packages", packages.core, True),
    ("cores", machine.cores, True),
    ("memory", machine.memory, True),
    ("disk", machine.disks, True),
    ("caches", machine.caches, True),
    ("GPU", packages.gpu, False),
    (packages.TRAIN.fact, packages.torch, False),
    ("Blender", packages.blender, False),
    *((wanted.fact, partial(packages.extra, wanted), False) for wanted in packages.EXTRAS),
    ("Hub", packages.hub, True),
)
"""Name, what finds it, and whether the core is broken where even that cannot be found."""

_TOGETHER = 4


def examine() -> list[Fact]:
    """Look at the machine: nothing is changed, and nothing is asked of a network."""
    with ThreadPoolExecutor(_TOGETHER) as pool:
        found = list(pool.map(_told, _ASKED))
    return [fact for facts in found for fact in facts]


def _told(asked: tuple[str, Callable[[], Fact | Sequence[Fact]], bool]) -> Sequence[Fact]:
    """What was found, or what kept it from being found: the rest of the page is told all the same."""
    name, find, core = asked
    try:
        facts = find()
    except Exception as error:
        return [Fact(name, BROKEN, brief(f"{type(error).__name__}: {error}"), core=core)]
    return [facts] if isinstance(facts, Fact) else facts


def works(facts: Sequence[Fact]) -> bool:
    """Whether datasets can be built here."""
    return not any(fact.core and fact.state == BROKEN for fact in facts)
