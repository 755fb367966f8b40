from explorer.inside import norm_and_swiglu
from explorer.inspection import inspect
from explorer.stage import open_view

view, stage = open_view("norm_and_swiglu", norm_and_swiglu.VIEWS)
view.draw(stage, inspect(stage))
