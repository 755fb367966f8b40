"""A run beside others: which are laid under it, what differs, and what came of it, in numbers."""

from collections.abc import Mapping, Sequence
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from explorer import content, link, session, showing
from explorer.engine.limits import MOST_NAME_LETTERS
from explorer.engine.run import Mark, Run
from explorer.settings import Started, describe, differences, name_by_what_differs
from tiny_llama.errors import UserError

MOST_CHANGES = 3
"""That are said over the curves; the table under them says all."""
N_COLOURS = 6
"""Of the theme, that differ."""


def choose() -> bool:
    """Let the student choose which runs are laid under the current one; whether any are."""
    return bool(link.widget(st.toggle, "earlier", "Earlier runs", folded=True))


def list_runs(run: Run) -> None:
    """List the runs: a tick lays one under the current one; one's own can be pinned and hidden."""
    others = session.comparable_runs(run)
    with st.container(key="list_of_runs", gap="xsmall"):
        for each in (run, *others):
            with _line():
                if each is run:
                    st.markdown(f"**{content.escaped(session.full_name(run))}**")
                else:
                    _tick(each, run)
                _offer_marks(each)
        _list_hidden(run)
    if others:
        st.caption(
            f"Your own runs on the same text and tokenizer are ticked from the start, since only "
            f"their losses can be compared. At most {session.MOST_OVERLAID} are drawn."
        )
    else:
        st.caption("There is no other run of yours yet.")


def _line() -> DeltaGenerator:
    return st.container(horizontal=True, gap="xsmall", vertical_alignment="center")


def _tick(other: Run, run: Run) -> None:
    drawn = session.is_overlaid(other, run)
    key = f"lay_{other.id}"
    link.show(key, drawn)
    st.checkbox(
        content.escaped(session.full_name(other)),
        value=drawn,
        key=key,
        on_change=link.by_hand(key, partial(session.overlay, other.id, on=not drawn)),
    )


def _offer_marks(run: Run) -> None:
    """Let a student pin or hide a run of theirs, or take that back."""
    if not session.is_mine(run):
        return
    name, is_pinned = content.escaped(session.run_name(run)), run.mark is Mark.PINNED
    if run.mark is Mark.HIDDEN:
        _mark_button(run, f"Show {name} again", "visibility", Mark.NONE)
        return
    if is_pinned:
        _mark_button(run, f"Unpin {name}", "keep_off", Mark.NONE)
    else:
        _mark_button(run, f"Pin {name}: first in every list", "keep", Mark.PINNED)
    _mark_button(run, f"Hide {name} from the lists", "visibility_off", Mark.HIDDEN)


def _mark_button(run: Run, label: str, icon: str, mark: Mark) -> None:
    st.button(
        label,
        icon=f":material/{icon}:",
        type="tertiary",
        key=f"{'hide' if Mark.HIDDEN in (mark, run.mark) else 'pin'}_{run.id}",
        help=label,
        on_click=_mark,
        args=(run.id, mark),
    )


def _mark(run_id: str, mark: Mark) -> None:
    try:
        session.engine().mark(run_id, mark, owner=session.owner())
    except UserError as error:
        st.toast(str(error), icon=":material/error:", duration="long")
        return
    if mark is Mark.HIDDEN and session.is_asked_for(run_id):
        session.overlay(run_id, on=False)


def _list_hidden(run: Run) -> None:
    hidden = [each for each in session.hidden_runs() if each.id != run.id]
    if not hidden:
        return
    with st.expander(f"Hidden: {len(hidden)}", icon=":material/visibility_off:", key="hidden_runs"):
        for each in hidden:
            with _line():
                st.markdown(content.escaped(session.full_name(each)))
                _offer_marks(each)


def colours(runs: Sequence[Run]) -> Mapping[str, int]:
    """Give each run a colour, the same one as long as none of the others has it."""
    taken: dict[str, int] = {}
    numbers = list(reversed(session.own_names()))
    for run in runs:
        wanted = numbers.index(run.id) if run.id in numbers else len(numbers)
        free = [each for each in range(N_COLOURS) if each not in taken.values()]
        taken[run.id] = wanted % N_COLOURS if wanted % N_COLOURS in free else free[0]
    return taken


def result(run: Run, others: Sequence[Run]) -> None:
    """Say over the curves what changed from the run before, and what came of it."""
    if not others:
        return
    before = _run_before(run, others)
    found = differences(session.started(before), session.started(run))
    names = [content.escaped(session.run_name(each)) for each in (run, before)]
    words = f"**{names[0]}** beside {names[1]}: {content.escaped(describe(found, MOST_CHANGES))}"
    if numbers := _in_numbers(run, before):
        words += f" · {numbers}"
    if len(found) > 1:
        words += (
            f" · :orange[:material/warning:] {len(found)} settings changed at once, so no single "
            f"one explains the difference"
        )
    with st.container(key="result"):
        st.caption(words)


def _run_before(run: Run, others: Sequence[Run]) -> Run:
    """Find the run that this is a change of, else the last one older than it, else the newest."""
    parents = [each for each in others if each.id == run.parent]
    newest = sorted(others, key=lambda each: each.created, reverse=True)
    older = [each for each in newest if each.created < run.created]
    return (*parents, *older, *newest)[0]


def _in_numbers(run: Run, before: Run) -> str:
    """Give the held-out loss of both after the last step that both have done; empty without one."""
    ours, theirs = run.series["held_out_loss"], before.series["held_out_loss"]
    name, form = "held-out loss", "{:.3f}"
    if session.started(run).text_id != session.started(before).text_id:
        return "another text, so the losses cannot be compared"
    if run.setup.model.vocab_size != before.setup.model.vocab_size:
        ours, theirs = run.series["bits_per_byte"], before.series["bits_per_byte"]
        name = "bits per byte"
    common = sorted(set(ours.steps) & set(theirs.steps))
    if not common or not common[-1]:
        return ""
    step = common[-1]
    values = [form.format(each.values[each.steps.index(step)]) for each in (ours, theirs)]
    other = content.escaped(session.run_name(before))
    return f"{name} {values[0]} against {other}'s {values[1]} after step {step:,}"


def table(run: Run) -> None:
    """Show what came of the student's runs, and of those laid under the current one."""
    runs = [run, *session.comparable_runs(run)]
    runs.sort(key=lambda each: each.mark is not Mark.PINNED)
    if len(runs) < 2 and not session.is_mine(run):
        return
    with st.expander("Outcomes of your runs", icon=":material/table:", key="outcomes"):
        heads = [
            "Run",
            "Learns from",
            "Beside the usual",
            "Steps",
            "Held-out loss",
            "Bits per byte",
        ]
        st.markdown(showing.markdown_table([heads, *(_row(each) for each in runs)], align="lllrrr"))
        if n_hidden := len(session.hidden_runs()):
            st.caption(f"Hidden and left out: {n_hidden}; “Compare” lists them, too.")
        if session.is_mine(run):
            _rename(run)


def _row(run: Run) -> list[str]:
    started: Started = session.started(run)
    numbers = [_last(run, name) for name in ("held_out_loss", "bits_per_byte")]
    differs = name_by_what_differs(run.setup) or "as Tiny LLaMA"
    pin = ":material/keep: " if run.mark is Mark.PINNED else ""
    words = map(content.escaped, (session.run_name(run), started.text_name, differs))
    return [pin + next(words), *words, f"{run.step:,}", *numbers]


def _last(run: Run, name: str) -> str:
    value = run.last(name)
    return "–" if value is None else f"{value:.3f}"


def _rename(run: Run) -> None:
    with st.form(f"rename_{run.id}", border=False):
        name = st.text_input(
            f"Call {session.run_name(run)} something else",
            max_chars=MOST_NAME_LETTERS,
            placeholder=session.run_name(run),
            key=f"name_{run.id}",
        )
        if not st.form_submit_button("Rename", icon=":material/edit:"):
            return
    try:
        session.engine().rename(run.id, name, owner=session.owner())
    except UserError as error:
        st.error(str(error), icon=":material/error:")
    else:
        st.rerun()
