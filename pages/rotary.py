import streamlit as st

from explorer import content, views
from explorer.inside import rotary
from explorer.inspection import inspect

st.title("Rotary embeddings")
st.markdown(content.page("rotary"))
inspection = inspect()
views.choose(rotary.VIEWS).show(inspection)
