"""Whether a checkout still has what a worker script uses of it, told from its source alone.

Each script declares what it uses in a literal ``USES``: by file below ``root`` the functions, classes and names with
the parameters it passes (``*name`` for a variadic one, None where only the name counts), global names that functions
read and the script sets, files, and keys of YAML files.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Used:
    """One thing that a worker uses.

    Attributes:
        where: file, relative to the checkout.
        what: the thing in words.
        missing: what is wrong with it in words, or None if it is there.
    """

    where: str
    what: str
    missing: str | None = None


def uses_of(script: Path) -> Mapping[str, Any]:
    """The literal ``USES`` of a worker script; the script is not run.

    Raises:
        ValueError: if it has none.
    """
    tree = ast.parse(script.read_text(encoding="utf-8"))
    constants: dict[str, Any] = {}
    for statement in tree.body:
        for name, value in _assigned(statement):
            try:
                constants[name] = ast.literal_eval(_Constants(constants).visit(value))
            except ValueError:
                continue
    if not isinstance(constants.get("USES"), dict):
        raise ValueError(f"{script.name} declares no USES")
    found: Mapping[str, Any] = constants["USES"]
    return found


class _Constants(ast.NodeTransformer):
    """Puts the values of earlier constants in place of their names."""

    def __init__(self, known: Mapping[str, Any]) -> None:
        self.known = known

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Constant(self.known[node.id]) if isinstance(self.known.get(node.id), str) else node


def check(root: Path, scripts: Iterable[Path]) -> list[Used]:
    """Everything that the scripts use of the checkout, each with what is wrong with it."""
    return [used for script in scripts for used in check_uses(root, uses_of(script))]


def check_uses(root: Path, uses: Mapping[str, Any]) -> list[Used]:
    """As `check`, for one declaration."""
    base = Path(uses.get("root", "."))
    found: list[Used] = []
    for name, wanted in uses.get("modules", {}).items():
        found += _check_module(root, base / name, wanted, uses.get("globals", {}).get(name, {}))
    for name in uses.get("files", ()):
        there = (root / base / name).is_file()
        found.append(
            Used(_shown(base / name), "the file", None if there else f"there is no file {_shown(base / name)}")
        )
    for name, keys in uses.get("keys", {}).items():
        found += _check_keys(root, base / name, keys)
    return found


def _check_module(
    root: Path, path: Path, wanted: Mapping[str, Sequence[str] | None], set_by_us: Mapping[str, Sequence[str]]
) -> Iterator[Used]:
    where = _shown(path)
    try:
        tree = ast.parse((root / path).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        reason = f"there is no file {where}" if isinstance(error, OSError) else f"{where} cannot be parsed: {error}"
        yield from (Used(where, name, reason) for name in wanted)
        return
    for name, parameters in wanted.items():
        yield Used(where, name, _fault(tree, where, name, parameters))
    for name, known in set_by_us.items():
        unknown = sorted(_attributes_read(tree, name) - set(known))
        extra = f"{where} reads {name}.{unknown[0]}, which the worker does not set" if unknown else None
        yield Used(where, f"what it reads of {name}", extra)


def _fault(tree: ast.Module, where: str, name: str, parameters: Sequence[str] | None) -> str | None:
    """What is wrong with a name of a module, None if nothing is."""
    first, _, rest = name.partition(".")
    node = _bindings(tree.body).get(first, False)
    if node is False:
        return f"{where} has no {first}"
    if rest:
        if not isinstance(node, ast.ClassDef):
            return f"{first} in {where} is no class"
        node = _bindings(node.body).get(rest, False)
        if node is False:
            return f"the class {first} in {where} has no {rest}"
    if parameters is None:
        return None
    accepted = _accepted(node) if isinstance(node, ast.AST) else None
    if accepted is None:
        return f"{name} in {where} is no function or class"
    gone = [p for p in parameters if p not in accepted]
    return f"{name} in {where} does not take {' or '.join(gone)}" if gone else None


def _accepted(node: ast.AST) -> set[str] | None:
    """Names of the parameters of a function, or of a class's constructor or data fields."""
    if isinstance(node, ast.ClassDef):
        bound = _bindings(node.body)
        init = bound.get("__init__")
        if isinstance(init, ast.FunctionDef):
            return _accepted(init)
        return set(bound)
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return None
    arguments = node.args
    names = {a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    names |= {f"*{a.arg}" for a in (arguments.vararg, arguments.kwarg) if a is not None}
    return names - {"self", "cls"}


def _bindings(body: Sequence[ast.stmt]) -> dict[str, ast.AST | None]:
    """Names that statements bind, also below `if`, `try` and `with`; the definition, or None for other bindings."""
    found: dict[str, ast.AST | None] = {}
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found[statement.name] = statement
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).split(".")[0]: None for alias in statement.names}
        elif isinstance(statement, ast.If | ast.Try | ast.With | ast.For | ast.While):
            for part in ("body", "orelse", "finalbody"):
                found |= _bindings(getattr(statement, part, []))
        else:
            found |= {name: None for name, _ in _assigned(statement)}
    return found


def _assigned(statement: ast.stmt) -> list[tuple[str, ast.expr]]:
    """Names that an assignment binds, with what they are bound to."""
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return [(statement.target.id, statement.value or ast.Constant(None))]
    if not isinstance(statement, ast.Assign):
        return []
    pairs: list[tuple[str, ast.expr]] = []
    for target in statement.targets:
        if isinstance(target, ast.Name):
            pairs.append((target.id, statement.value))
        elif isinstance(target, ast.Tuple):
            values = statement.value.elts if isinstance(statement.value, ast.Tuple) else [statement.value] * 99
            pairs += [(t.id, v) for t, v in zip(target.elts, values, strict=False) if isinstance(t, ast.Name)]
    return pairs


def _attributes_read(tree: ast.Module, name: str) -> set[str]:
    """Attributes that the module's functions read of a global name."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return {
        node.attr
        for function in functions
        if name not in (_accepted(function) or set())
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name
    }


def _check_keys(root: Path, path: Path, keys: Sequence[str]) -> Iterator[Used]:
    where = _shown(path)
    try:
        content = yaml.safe_load((root / path).read_text(encoding="utf-8"))
    except OSError:
        yield from (Used(where, key, f"there is no file {where}") for key in keys)
        return
    except (ValueError, yaml.YAMLError) as error:
        yield from (Used(where, key, f"{where} cannot be read: {' '.join(str(error).split())}") for key in keys)
        return
    for key in keys:
        yield Used(where, key, None if _has(content, key.split(".")) else f"{where} has no setting {key}")


def _has(content: object, keys: Sequence[str]) -> bool:
    for key in keys:
        if not isinstance(content, dict) or key not in content:
            return False
        content = content[key]
    return True


def _shown(path: Path) -> str:
    return path.as_posix()
