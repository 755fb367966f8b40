from explorer.home import papers, starting
from explorer.home.views import VIEWS
from explorer.stage import open_view

view, stage = open_view("home", VIEWS)
with stage.controls:
    starting.show()
papers.opened()
view.draw(stage)
