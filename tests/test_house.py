"""The rules of the house: who may import whom, and what the web server must not hold."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("tiny_llama", "explorer", "pages")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
NEEDS_NO_TORCH = ["config", "train_config", "sample_config", "fields", "errors", "menu"]
NEEDS_NO_TORCH += [
    "presets",
    "cost",
    "serving",
    "training_cost",
    "script",
    "setup",
    "metrics",
    "tokenizers",
    "corpora",
    "hugging_face_layouts",
    "analyses",
    "diagram",
    "dial",
    "comparing.plan_file",
    "comparing.power",
    "comparing.results",
    "comparing.isoflop",
    "comparing.optimum",
    "comparing.points_file",
]
WORKER = ROOT / "explorer" / "engine" / "worker"


def imported(path: Path, *, at_top: bool = False) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if at_top else ast.walk(tree)
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def packages(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(path)}


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_room_imports_only_what_it_may(path):
    ours = packages(path)
    if room(path) == "tiny_llama":
        assert not ours & {"streamlit", "plotly", "explorer"}
    if room(path) == "explorer" and WORKER not in path.parents:
        assert "torch" not in ours
        assert not {name for name in imported(path) if name.startswith("explorer.engine.worker")}


def test_the_engines_two_sides_meet_only_in_what_stands_above_them():
    engine = WORKER.parent
    for path in engine.rglob("*.py"):
        side = path.relative_to(engine).parts[0]
        others = {"server", "worker"} - {side}
        found = {name for name in imported(path) if name.startswith("explorer.engine.")}
        assert not {name for name in found if name.split(".")[2] in others}, path


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_stand_at_the_top(path):
    assert imported(path) == imported(path, at_top=True)


def test_nothing_is_ever_unpickled():
    banned = {"pickle", "torch.load", "shelve", "joblib", "marshal"}
    for path in FILES:
        assert not imported(path) & banned, path
        assert "torch.load(" not in path.read_text(encoding="utf-8"), path


def in_a_fresh_python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=120)


@pytest.mark.parametrize("name", NEEDS_NO_TORCH)
def test_what_counts_and_describes_needs_no_pytorch(name):
    in_a_fresh_python(f"import sys, tiny_llama.{name}; assert 'torch' not in sys.modules")


def test_the_worker_holds_no_statistics():
    in_a_fresh_python(
        "import sys, explorer.engine.worker.__main__; assert 'scipy' not in sys.modules"
    )


def test_the_library_needs_no_web_page():
    in_a_fresh_python(
        "import sys, tiny_llama.command_line; assert not {'streamlit', 'plotly'} & set(sys.modules)"
    )


def test_the_web_server_holds_no_tensors_after_every_page_was_opened():
    names = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))
    assert {"home", "train", "attention"} <= set(names)
    in_a_fresh_python(
        "import sys\n"
        "from streamlit.testing.v1 import AppTest\n"
        "app = AppTest.from_file('explorer/app.py', default_timeout=60).run()\n"
        f"for page in {names}:\n"
        "    app.switch_page(f'../pages/{page}.py').run()\n"
        "    assert not app.exception, app.exception\n"
        "assert 'torch' not in sys.modules\n"
    )


NAMES_A_THING = {
    *("The", "A", "An", "What", "How", "Where", "Which", "Whether", "Whose", "Why", "When", "Who"),
    *("All", "Each", "Every", "One", "Some", "Any", "Bytes", "Operations", "Tokens", "Numbers"),
}
"""With these words a docstring begins that names what comes back, in place of a sentence."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_function_says_what_it_does_in_a_whole_sentence(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        says, marks = ast.get_docstring(node), map(ast.unparse, node.decorator_list)
        if says and not any("property" in mark for mark in marks):
            assert says.split()[0] not in NAMES_A_THING, f"{node.name}: {says.splitlines()[0]}"
