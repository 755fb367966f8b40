from explorer.inside import attention
from explorer.inspection import inspect
from explorer.stage import open_view

view, stage = open_view("attention", attention.VIEWS)
view.draw(stage, inspect(stage))
