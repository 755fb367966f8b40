"""The browser-side parts: what they share stands once, nothing is fetched, all fits together."""

import re
import tomllib
from pathlib import Path

import pytest
from conftest import ROOT

FOLDER = ROOT / "explorer" / "components"
SHARED = FOLDER / "shared.js"
SCRIPTS = sorted(FOLDER.rglob("*.js"))
STYLES = sorted(FOLDER.rglob("*.css"))
PARTS = sorted(path.stem for path in SCRIPTS if path.stem == path.parent.name)
MODULES = sorted(FOLDER.rglob("*.py"))
EVERY_SCRIPT = pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
EVERY_FILE = pytest.mark.parametrize("path", SCRIPTS + STYLES, ids=lambda path: path.name)

DEFINED = re.compile(
    r"^(?:export )?(?:default )?(?:async )?(?:function|class|const|let) (\w+)", re.M
)
EXPORTED = re.compile(r"^export (?:async )?(?:function|class|const|let) (\w+)", re.M)
IMPORTS = re.compile(r'^import \{([^}]*)\} from "([^"]*)"$', re.M)
COLOUR = re.compile(r"#(?:[0-9A-Fa-f]{6}|[0-9A-Fa-f]{3})\b")
SVG = "http://www.w3.org/2000/svg"


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def code(path: Path) -> str:
    """Give a script without its comments."""
    return re.sub(r"(^|\s)//.*$", "", read(path), flags=re.M)


def imports(path: Path) -> list[tuple[list[str], Path]]:
    """List the names that a script imports, and the file that they are of."""
    return [
        (re.findall(r"\w+", names), (path.parent / place).resolve())
        for names, place in IMPORTS.findall(read(path))
    ]


def settings() -> dict:
    return tomllib.loads(read(ROOT / "pyproject.toml"))


# What is shared.


def test_what_the_shared_module_exports_is_defined_nowhere_else():
    shared = EXPORTED.findall(read(SHARED))
    assert {"element", "svgElement", "readTheme", "saveSvg", "savePng", "number"} <= set(shared)
    for path in set(SCRIPTS) - {SHARED}:
        assert not set(shared) & set(DEFINED.findall(read(path))), path


@pytest.mark.parametrize(
    "by_hand",
    [r"createElement\(", r"createElementNS\(", r"[\"`]--st-", "createObjectURL", r"color-mix\("],
)
def test_elements_theme_and_files_are_made_by_the_shared_module_alone(by_hand):
    assert [path for path in SCRIPTS if re.search(by_hand, code(path))] == [SHARED]


def test_the_palette_stands_in_the_settings_and_for_pages_without_them_in_the_shared_module():
    light = tomllib.loads(read(ROOT / ".streamlit" / "config.toml"))["theme"]["light"]
    with_colours = [path.name for path in SCRIPTS + STYLES + MODULES if COLOUR.search(read(path))]
    assert with_colours == ["shared.js"]
    plain = dict(re.findall(r'^  "([\w-]+)": "([#\w,]+)",$', read(SHARED), re.M))
    assert plain["text-color"] == light["textColor"]
    assert plain["background-color"] == light["backgroundColor"]
    assert plain["primary-color"] == light["primaryColor"]
    colours = plain["chart-categorical-colors"].split(",")
    assert colours == light["chartCategoricalColors"][: len(colours)]
    assert set(plain["chart-sequential-colors"].split(",")) <= set(light["chartSequentialColors"])


# How the files fit together.


def test_every_part_is_listed_with_the_folder_that_holds_what_is_shared():
    listed = settings()["tool"]["streamlit"]["component"]["components"]
    assert sorted(each["name"] for each in listed) == PARTS
    assert {each["asset_dir"] for each in listed} == {"components"}
    assert all((FOLDER / name / f"{name}.js").is_file() for name in PARTS)


@EVERY_SCRIPT
def test_a_script_imports_what_there_is_and_uses_it(path):
    text = code(path)
    for names, place in imports(path):
        assert place.is_relative_to(FOLDER)
        assert set(names) <= set(EXPORTED.findall(read(place)))
        rest = IMPORTS.sub("", text)
        assert [name for name in names if not re.search(rf"\b{name}\b", rest)] == []


@EVERY_SCRIPT
def test_a_script_and_what_it_imports_can_stand_in_one_file(path):
    names = DEFINED.findall(read(path))
    for _, place in imports(path):
        names += DEFINED.findall(read(place))
    assert len(names) == len(set(names))


@EVERY_FILE
def test_nothing_is_asked_of_anybody(path):
    text = read(path).replace(SVG, "")
    assert not re.search(r"\w+://|url\((?!#)|fetch\(|XMLHttp|WebSocket|EventSource|import\(", text)
    places = re.findall(r'(?:@import|from) "([^"]*)"', text)
    assert all((path.parent / place).is_file() for place in places)
    assert len(places) == len(re.findall(r"^(?:@import|import)\b", text, re.M))
