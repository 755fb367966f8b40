"""Training LLaMA 65B: the paper's figures checked against one another, and a calculator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from explorer import content, link, showing
from explorer.architecture.accelerators import (
    USUAL,
    Accelerator,
    accelerators,
    choose_accelerator,
    describe,
)
from explorer.architecture.assumptions import choose_budget
from explorer.figures.amounts import in_energy, in_flops, in_mass, in_rate, in_time, in_words
from explorer.stage import Stage
from explorer.widgets import choose_named
from tiny_llama.config import ModelConfig
from tiny_llama.cost import FLOPS_A_TRAINED_TOKEN, active_parameters, count_parameters
from tiny_llama.presets import PRESETS
from tiny_llama.setup import Setup
from tiny_llama.training_cost import (
    accelerator_hours,
    carbon_tonnes,
    energy_kwh,
    exact_training_flops,
    model_utilisation,
)

LLAMA_65B = "llama-1-65b"
SIZES = {
    "LLaMA-7B": "llama-1-7b",
    "LLaMA-13B": "llama-1-13b",
    "LLaMA-33B": "llama-1-33b",
    "LLaMA-65B": LLAMA_65B,
}
COUNTS = {"6nd": "6ND, as papers do", "exact": "the exact sum"}
USUAL_UTILISATION = 47.7
"""Per cent; what LLaMA 65B reached."""
SECONDS_A_DAY, HOURS_A_DAY = 86_400, 24


def show(stage: Stage, setup: Setup, name: str = "") -> None:
    """Show how LLaMA's training adds up, and beside it what a setup's own would take."""
    with stage.controls:
        budget = choose_budget(setup, name)
        plan = _choose_plan(setup, name, budget.n_tokens)
    showing.in_one_line(plan_numbers(plan))
    st.markdown(checks_table(checks(), _title(setup, name), beside(plan, setup.model)))
    with stage.below:
        _sources()
        st.header("The model that you chose", anchor=False)
        st.markdown(plan_words(plan))
        st.caption(budget.words)
        st.caption(
            f"{USUAL_UTILISATION}% is what LLaMA 65B reached, counted by 6ND; a small model "
            f"reaches far less, as its matrices are too small to keep a card busy."
        )
        describe(plan.accelerator, "fp16")
    stage.explain(code="tiny_llama.training_cost:accelerator_hours")


def _title(setup: Setup, name: str) -> str:
    """Say what the model that was chosen is called."""
    preset = PRESETS.get(name)
    if preset is None:
        return "Your model"
    return preset.title if preset.config == setup.model else f"{preset.title}, changed"


def _sources() -> None:
    """Show where the printed figures are from, and what else the paper's hours mean."""
    efficiency, carbon = _facts("efficiency"), _facts("carbon_method")
    st.caption(
        f"Computed: {efficiency['tokens_per_sec_per_gpu_65B']} tokens/s on each of "
        f"{efficiency['n_gpus']:,} {efficiency['gpu']}, {in_rate(a100_peak())} at best in bf16. "
        f"{content.cited(efficiency['source'], efficiency['confidence'])}"
    )
    st.markdown("**Table 15, from its hours**")
    st.markdown(hours_table())
    st.caption(
        f"Energy: hours × watts × {carbon['pue']}; carbon: {carbon['kg_co2_per_kwh']} kg a kWh, "
        f"the same for all. The whole project: {content.escaped(carbon['doubt'])}. "
        f"{content.cited(carbon['source'], carbon['confidence'])}"
    )


def a100_peak() -> float:
    """Give the operations a second in bf16 of what LLaMA was trained on."""
    return accelerators()[USUAL].peak("fp16")


@dataclass(frozen=True, kw_only=True)
class Check:
    """A figure computed here beside the printed one."""

    what: str
    computed: str
    printed: str
    verdict: str


def checks() -> list[Check]:
    """Compute what follows from the figures about LLaMA 65B, beside what the paper prints."""
    config = PRESETS[LLAMA_65B].config
    said, size, row = _facts("efficiency"), _size("LLaMA-65B"), _carbon("LLaMA-65B")
    method = _facts("carbon_method")
    n_tokens, speed = size["train_tokens"], said["tokens_per_sec_per_gpu_65B"]
    hours = n_tokens / speed / 3600
    days = hours / HOURS_A_DAY / said["n_gpus"]
    six_n = FLOPS_A_TRAINED_TOKEN * count_parameters(config)
    kwh = energy_kwh(row["gpu_hours"], watts=row["gpu_watts"], usage_effectiveness=method["pue"])
    tonnes = carbon_tonnes(kwh, kg_a_kwh=method["kg_co2_per_kwh"])
    exact = exact_training_flops(config, n_tokens, skips_hidden=True)
    used, used_exact = (
        model_utilisation(each, tokens_a_second=speed, peak_flops=a100_peak())
        for each in (six_n, exact / n_tokens)
    )
    printed_days = said["days_for_1p4T_tokens"]
    return [
        Check(
            what="Tokens/s on each",
            computed="–",
            printed=f"{speed}",
            verdict=f"on {said['gpu']}",
        ),
        Check(
            what="Accelerators",
            computed="–",
            printed=f"{said['n_gpus']:,}",
            verdict="all at once",
        ),
        Check(
            what="Operations, 6ND with all parameters",
            computed=in_flops(six_n * n_tokens),
            printed="–",
            verdict=f"{count_parameters(config):,} parameters, {in_words(n_tokens)} tokens",
        ),
        Check(
            what=f"Operations, exact, texts of {config.context:,}",
            computed=in_flops(exact),
            printed="–",
            verdict=f"{exact / (six_n * n_tokens) - 1:+.1%}: scores that are read, less the table",
        ),
        Check(
            what="Days",
            computed=f"{days:.1f}",
            printed=f"about {printed_days}",
            verdict=agreement(days, printed_days),
        ),
        Check(
            what="GPU-hours (Table 15)",
            computed=f"{hours:,.0f}",
            printed=f"{row['gpu_hours']:,}",
            verdict=agreement(hours, row["gpu_hours"]),
        ),
        Check(
            what="Utilisation (MFU), by 6N",
            computed=f"{used:.1%}",
            printed="–",
            verdict=f"{in_rate(six_n * speed)} of {in_rate(a100_peak())} on each",
        ),
        Check(
            what="Utilisation, by the exact sum",
            computed=f"{used_exact:.1%}",
            printed="–",
            verdict="hidden scores skipped, as in section 2.4",
        ),
        Check(
            what="Energy, from the printed hours",
            computed=f"{kwh / 1000:,.1f} MWh",
            printed=f"{row['mwh']} MWh",
            verdict=agreement(kwh / 1000, row["mwh"]),
        ),
        Check(
            what="Carbon, CO₂ equivalent",
            computed=f"{tonnes:,.1f} t",
            printed=f"{row['tco2eq']} t",
            verdict=agreement(tonnes, row["tco2eq"]),
        ),
    ]


def agreement(computed: float, printed: float) -> str:
    """Say how far two figures agree."""
    off = computed / printed - 1
    word = "agrees" if abs(off) < 0.02 else "differs"
    return f"{word}, {off:+.1%}"


def checks_table(found: list[Check], title: str, others: Sequence[str]) -> str:
    """List the checks, and beside each the same of another model, in Markdown."""
    rows = [["LLaMA 65B", "Computed", "Printed", "", content.escaped(title)]]
    rows += [
        [each.what, each.computed, each.printed, each.verdict, other]
        for each, other in zip(found, others, strict=True)
    ]
    return showing.markdown_table(rows, "lrrlr")


def hours_table() -> str:
    """Say what each size's printed hours mean for speed, utilisation, energy and carbon."""
    rows = [
        ["Model", "GPU-hours", "Tokens/s on each", "MFU, 6N", "MWh (printed)", "t CO₂ (printed)"]
    ]
    method = _facts("carbon_method")
    for row in content.facts("llama_paper")["table15_carbon"]:
        kwh = energy_kwh(
            row["gpu_hours"], watts=row["gpu_watts"], usage_effectiveness=method["pue"]
        )
        tonnes = carbon_tonnes(kwh, kg_a_kwh=method["kg_co2_per_kwh"])
        rows.append(
            [
                row["model"],
                f"{row['gpu_hours']:,}",
                *_speed_and_use(row),
                f"{kwh / 1000:,.0f} ({row['mwh']})",
                f"{tonnes:,.0f} ({row['tco2eq']})",
            ]
        )
    return showing.markdown_table(rows, "lrrrrr")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A training: how many operations, on what, and how well used."""

    flops: float
    n_tokens: int
    accelerator: Accelerator
    n_accelerators: int
    utilisation: float

    @property
    def peak(self) -> float:
        """Operations a second of one accelerator, in 16 bits where it has them."""
        return self.accelerator.peak("fp16")

    @property
    def hours(self) -> float:
        """Of one accelerator."""
        return accelerator_hours(self.flops, peak_flops=self.peak, utilisation=self.utilisation)

    @property
    def seconds(self) -> float:
        """From start to end."""
        return 3600 * self.hours / self.n_accelerators


def plan_numbers(plan: Plan) -> dict[str, str]:
    """Say what a training takes, in short."""
    speed = plan.n_tokens / (3600 * plan.hours)
    numbers = {
        "Time": in_time(plan.seconds),
        "Tokens/s on each": in_words(speed),
    }
    if plan.hours >= 1:
        numbers["Accelerator-hours"] = f"{plan.hours:,.0f}"
    if plan.accelerator.watts is None:
        return numbers
    method = _facts("carbon_method")
    kwh = energy_kwh(plan.hours, watts=plan.accelerator.watts, usage_effectiveness=method["pue"])
    tonnes = carbon_tonnes(kwh, kg_a_kwh=method["kg_co2_per_kwh"])
    return numbers | {
        "Energy": in_energy(kwh),
        "CO₂ equivalent": in_mass(1000 * tonnes),
    }


def operations(config: ModelConfig, n_tokens: int, count: str) -> float:
    """Count the operations of a training, in one of the ways of `COUNTS`."""
    counted = {
        "6nd": FLOPS_A_TRAINED_TOKEN * active_parameters(config) * n_tokens,
        "exact": exact_training_flops(config, n_tokens, skips_hidden=True),
    }
    return counted[count]


def _choose_plan(setup: Setup, name: str, n_tokens: int) -> Plan:
    """Let the student choose on what a setup is trained; the choices are in the link."""
    is_real = name in PRESETS and not PRESETS[name].is_tiny
    with st.grid(2, min_column_width=90, gap="xsmall"):
        accelerator = choose_accelerator()
        machines = link.widget(
            st.number_input,
            "machines",
            "How many",
            usual=2048 if is_real else 1,
            because=is_real,
            min_value=1,
            max_value=1_000_000,
            step=1,
        )
        percent = link.widget(
            st.number_input,
            "utilisation",
            "Utilisation in %",
            usual=USUAL_UTILISATION,
            min_value=0.1,
            max_value=100.0,
            step=0.1,
        )
        count = choose_named("Operations by", COUNTS, key="operations")
    return Plan(
        flops=operations(setup.model, n_tokens, count),
        n_tokens=n_tokens,
        accelerator=accelerator,
        n_accelerators=int(machines),
        utilisation=percent / 100,
    )


def beside(plan: Plan, config: ModelConfig) -> list[str]:
    """Say what a training takes, in the order of `checks`."""
    numbers = plan_numbers(plan)
    by_count = {count: operations(config, plan.n_tokens, count) for count in COUNTS}
    used = {count: plan.utilisation * each / plan.flops for count, each in by_count.items()}
    return [
        numbers["Tokens/s on each"],
        f"{plan.n_accelerators:,}",
        in_flops(by_count["6nd"]),
        in_flops(by_count["exact"]),
        numbers["Time"],
        f"{plan.hours:,.0f}" if plan.hours >= 1 else _few_digits(plan.hours),
        f"{used['6nd']:.1%}",
        f"{used['exact']:.1%}",
        numbers.get("Energy", "–"),
        numbers.get("CO₂ equivalent", "–"),
    ]


def _few_digits(number: float) -> str:
    """Write a number below 1 by its first two digits, without a power of ten."""
    return np.format_float_positional(number, precision=2, fractional=False, trim="-")


def plan_words(plan: Plan) -> str:
    """Write the time with its numbers plugged in, in Markdown."""
    return (
        f"{in_flops(plan.flops)} ÷ ({plan.n_accelerators:,} × {in_rate(plan.peak)} × "
        f"{plan.utilisation:.1%}) = **{in_time(plan.seconds)}**."
    )


def _speed_and_use(row: Mapping[str, Any]) -> tuple[str, str]:
    """Give tokens a second and utilisation of a row's hours; the others' tokens are not here."""
    if row["model"] not in SIZES:
        return "–", "–"
    config = PRESETS[SIZES[row["model"]]].config
    speed = _size(row["model"])["train_tokens"] / row["gpu_hours"] / 3600
    used = model_utilisation(
        FLOPS_A_TRAINED_TOKEN * count_parameters(config),
        tokens_a_second=speed,
        peak_flops=a100_peak(),
    )
    return f"{speed:,.0f}", f"{used:.1%}"


def _facts(part: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = content.facts("llama_paper")[part]
    return found


def _size(model: str) -> Mapping[str, Any]:
    rows = content.facts("llama_paper")["table2_sizes"]
    return next(row for row in rows if row["model"] == model)


def _carbon(model: str) -> Mapping[str, Any]:
    rows = content.facts("llama_paper")["table15_carbon"]
    return next(row for row in rows if row["model"] == model)
