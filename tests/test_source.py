"""The running code as it stands in its file."""

import inspect

import pytest

from explorer.source import ROOT, source
from tiny_llama.menu import MENU
from tiny_llama.parts.attentions.attention import Attention


def test_a_method_is_shown_as_its_file_has_it_without_its_docstring():
    found = source("tiny_llama.parts.attentions.attention:Attention._pattern")
    lines, first = inspect.getsourcelines(Attention._pattern)
    assert found.line == first
    assert found.path == "tiny_llama/parts/attentions/attention.py"
    shown = found.code.splitlines()
    assert shown[0] == lines[0].strip()
    assert set(map(str.strip, shown)) <= set(map(str.strip, lines))
    assert '"""' not in found.code
    assert shown[-1].strip() == lines[-1].strip()


@pytest.mark.parametrize(
    "where", [each.where for options in MENU.values() for each in options.values()]
)
def test_every_option_of_the_menu_can_be_shown(where):
    found = source(where)
    line = (ROOT / found.path).read_text().splitlines()[found.line - 1]
    assert line == found.code.splitlines()[0]
    compile(found.code, found.path, "exec")


@pytest.mark.parametrize(
    "where", ["tiny_llama.nowhere:x", "tiny_llama.model:Nothing", "../etc/passwd:x"]
)
def test_what_does_not_exist_is_no_source(where):
    with pytest.raises(KeyError):
        source(where)
