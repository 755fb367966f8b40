import streamlit as st

from explorer import content, views
from explorer.architecture import widgets
from explorer.architecture.views import VIEWS

st.html(widgets.STYLE)
with st.container(key="architecture"):
    choose, watch = st.columns([2, 5])
with choose, st.container(key="choose"):
    st.title("Architecture")
    setup, preset = widgets.choose()
    st.markdown(content.page("architecture"))
with watch, st.container(key="watch"):
    view = views.choose(VIEWS)
    with st.container(key=f"view_{view.name}"):
        view.show(setup, preset)
