import streamlit as st

from explorer import content, showing
from explorer.inside import looking, norm_and_swiglu

st.title("Norm and SwiGLU")
st.markdown(content.page("norm_and_swiglu"))
looked = looking.look()
norm_and_swiglu.SHOW[showing.choose_view(norm_and_swiglu.VIEWS)](looked)
