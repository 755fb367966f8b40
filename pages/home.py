import streamlit as st

from explorer import content, showing
from explorer.home import starting, views

st.title("Tiny LLaMA Explorer")
st.markdown(content.page("home"))
starting.show()
views.SHOW[showing.choose_view(views.VIEWS)]()
