import streamlit as st

from explorer import content, controls, live_run, session
from tiny_llama.errors import UserError

st.title("Train")
st.markdown(content.page("train"))
choose, watch = st.columns([1, 2], gap="large")
with choose:
    chosen = controls.basics()
    button, trouble = st.container(), st.container()
    try:
        setup = controls.details(chosen)
        text = chosen.checked_text()
        if button.button("Train", type="primary", width="stretch", key="train"):
            session.look_at(session.engine().start(setup, owner=session.owner(), text=text))
    except UserError as error:
        button.button("Train", type="primary", width="stretch", key="cannot_train", disabled=True)
        trouble.error(str(error), icon=":material/error:")
with watch:
    live_run.show()
