"""The running code itself is cut out of its file: never a copy, and without importing it."""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import tiny_llama

ROOT = Path(tiny_llama.__file__).parent.parent


@dataclass(frozen=True, kw_only=True)
class Source:
    """A class or a function as its file has it."""

    path: str
    """From the project's root."""
    line: int
    """Where it begins, counted from 1."""
    code: str


@cache
def source(where: str) -> Source:
    """Find a piece of code.

    Args:
        where: "module:name", as in `tiny_llama.menu`, or "module:Class.method", which the class may
            have from another class of this project; the docstring of what is found is left out, as
            a page says the same in other words.

    Raises:
        KeyError: if there is no such module or name.
    """
    path, node = _definition(where)
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    kept = _lines(node, first)
    lines = path.read_text(encoding="utf-8").splitlines()
    code = "\n".join(lines[number - 1] for number in kept)
    return Source(path=path.relative_to(ROOT).as_posix(), line=first, code=_dedented(code))


def has_source(where: str) -> bool:
    """Tell whether there is such a piece of code."""
    try:
        source(where)
    except KeyError:
        return False
    return True


Definition = ast.FunctionDef | ast.ClassDef


def _definition(where: str) -> tuple[Path, Definition]:
    """Find the file that defines something, and the definition; of a method, also a base's."""
    module, _, names = where.partition(":")
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    if not path.is_file():
        raise KeyError(f"{module} is no module of this project")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name, _, method = names.partition(".")
    found = _find(tree, name)
    if not method:
        return path, found
    if inner := _find_in(found, method):
        return path, inner
    for base in _bases(module, tree, found):
        if has_source(f"{base}.{method}"):
            return _definition(f"{base}.{method}")
    raise KeyError(f"{names} is not defined there")


def _find(tree: ast.Module, name: str) -> Definition:
    if not (found := _find_in(tree, name)):
        raise KeyError(f"{name} is not defined there")
    return found


def _find_in(tree: ast.Module | Definition, name: str) -> Definition | None:
    inner = (each for each in tree.body if isinstance(each, Definition))
    return next((each for each in inner if each.name == name), None)


def _bases(module: str, tree: ast.Module, found: Definition) -> list[str]:
    """Say where the classes are that a class is made from."""
    imported = {
        alias.asname or alias.name: f"{node.module}:{alias.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    bases = found.bases if isinstance(found, ast.ClassDef) else []
    names = [base.id for base in bases if isinstance(base, ast.Name)]
    return [imported.get(name, f"{module}:{name}") for name in names]


def _lines(node: Definition, first: int) -> list[int]:
    """Count its lines without those of its docstring, unless it has nothing else."""
    lines = list(range(first, (node.end_lineno or first) + 1))
    if ast.get_docstring(node) is None or len(node.body) == 1:
        return lines
    said = node.body[0]
    return [number for number in lines if not said.lineno <= number <= (said.end_lineno or 0)]


def _dedented(code: str) -> str:
    margin = len(code) - len(code.lstrip(" "))
    return "\n".join(line[margin:] for line in code.splitlines())
