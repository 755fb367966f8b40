"""The running code itself, cut out of its file: never a copy, and without importing it."""

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
        where: "module:name", as in `tiny_llama.menu`, or "module:Class.method"; the docstring of
            what is found is left out, as a page says the same in other words.

    Raises:
        KeyError: if there is no such module or name.
    """
    module, _, names = where.partition(":")
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    if not path.is_file():
        raise KeyError(f"{module} is no module of this project")
    text = path.read_text(encoding="utf-8")
    node = _find(ast.parse(text), names)
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    kept = _lines(node, first)
    lines = text.splitlines()
    code = "\n".join(lines[number - 1] for number in kept)
    return Source(path=path.relative_to(ROOT).as_posix(), line=first, code=_dedented(code))


Definition = ast.FunctionDef | ast.ClassDef


def _find(tree: ast.Module, names: str) -> Definition:
    found: ast.Module | Definition = tree
    for name in names.split("."):
        inner = [each for each in found.body if isinstance(each, Definition) and each.name == name]
        if not inner:
            raise KeyError(f"{name} is not defined there")
        found = inner[0]
    assert isinstance(found, Definition)
    return found


def _lines(node: Definition, first: int) -> list[int]:
    """The numbers of its lines without those of its docstring."""
    lines = list(range(first, (node.end_lineno or first) + 1))
    if ast.get_docstring(node) is None:
        return lines
    said = node.body[0]
    return [number for number in lines if not said.lineno <= number <= (said.end_lineno or 0)]


def _dedented(code: str) -> str:
    margin = len(code) - len(code.lstrip(" "))
    return "\n".join(line[margin:] for line in code.splitlines())
