from explorer.architecture import widgets
from explorer.architecture.views import VIEWS
from explorer.stage import open_view

view, stage = open_view("architecture", VIEWS)
setup, preset = widgets.choose(stage)
view.draw(stage, setup, preset)
