import streamlit as st

from explorer import content

st.title("Family tree")
st.markdown(content.page("family_tree"))
shown = ("name", "organisation", "release_date", "kind", "openness", "source", "confidence")
nodes = content.facts("family_tree")["nodes"]
st.dataframe([{key: node[key] for key in shown} for node in nodes], hide_index=True)
