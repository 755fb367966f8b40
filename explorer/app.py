"""The entry: page frame and navigation, nothing else."""

import streamlit as st

from explorer import bar, content, guard, handing_over, link, navigation, returning, session, tour
from explorer.page_list import entry

page = navigation.current_page()
name = navigation.name_of(page)
st.set_page_config(
    page_title=f"{entry(name).title} · Tiny LLaMA Explorer", page_icon=content.MARK, layout="wide"
)
with guard.page_run(), link.followed(name):
    session.engine()  # its worker starts while the first page is read, whichever that is
    returning.remember_owner()
    bar.show(name)
    handing_over.listen(name)
    tour.show(name)
    page.run()
