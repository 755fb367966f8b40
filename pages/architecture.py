import streamlit as st

from explorer import content, showing
from explorer.architecture import choosing, views

st.title("Architecture")
st.markdown(content.page("architecture"))
setup, preset = choosing.choose()
view = showing.choose_view(views.VIEWS)
with st.container(key=f"view_{view}"):
    views.SHOW[view](setup, preset)
