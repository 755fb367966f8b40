import streamlit as st

from explorer import content, showing
from explorer.inside import attention, looking

st.title("Attention")
st.markdown(content.page("attention"))
looked = looking.look()
attention.SHOW[showing.choose_view(attention.VIEWS)](looked)
