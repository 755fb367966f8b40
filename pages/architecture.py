import streamlit as st

from explorer.architecture import widgets
from explorer.architecture.views import VIEWS
from explorer.stage import open_view

view, stage = open_view("architecture", VIEWS)
st.html(widgets.STYLE)
with stage.controls:
    setup, preset = widgets.choose()
view.draw(stage, setup, preset)
