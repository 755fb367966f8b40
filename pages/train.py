import streamlit as st

from explorer import content, run_actions, session
from explorer.train import form, live_run, measurements

st.title("Train")
st.markdown(content.page("train"))
choose, watch = st.columns([1, 2], gap="large")
with choose:
    wanted, under_the_button = form.show()
with watch:
    if run := session.current_run():
        stage = live_run.stage_of(run)
        run_actions.messages(run)
        run_actions.buttons(run, wanted)
        live_run.show(run, stage, under_the_button)
        run_actions.prompt(run)
        measurements.show(run)
        run_actions.downloads(run)
    else:
        st.warning("This link's run is not on this server any more; press Train to start one.")
