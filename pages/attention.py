import streamlit as st

from explorer import content, views
from explorer.inside import attention
from explorer.inspection import inspect

st.title("Attention")
st.markdown(content.page("attention"))
inspection = inspect()
views.choose(attention.VIEWS).show(inspection)
