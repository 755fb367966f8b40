import streamlit as st

from explorer import content
from explorer.inside import looking, rotary, showing

st.title("Rotary embeddings")
st.markdown(content.page("rotary"))
looked = looking.look()
rotary.SHOW[showing.choose_view(rotary.VIEWS)](looked)
