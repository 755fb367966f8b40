import streamlit as st

from explorer import content, showing
from tiny_llama.cost import parameters_by_component
from tiny_llama.presets import PRESETS

st.title("Architecture")
st.markdown(content.page("architecture"))
name = st.selectbox("Model", list(PRESETS), key="preset", bind="query-params")
counts = parameters_by_component(PRESETS[name].config)
showing.tiles({part: f"{n:,}" for part, n in counts.items()})
