import streamlit as st

from explorer import content, showing
from explorer.inside import looking, rotary

st.title("Rotary embeddings")
st.markdown(content.page("rotary"))
looked = looking.look()
rotary.SHOW[showing.choose_view(rotary.VIEWS)](looked)
