import streamlit as st

from explorer import content, views
from explorer.inside import generation
from explorer.inspection import inspect

st.title("Generation")
st.markdown(content.page("generation"))
inspection = inspect()
views.choose(generation.VIEWS).show(inspection)
