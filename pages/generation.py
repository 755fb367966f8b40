import streamlit as st

from explorer import content, showing
from explorer.inside import generation, looking

st.title("Generation")
st.markdown(content.page("generation"))
looked = looking.look()
generation.SHOW[showing.choose_view(generation.VIEWS)](looked)
