"""What every view says, as it is shown: no sentence too long, no word marked without its entry."""

import re
from importlib import import_module

import pytest
from conftest import PAGES, ROOT, open_page, prose
from test_glossary import explained, shown, words_marked
from test_sentences import too_long

from explorer import compare, content, glossary
from explorer.architecture import views as architecture
from explorer.family import page as family
from explorer.home import views as home
from explorer.scaling import views as scaling

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("app_engine")]
INSIDE = [page for page in PAGES if (ROOT / "explorer" / "inside" / page).is_dir()]
VIEWS = {page: import_module(f"explorer.inside.{page}").VIEWS for page in INSIDE}
VIEWS |= {"architecture": architecture.VIEWS, "family_tree": family.VIEWS, "home": home.VIEWS}
VIEWS |= {"compare": compare.VIEWS}
VIEWS["scaling"] = scaling.VIEWS
OPENED = [(page, {"view": view.name}) for page, views in VIEWS.items() for view in views]
OPENED += [("train", {})]


@pytest.mark.parametrize(("page", "link"), OPENED)
def test_what_a_view_says_is_short_and_what_it_marks_is_explained(page, link):
    app = open_page(page, **link)
    notes = [each.value for kind in (app.info, app.warning, app.success) for each in kind]
    hints = [each.help for kind in (app.selectbox, app.slider, app.number_input) for each in kind]
    alts = [each.proto.alt.replace("; ", "\n\n") for each in app.get("plotly_chart")]  # lists
    assert too_long([*prose(app), *notes, *filter(None, hints), *alts]) == []
    marked = shown(app)
    assert set(beside_the_picture(app, page, link.get("view", ""))) <= set(marked)
    assert len(marked) > 0
    assert set(marked) <= set(explained(app))


def beside_the_picture(app, page, view):
    """List the words of the glossary in what is read first of a view: its words and its numbers."""
    labels = [
        label
        for line in prose(app)
        if re.fullmatch(r"[A-Z][^*|]* \*\*[^*]*\*\*( · [^*]+ \*\*[^*]*\*\*)+", line)
        for label in re.findall(r"(?:^| · )([^·]*?) \*\*", line)
    ]
    said = list(labels)
    if content.has_words(page, view):
        words = content.inside(page, view)
        said += [words.first_sentence[0], words.why, words.try_it]
    return [word for text in said for word in words_marked(glossary.marked_apart(text))]
