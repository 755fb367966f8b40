import streamlit as st

from explorer import content, showing
from explorer.inside import tokenizing, tokens

st.title("Tokens")
st.markdown(content.page("tokens"))
asked = tokenizing.ask()
tokens.SHOW[showing.choose_view(tokens.VIEWS)](asked)
