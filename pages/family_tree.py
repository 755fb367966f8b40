import streamlit as st

from explorer import content
from explorer.family import page

st.title("Family tree")
st.markdown(content.page("family_tree"))
page.show()
