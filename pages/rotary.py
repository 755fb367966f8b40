from explorer.inside import rotary
from explorer.inspection import inspect
from explorer.stage import open_view

view, stage = open_view("rotary", rotary.VIEWS)
view.draw(stage, inspect(stage))
