from explorer import run_actions, session, showing
from explorer.stage import open_page
from explorer.train import form, live_run, measurements

stage = open_page("train")
with stage.controls:
    wanted, under_the_button = form.show()
run = session.current_run()
if run is None:
    with stage.picture:
        showing.stop("This link's run is not on this server any more; press Train to start one.")
with stage.picture:
    stood = live_run.stage_of(run)
    run_actions.messages(run)
    run_actions.buttons(run, wanted)
    live_run.show(run, stood, under_the_button)
with stage.below:
    run_actions.prompt(run)
    measurements.show(run)
    run_actions.downloads(run)
