"""House rules for source text that `ruff` has no rule for: each function gives the lines that break one."""

import ast
from collections.abc import Iterator

MOST_TARGETS = 2
MOST_LAMBDAS = 3
MOST_PARAMETERS = 6
MOST_LINES = 400

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def targets(tree: ast.Module) -> Iterator[int]:
    """Lines of assignments of a written tuple to more than `MOST_TARGETS` targets."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple | ast.List):
            for target in node.targets:
                if isinstance(target, ast.Tuple | ast.List) and len(target.elts) > MOST_TARGETS:
                    yield node.lineno


def nested_comprehensions(tree: ast.Module) -> Iterator[int]:
    """Lines of comprehensions inside another comprehension."""
    for node in ast.walk(tree):
        if isinstance(node, _COMPREHENSIONS):
            for inner in ast.walk(node):
                if isinstance(inner, _COMPREHENSIONS) and inner is not node:
                    yield inner.lineno


def multiplied_lists(tree: ast.Module) -> Iterator[int]:
    """Lines of displays that a condition leaves out by multiplication, such as ``[a] * (b > 0)``.

    A name is taken for a condition where the product is unpacked into another display, as in
    ``[*a, *[b] * is_long]``.
    """
    unpacked = [node.value for node in ast.walk(tree) if isinstance(node, ast.Starred)]
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            for display, factor in ((node.left, node.right), (node.right, node.left)):
                is_named = isinstance(factor, ast.Name | ast.Attribute) and node in unpacked
                if isinstance(display, ast.List | ast.Tuple) and (is_named or _is_condition(factor)):
                    yield node.lineno


def dicts_of_lambdas(tree: ast.Module) -> Iterator[int]:
    """Lines of dicts with more than `MOST_LAMBDAS` lambdas."""
    for node in ast.walk(tree):
        values = node.values if isinstance(node, ast.Dict) else []
        if sum(isinstance(value, ast.Lambda) for value in values) > MOST_LAMBDAS:
            yield values[0].lineno


def parameters(tree: ast.Module) -> Iterator[int]:
    """Lines of functions with more than `MOST_PARAMETERS` parameters, ``self`` and ``cls`` not counted.

    Commands of click, which have a parameter for each option, may have more, and so may numba's intrinsics,
    whose parameters are the operands of what they generate.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if any(_is_exempt(decorator) for decorator in node.decorator_list):
                continue
            listed = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            names = [parameter.arg for parameter in listed]
            if len([name for name in names if name not in ("self", "cls")]) > MOST_PARAMETERS:
                yield node.lineno


def public_names(tree: ast.Module) -> Iterator[str]:
    """Public classes, aliases and constants that a module defines at its top level."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            defined: list[ast.expr] = [ast.Name(node.name)]
        elif isinstance(node, ast.Assign):
            defined = list(node.targets)
        elif isinstance(node, ast.AnnAssign):
            defined = [node.target]
        else:
            continue
        for target in defined:
            names = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
            yield from (n.id for n in names if isinstance(n, ast.Name) and not n.id.startswith("_"))


def _is_condition(node: ast.expr) -> bool:
    """Whether a factor is true or false, not a number, a length, or arithmetic with them."""
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not)
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "bool"
    return isinstance(node, ast.Compare | ast.BoolOp)


def _is_exempt(decorator: ast.expr) -> bool:
    return "command" in ast.unparse(decorator) or ast.unparse(decorator) == "intrinsic"
