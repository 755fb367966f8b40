from explorer.inside import generation
from explorer.inspection import inspect
from explorer.stage import open_view

view, stage = open_view("generation", generation.VIEWS)
view.draw(stage, inspect(stage))
