import streamlit as st

from explorer import content, views
from explorer.inside import tokens
from explorer.inside.tokens import tokenizer_setup

st.title("Tokens")
st.markdown(content.page("tokens"))
setup = tokenizer_setup.choose()
views.choose(tokens.VIEWS).show(setup)
