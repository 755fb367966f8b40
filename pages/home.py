import streamlit as st

from explorer import content, views
from explorer.home import papers, starting
from explorer.home.views import VIEWS

st.title("Tiny LLaMA Explorer")
st.markdown(content.page("home"))
starting.show()
papers.opened()
views.choose(VIEWS).show()
