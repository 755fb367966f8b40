import streamlit as st

from explorer import content, showing
from explorer.home import papers, starting, views

st.title("Tiny LLaMA Explorer")
st.markdown(content.page("home"))
starting.show()
papers.take_from_link()
views.SHOW[showing.choose_view(views.VIEWS)]()
