"""The package keeps the rules of `tests.source_rules`, and defines no public name twice."""

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import source_rules as rules

PACKAGE = Path(__file__).parents[1] / "specsia_build"

UPSTREAM = ("backends/upstream/worker.py", "backends/upstream/bridges/")
"""They run without this package, in the environments of other projects, so each repeats what it needs."""

NOT_YET: dict[str, frozenset[str]] = {"length": frozenset({"cli/models.py"})}
"""Files that still break a rule, by rule. A file that keeps it must be taken out, and none be added."""


def sources() -> Iterator[tuple[str, str]]:
    """Path below the package and text of each module."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(UPSTREAM):
            yield name, path.read_text(encoding="utf-8")


def check_files(rule: str, broken: dict[str, list[int]]) -> None:
    listed = NOT_YET.get(rule, frozenset())
    added = {name: lines for name, lines in broken.items() if name not in listed}
    assert not added, f"{rule}: {added}"
    assert not listed - broken.keys(), f"{rule}: these keep it now, so take them out of NOT_YET"


RULES = [
    rules.targets,
    rules.nested_comprehensions,
    rules.multiplied_lists,
    rules.dicts_of_lambdas,
    rules.parameters,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rules(rule: Callable[[ast.Module], Iterator[int]]) -> None:
    lines = {name: sorted(rule(ast.parse(text))) for name, text in sources()}
    check_files(rule.__name__, {name: numbers for name, numbers in lines.items() if numbers})


def test_files_are_short() -> None:
    lengths = {name: text.count("\n") for name, text in sources()}
    check_files("length", {name: [n] for name, n in lengths.items() if n > rules.MOST_LINES})


def test_public_names_are_defined_once() -> None:
    names = Counter(name for _, text in sources() for name in rules.public_names(ast.parse(text)))
    twice = {name for name, count in names.items() if count > 1}
    assert not twice, "give one of each a leading underscore or another name"


@pytest.mark.parametrize(
    ("rule", "broken", "kept"),
    [
        (rules.targets, "a, b, c = 1, 2, 3", "a, b, c = f()\nd, e = 1, 2"),
        (rules.nested_comprehensions, "[[x for x in y] for y in z]", "[x for y in z for x in y]"),
        (rules.multiplied_lists, "['a'] * (n > 1)", "[0] * (n - 1) + [0] * count"),
        (rules.multiplied_lists, "[*a, *['b'] * is_long]", "[*a, *[0] * 3]"),
        (rules.multiplied_lists, "['a'] * bool(b)", "['a'] * len(b)"),
        (rules.multiplied_lists, "a + ['b'] * (not c)", "a + ['b'] * -c"),
        (
            rules.dicts_of_lambdas,
            "{1: lambda: 1, 2: lambda: 2, 3: lambda: 3, 4: lambda: 4}",
            "{1: lambda: 1, 2: f, 3: f, 4: f}",
        ),
        (rules.parameters, "def f(a, b, c, /, d, *, e, g, h): ...", "def f(self, a, b, c, d, e, g): ..."),
        (
            rules.parameters,
            "@compiled\ndef f(a, b, c, d, e, g, h): ...",
            "@command()\ndef f(a, b, c, d, e, g, h): ...",
        ),
        (
            rules.parameters,
            "@inlined\ndef f(a, b, c, d, e, g, h): ...",
            "@intrinsic\ndef f(a, b, c, d, e, g, h): ...",
        ),
    ],
)
def test_rules_find_what_breaks_them(
    rule: Callable[[ast.Module], Iterator[int]], broken: str, kept: str
) -> None:
    assert list(rule(ast.parse(broken)))
    assert not list(rule(ast.parse(kept)))


def test_public_names_of_a_module() -> None:
    text = "A, _b = 1, 2\nc: int = 3\nclass D: ...\nclass _E: ...\ndef f(): g = 4\nH = I = 5"
    assert list(rules.public_names(ast.parse(text))) == ["A", "c", "D", "H", "I"]
