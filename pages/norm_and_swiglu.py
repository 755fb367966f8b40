import streamlit as st

from explorer import content, views
from explorer.inside import norm_and_swiglu
from explorer.inspection import inspect

st.title("Norm and SwiGLU")
st.markdown(content.page("norm_and_swiglu"))
inspection = inspect()
views.choose(norm_and_swiglu.VIEWS).show(inspection)
