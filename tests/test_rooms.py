"""Who may import whom: the rooms of the app, from the bottom up, and no import that runs up."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

ROOMS: dict[str, tuple[str, ...]] = {
    "content": (),
    "source": (),
    "figures": (),
    "state": (),
    "words": (),
    "engine": (),
    "settings": (),
    "engine.worker": ("engine",),
    "engine.server": ("engine",),
    "guard": ("engine",),
    "components": ("figures", "state"),
    "link": ("content", "state", "words"),
    "session": ("engine", "engine.server", "guard", "link", "settings", "state"),
    "presentation": ("components", "link"),
    "glossary": ("content", "state"),
    "showing": ("content", "figures", "glossary", "presentation", "source", "state"),
    "widgets": ("content", "figures", "link", "words"),
    "page_list": (),
    "stage": (
        *("components", "content", "glossary", "page_list", "presentation", "showing", "widgets"),
    ),
    "controls": ("content", "engine", "guard", "link", "settings", "state", "words"),
    "inspection": (
        *("content", "engine", "engine.server", "link", "session", "showing", "stage", "widgets"),
        "words",
    ),
    "beside": ("inspection", "session", "settings", "showing"),
    "run_actions": (
        *("content", "controls", "engine", "engine.server", "session", "settings", "state"),
    ),
    "recorded": ("content", "figures", "showing", "stage"),
    "tour": ("components", "content", "glossary", "link"),
    "family": (
        *("components", "content", "controls", "glossary", "link", "settings", "showing", "stage"),
        *("widgets", "words"),
    ),
    "inside": (
        *("beside", "components", "content", "controls", "engine", "engine.server", "figures"),
        *("inspection", "link", "presentation", "session", "showing", "state", "stage", "widgets"),
        "words",
    ),
    "architecture": (
        *("components", "content", "controls", "engine", "figures", "glossary", "inspection"),
        *("link", "presentation", "session", "settings", "showing", "source", "state", "stage"),
        "widgets",
    ),
    "train": (
        *("components", "content", "controls", "engine", "family", "link", "run_actions"),
        *("session", "settings", "showing", "state"),
    ),
    "home": (
        *("components", "content", "engine.server", "family", "figures", "glossary", "link"),
        *("page_list", "run_actions", "showing", "stage", "tour", "widgets", "words"),
    ),
    "compare": (
        *("components", "content", "engine", "figures", "home", "link", "recorded", "session"),
        *("settings", "showing", "stage", "widgets"),
    ),
    "scaling": (
        *("compare", "content", "engine", "family", "figures", "guard", "home", "link"),
        *("recorded", "session", "showing", "stage", "state", "widgets"),
    ),
    "current_model": (*("content", "engine", "link", "page_list", "session", "state", "train"),),
    "navigation": ("content", "link", "page_list"),
    "handing_over": (
        *("components", "engine", "engine.server", "guard", "page_list", "session", "state"),
    ),
    "share": ("link", "session"),
    "bar": (
        *("components", "content", "current_model", "glossary", "link", "navigation", "page_list"),
        *("presentation", "share"),
    ),
    "returning": ("components", "session", "state"),
    "app": (
        *("bar", "content", "guard", "handing_over", "link", "navigation", "page_list"),
        *("returning", "session", "tour"),
    ),
}
"""What each room of `explorer` imports of the others: only what stands above it in this table."""
PLAIN = {"collections", "dataclasses", "html", "math", "typing", "functools", "re", "itertools"}
FILES = [*sorted((ROOT / "explorer").rglob("*.py")), *sorted((ROOT / "tiny_llama").rglob("*.py"))]


def module_of(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def imported(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports: of ours, the file itself rather than its folder."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                place = ROOT.joinpath(*whole.split("."))
                is_module = place.is_dir() or place.with_suffix(".py").is_file()
                yield whole if is_module else str(node.module)


def room_of(module: str) -> str:
    """Name the room that a module of `explorer` stands in; it is empty for `explorer` itself."""
    _, _, inside = module.partition(".")
    parts = inside.split(".")
    side = ".".join(parts[:2])
    return side if side in ROOMS else parts[0]


def test_every_room_imports_what_the_table_says_and_nothing_else():
    found: dict[str, set[str]] = {room: set() for room in ROOMS}
    for path in FILES:
        module = module_of(path)
        if module.startswith("explorer.") and room_of(module):
            ours = {room_of(name) for name in imported(path) if name.startswith("explorer.")}
            found[room_of(module)] |= ours - {room_of(module)}
    assert found == {room: set(others) for room, others in ROOMS.items()}


def test_no_import_runs_up():
    below: set[str] = set()
    for room, others in ROOMS.items():
        assert set(others) <= below, room
        below.add(room)


def test_modules_import_one_another_in_no_circle():
    graph = {module_of(path): set(imported(path)) for path in FILES}
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join((*way, module))
        if module not in done:
            for other in graph.get(module, set()) - {module}:
                visit(other, (*way, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("path", sorted((ROOT / "explorer" / "figures").glob("*.py")))
def test_a_figure_knows_arrays_and_plain_values_alone(path):
    libraries = {name.split(".")[0] for name in imported(path)} - PLAIN
    assert libraries <= {"numpy", "pandas", "plotly", "explorer"}
    assert all(name.startswith("explorer.figures") for name in imported(path) if "explorer" in name)


def test_the_app_knows_of_experiments_what_needs_no_pytorch():
    """Running and timing them is the worker's; the web server reads what has come of them."""
    with_torch = {"tiny_llama.comparing.running", "tiny_llama.comparing.timing"}
    for path in (ROOT / "explorer").rglob("*.py"):
        if "worker" not in path.parts:
            assert not with_torch & set(imported(path)), path


def test_pages_are_thin():
    for path in (ROOT / "pages").glob("*.py"):
        assert {name.split(".")[0] for name in imported(path)} <= {"streamlit", "explorer"}
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 30, path
