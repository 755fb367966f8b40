from explorer.home import papers
from explorer.home.views import VIEWS
from explorer.stage import open_view

view, stage = open_view("home", VIEWS)
papers.opened()
view.draw(stage)
