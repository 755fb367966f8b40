from explorer.inside import norm_and_swiglu
from explorer.inspection import inspect
from explorer.stage import open_view

view, stage = open_view("norm_and_swiglu", norm_and_swiglu.VIEWS)
with stage.shared:
    inspection = inspect()
view.draw(stage, inspection)
