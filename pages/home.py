import streamlit as st

from explorer import content

st.title("Tiny LLaMA Explorer")
st.markdown(content.page("home"))
st.page_link("../pages/train.py", label="Train a tiny LLaMA now", icon=":material/play_circle:")
