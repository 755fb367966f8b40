import streamlit as st

from explorer import content, showing
from explorer.architecture import choosing, views

st.html(choosing.STYLE)
with st.container(key="architecture"):
    choose, watch = st.columns([2, 5])
with choose, st.container(key="choose"):
    st.title("Architecture")
    setup, preset = choosing.choose()
    st.markdown(content.page("architecture"))
with watch, st.container(key="watch"):
    view = showing.choose_view(views.VIEWS)
    with st.container(key=f"view_{view}"):
        views.SHOW[view](setup, preset)
