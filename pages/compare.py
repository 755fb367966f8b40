from explorer import compare
from explorer.stage import open_view

view, stage = open_view("compare", compare.VIEWS)
view.draw(stage)
