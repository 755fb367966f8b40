from explorer.scaling.views import VIEWS
from explorer.stage import open_view

view, stage = open_view("scaling", VIEWS)
view.draw(stage)
