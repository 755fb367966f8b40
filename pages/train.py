from explorer import run_actions, session, showing
from explorer.stage import open_page
from explorer.train import comparison, form, in_browser, live_run, measurements, where_it_trains

stage = open_page("train")
with stage.controls:
    wanted = form.show()
run = session.current_run()
with stage.picture:
    in_browser.offer_lost()
    if run is None:
        showing.stop("This link's run is not on this server any more; press Train to start one.")
with stage.picture, live_run.panel():
    stood = live_run.stage_of(run)
    with live_run.row_of_play():
        run_actions.buttons(run, wanted)
        run_actions.more(run)
        options = live_run.curve_options(run)
    run_actions.messages(run)
    showing_it = in_browser if in_browser.is_shown(run) else live_run
    showing_it.show(run, stood, options)
with stage.below:
    comparison.table(run)
    run_actions.prompt(run)
    measurements.show(run)
    where_it_trains.show(run)
