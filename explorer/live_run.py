"""The panel of one run: what it does, its curves, what it writes, and the buttons to steer it."""

from collections.abc import Mapping

import streamlit as st

from explorer import session
from explorer.components.live_chart import Line, live_chart
from explorer.engine.client import Action, EngineError
from explorer.engine.run import Run
from explorer.engine.shipped import shipped_run
from tiny_llama.cost import count_parameters
from tiny_llama.errors import UserError
from tiny_llama.sample_config import SampleConfig

REFRESH_SECONDS = 0.5
_STATUS = {
    "starting": "Preparing text and model",
    "running": "Training",
    "paused": "Paused",
    "finished": "Finished",
    "stopped": "Stopped",
    "failed": "Ended",
    "interrupted": "Interrupted",
}


def show() -> None:
    """Show the run in the link, live while it goes on; or say how to start one."""
    if session.lost_run():
        st.warning("This link's run is not on this server any more; press Train to start one.")
        return
    run = session.current_run()
    if run is None:
        _recorded()
        return
    polls = run.status in ("starting", "running")
    st.fragment(_panel, run_every=REFRESH_SECONDS if polls else None)(run.id, polls)
    _prompt(run)


def _recorded() -> None:
    """Show how a shipped model was trained, and its text beside an untrained model's."""
    run = shipped_run()
    setup = run.setup
    st.info(
        f"Nothing is trained yet: press Train to see your own. **Recorded** below: "
        f"{count_parameters(setup.model):,} parameters on {setup.corpus}, "
        f"{setup.training.steps:,} steps, trained by this project's own script."
    )
    _numbers(run)
    _curve(run)
    st.subheader("What it writes", anchor=False)
    before, after = st.columns(2)
    with before:
        _sample(*run.samples[0])
    with after:
        _sample(*run.samples[-1])


def _panel(run_id: str, polls: bool) -> None:
    run = session.engine().poll(run_id)
    if run is None:
        return
    _state(run)
    _buttons(run)
    _numbers(run)
    _curve(run)
    _samples(run)
    if polls and run.status not in ("starting", "running"):
        st.rerun()  # once more as a whole page, which then stops asking


def _state(run: Run) -> None:
    steps = run.setup.training.steps
    st.progress(
        min(1.0, run.step / steps), f"{_STATUS[run.status]}: step {run.step:,} of {steps:,}"
    )
    if run.message:
        st.error(run.message, icon=":material/error:")


def _buttons(run: Run) -> None:
    """Offer what can be done with a run now, to its owner only."""
    if run.owner != session.owner() or run.status in ("finished", "stopped", "failed"):
        return
    with st.container(horizontal=True):
        if run.status == "running":
            _button("Pause", "pause", run)
        else:
            _button("Go on", "resume", run, disabled=run.status == "starting")
        _button("One step", "step", run, disabled=run.status != "paused")
        _button("Stop", "stop", run, disabled=run.status in ("starting", "interrupted"))


_ICONS: Mapping[Action, str] = {
    "pause": ":material/pause:",
    "resume": ":material/play_arrow:",
    "step": ":material/skip_next:",
    "stop": ":material/stop:",
}


def _button(label: str, action: Action, run: Run, *, disabled: bool = False) -> None:
    if not st.button(label, icon=_ICONS[action], key=f"run_{action}", disabled=disabled):
        return
    try:
        session.engine().control(run.id, action, owner=session.owner())
    except EngineError as error:
        st.error(str(error))
    else:
        st.rerun()


def _numbers(run: Run) -> None:
    with st.container(horizontal=True):
        st.metric("Training loss", _last(run, "loss", "{:.3f}"))
        st.metric("Held-out loss", _last(run, "held_out_loss", "{:.3f}"))
        if run.series["accuracy"].values:
            st.metric("Accuracy", _last(run, "accuracy", "{:.0%}"))
        else:
            st.metric("Bits per byte", _last(run, "bits_per_byte", "{:.2f}"))
        if run.status != "recorded":  # another machine's speed says nothing about this one
            st.metric("Tokens a second", _tokens_per_second(run))
        st.metric("Parameters", f"{count_parameters(run.setup.model):,}")


def _curve(run: Run) -> None:
    lines = [
        Line(
            name=name,
            title=title,
            x=run.series[name].steps,
            values=run.series[name].values,
            run=run.id,
            smooth=name == "loss",
        )
        for name, title in (("loss", "Training loss"), ("held_out_loss", "Held-out loss"))
    ]
    live_chart(
        lines,
        key="loss_chart",
        y_title="Loss (nats a token)",
        max_x=run.setup.training.steps,
        alt="Loss against training steps; lower is better.",
    )


def _samples(run: Run) -> None:
    """Show the newest text that the model wrote, and the earlier ones on demand."""
    st.subheader("What it writes", anchor=False)
    if not run.samples:
        st.caption("The first text comes as soon as the model is ready.")
        return
    *earlier, newest = run.samples
    _sample(*newest)
    if earlier:
        with st.expander("Earlier texts"):
            for step, text in reversed(earlier[-20:]):
                _sample(step, text)


def _sample(step: int, text: str) -> None:
    st.caption(f"After step {step:,}" if step else "Before training")
    st.code(text, language=None, wrap_lines=True)


def _prompt(run: Run) -> None:
    """Let the model, as it stands, go on from the student's words."""
    if run.status == "failed":
        return
    with st.form("prompt", border=False):
        prompt = st.text_input(
            "Begin a text and let the model go on", max_chars=1000, key="prompt_text"
        )
        if not st.form_submit_button("Write on", icon=":material/edit:"):
            return
    try:
        text = session.engine().generate(run.id, prompt, SampleConfig())
        st.code(text, language=None, wrap_lines=True)
    except UserError as error:
        st.error(str(error))


def _last(run: Run, name: str, form: str) -> str:
    values = run.series[name].values
    return form.format(values[-1]) if values else "–"


def _tokens_per_second(run: Run) -> str:
    """Speed of the last steps, while the run had its turn."""
    seconds = run.series["seconds"].values[-20:]
    if not sum(seconds):
        return "–"
    n_tokens = run.setup.training.batch_size * run.setup.model.context
    return f"{len(seconds) * n_tokens / sum(seconds):,.0f}"
