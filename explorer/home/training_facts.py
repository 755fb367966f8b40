"""How LLaMA was trained: its data, its sizes and learning rates, and the energy it took."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from explorer import content, glossary, showing
from explorer.figures.published import Bar, Spent, Trained, bars, by_size, spending
from explorer.stage import Stage
from explorer.widgets import choose_named

Row = Mapping[str, Any]


def show(stage: Stage) -> None:
    """Show what was read; below it sizes and spending."""
    _data(stage)
    with stage.below:
        _choices()
        _energy()


@dataclass(frozen=True, kw_only=True)
class Amount:
    """Something that is known of each source of text: for LLaMA, and for GPT-3."""

    title: str
    ours: str
    theirs: str
    axis: str
    their_axis: str


MIX: Mapping[str, Amount] = {
    "share": Amount(
        title="Share of what is read",
        ours="sampling_percent",
        theirs="weight_percent",
        axis="Share, %",
        their_axis="Share, %",
    ),
    "epochs": Amount(
        title="How often it is read",
        ours="epochs_at_1p4T",
        theirs="epochs_at_300B",
        axis="Times in 1.4 trillion tokens",
        their_axis="Times in 300 billion tokens",
    ),
    "amount": Amount(
        title="How much there is",
        ours="disk_gb",
        theirs="tokens_billion",
        axis="Gigabytes on disk",
        their_axis="Billions of tokens",
    ),
}


def _data(stage: Stage) -> None:
    titles = {name: each.title for name, each in MIX.items()}
    with stage.controls:
        chosen = MIX[choose_named("What they read", titles, key="mix")]
    ours: Sequence[Row] = content.facts("llama_paper")["table1_pretraining_data"]
    theirs: Sequence[Row] = content.facts("gpt3_paper")["table2_2_data"]
    left, right = st.columns(2)
    with left:
        st.markdown(f"**LLaMA: {chosen.title.lower()}**")
        showing.draw(
            _mix(ours, chosen.ours, f"LLaMA's data, {chosen.title}", chosen.axis, is_ours=True),
            key="mix_llama",
        )
    with right:
        st.markdown(f"**GPT-3: {chosen.title.lower()}**")
        showing.draw(
            _mix(theirs, chosen.theirs, f"GPT-3's data, {chosen.title}", chosen.their_axis),
            key="mix_gpt3",
        )
    with stage.below:
        glossary.say(content.home("data"))
        with st.expander("The numbers, and what each source is", icon=":material/table:"):
            st.markdown(showing.markdown_table(data_rows(ours), "lrrrl"))
            st.markdown(showing.markdown_table(their_rows(theirs), "lrrr"))
        showing.cite_all([*ours, *theirs])


def _mix(rows: Sequence[Row], column: str, title: str, x: str, *, is_ours: bool = False) -> Any:
    shown = [
        Bar(label=row["dataset"], value=row[column], is_ours=is_ours, words=_written(row, column))
        for row in rows
    ]
    return bars(shown, title=title, x=x, others="GPT-3")


def _written(row: Row, column: str) -> str:
    """Write a number as the paper prints it; sizes in the unit that it prints."""
    return str(row["disk_printed"]) if column == "disk_gb" else f"{row[column]:g}"


def data_rows(rows: Sequence[Row]) -> list[list[str]]:
    """List LLaMA's sources, a row each, the heads first."""
    cells = [
        [
            f"**{row['dataset']}**",
            f"{row['sampling_percent']:g} %",
            f"{row['epochs_at_1p4T']:g}",
            row["disk_printed"],
            content.escaped(row["description"]),
        ]
        for row in rows
    ]
    return [["LLaMA", "Share", "Times read", "On disk", "What it is"], *cells]


def their_rows(rows: Sequence[Row]) -> list[list[str]]:
    """List GPT-3's sources, a row each, the heads first."""
    cells = [
        [
            f"**{content.escaped(row['dataset'])}**",
            f"{row['weight_percent']:g} %",
            f"{row['epochs_at_300B']:g}",
            f"{row['tokens_billion']:g} billion",
        ]
        for row in rows
    ]
    return [["GPT-3", "Share", "Times read", "Tokens"], *cells]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Something that the makers chose for each size."""

    title: str
    axis: str
    of: Callable[[Row], float]
    written: Callable[[float], str]
    short: Callable[[float], str]
    """Beside the axis."""


AGAINST: Mapping[str, Choice] = {
    "per_parameter": Choice(
        title="Tokens a parameter",
        axis="Tokens read for each parameter",
        of=lambda row: row["train_tokens"] / _parameters(row),
        written=lambda value: f"{value:,.1f} tokens a parameter",
        short=lambda value: f"{value:,.0f}",
    ),
    "tokens": Choice(
        title="Tokens",
        axis="Tokens read",
        of=lambda row: row["train_tokens"],
        written=lambda value: f"{value / 1e9:,.0f} billion tokens",
        short=lambda value: f"{value / 1e9:,.0f}B",
    ),
    "learning_rate": Choice(
        title="Learning rate",
        axis="Highest learning rate",
        of=lambda row: row["learning_rate"],
        written=lambda value: f"learning rate {value:g}",
        short=lambda value: f"{value:.5f}".rstrip("0"),
    ),
    "batch": Choice(
        title="Batch",
        axis="Tokens in a batch",
        of=lambda row: _millions(row.get("batch_printed") or row["batch_tokens_printed"]),
        written=lambda value: f"{value / 1e6:g} million tokens a batch",
        short=lambda value: f"{value / 1e6:g}M",
    ),
}


def _parameters(row: Row) -> int:
    counted = row.get("params_exact_measured") or row["params_measured_gpt2_class"]
    return int(counted)


def _millions(printed: str) -> float:
    return float(printed.removesuffix("M")) * 1e6


def _choices() -> None:
    st.header("Sizes, tokens and learning rates", anchor=False)
    glossary.say(content.home("choices"))
    titles = {name: each.title for name, each in AGAINST.items()}
    chosen = AGAINST[
        choose_named("Against", titles, key="against", as_buttons=True, is_labelled=False)
    ]
    families = trained_models()
    series = {
        name: [
            Trained(
                label=row["model"],
                parameters=_parameters(row),
                value=chosen.of(row),
                written=chosen.written(chosen.of(row)),
            )
            for row in rows
        ]
        for name, rows in families.items()
    }
    showing.draw(by_size(series, y=chosen.axis, short=chosen.short), key="by_size")
    rows = [row for each in families.values() for row in each]
    with st.expander("The numbers", icon=":material/table:"):
        st.markdown(showing.markdown_table(choice_rows(rows), "lrrrr"))
        st.caption("  \n".join(content.escaped(word) for word in oddities()))
    showing.cite_all(rows)


def trained_models() -> Mapping[str, Sequence[Row]]:
    """Give LLaMA's four sizes and GPT-3's eight, as their papers have them."""
    return {
        "LLaMA": content.facts("llama_paper")["table2_sizes"],
        "GPT-3": content.facts("gpt3_paper")["table2_1_sizes"],
    }


def choice_rows(rows: Sequence[Row]) -> list[list[str]]:
    """List every model with all that was chosen for it, the heads first."""
    cells = [
        [
            f"**{row['model']}**",
            f"{_parameters(row):,}",
            f"{row['learning_rate']:g}",
            row.get("batch_printed") or row["batch_tokens_printed"],
            f"{row['train_tokens'] / 1e9:,.0f} billion",
        ]
        for row in rows
    ]
    return [["Model", "Parameters, counted", "Learning rate", "Batch", "Tokens"], *cells]


def oddities() -> list[str]:
    """List what the two papers print that does not fit, in the words of the facts."""
    llama, gpt3 = content.facts("llama_paper"), content.facts("gpt3_paper")
    printed = [f"LLaMA: {row['note']}." for row in llama["table2_notes"][:2]]
    quirks = [
        f"{row['model']}: {row['printed_quirk']}."
        for row in gpt3["table2_1_sizes"]
        if row["printed_quirk"]
    ]
    return printed + quirks


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Something that training took."""

    title: str
    axis: str
    printed: str
    again: str | None


COSTS: Mapping[str, Cost] = {
    "hours": Cost(title="GPU hours", axis="Hours of one A100", printed="gpu_hours", again=None),
    "energy": Cost(title="Energy", axis="Megawatt hours", printed="mwh", again="recomputed_mwh"),
    "carbon": Cost(
        title="Carbon",
        axis="Tonnes of CO₂ equivalent",
        printed="tco2eq",
        again="recomputed_tco2eq",
    ),
}


def _energy() -> None:
    st.header("What training took", anchor=False)
    glossary.say(content.home("energy"))
    cost = COSTS[
        choose_named(
            "What it cost",
            {name: e.title for name, e in COSTS.items()},
            key="cost",
            as_buttons=True,
            is_labelled=False,
        )
    ]
    table: Sequence[Row] = content.facts("llama_paper")["table15_carbon"]
    rows = [
        Spent(
            label=row["model"],
            printed=row[cost.printed],
            again=row[cost.again] if cost.again else None,
            is_ours=row["model"].startswith("LLaMA"),
        )
        for row in sorted(table, key=lambda row: -row[cost.printed])
    ]
    showing.draw(spending(rows, title=cost.title, x=cost.axis), key="spending")
    with st.expander("The numbers", icon=":material/table:"):
        st.markdown(showing.markdown_table(energy_rows(table), "lrrr"))
    st.markdown(doubt())
    method = content.facts("llama_paper")["carbon_method"]
    showing.cite_all([*table, method])


def energy_rows(rows: Sequence[Row]) -> list[list[str]]:
    """Give hours, energy and carbon as printed, and as computed again, the heads first."""
    cells = [
        [
            f"**{row['model']}**",
            f"{row['gpu_hours']:,}",
            f"{row['mwh']} ({row['recomputed_mwh']:.1f})",
            f"{row['tco2eq']} ({row['recomputed_tco2eq']:.1f})",
        ]
        for row in rows
    ]
    return [["Model; printed (computed again)", "GPU hours", "MWh", "t CO₂eq"], *cells]


def doubt() -> str:
    """Say which two numbers of the paper do not agree, with our own sum, in Markdown."""
    method = content.facts("llama_paper")["carbon_method"]
    whole = method["whole_project"]
    watts = content.facts("llama_paper")["table15_carbon"][0]["gpu_watts"]
    month = 365.25 / 12 * 24
    hours = whole["gpus"] * whole["months_printed"] * month
    mwh = hours * watts * method["pue"] / 1e6
    return (
        f"**A doubt about the whole project.** The paper says {whole['gpus']:,} GPUs for about "
        f"{whole['months_printed']} months, {whole['mwh_printed']:,} MWh and "
        f"{whole['tco2eq_printed']:,} tonnes. So many GPUs for so long, at {watts} W each and "
        f"{method['pue']} for the building, would be about {round(mwh, -1):,.0f} MWh. Months "
        "and MWh do not agree; both stand here as printed."
    )
