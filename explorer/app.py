"""The entry: page frame and navigation, nothing else."""

from pathlib import Path

import streamlit as st

from explorer import guard, link, navigation, returning, session, sidebar, tour

st.set_page_config(page_title="Tiny LLaMA Explorer", page_icon="🦙", layout="wide")
page = navigation.current_page()
name = navigation.name_of(page)
with guard.page_run(), link.followed(name):
    st.html(Path(__file__).with_name("narrow.css"))
    session.engine()  # its worker starts while the first page is read, whichever that is
    returning.remember_owner()
    navigation.show()
    sidebar.show()
    tour.show(name)
    page.run()
