from explorer.inside import tokens
from explorer.inside.tokens import tokenizer_setup
from explorer.stage import open_view

view, stage = open_view("tokens", tokens.VIEWS)
with stage.shared:
    setup = tokenizer_setup.choose()
view.draw(stage, setup)
