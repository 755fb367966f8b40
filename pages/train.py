import streamlit as st

from explorer import content, live_run, measurements, session, steering, train_form

st.title("Train")
st.markdown(content.page("train"))
choose, watch = st.columns([1, 2], gap="large")
with choose:
    wanted, under_the_button = train_form.show()
with watch:
    if run := session.current_run():
        stage = live_run.stage_of(run)
        steering.messages(run)
        steering.buttons(run, wanted)
        live_run.show(run, stage, under_the_button)
        steering.prompt(run)
        measurements.show(run)
        steering.downloads(run)
    else:
        st.warning("This link's run is not on this server any more; press Train to start one.")
