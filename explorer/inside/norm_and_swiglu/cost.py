"""What a norm costs: operations, parameters, and time as measured."""

import streamlit as st

from explorer import link, showing
from explorer.figures.norms import norm_operations as operations_picture
from explorer.inspection import Inspection, analyse
from explorer.stage import Stage
from explorer.widgets import choose_named
from tiny_llama.analyses.norm_cost import n_norms, norm_operations
from tiny_llama.config import ModelConfig
from tiny_llama.cost import count_parameters, forward_flops, parameters_by_component
from tiny_llama.menu import NORM
from tiny_llama.presets import PRESETS

REAL = ("llama-1-7b", "llama-1-65b", "llama-3-8b", "gpt3-175b")
COMPARED = ("rmsnorm", "layernorm")
MOST_TIMED = 65_536
"""Numbers that are normed at once when time is measured: a step of the default model."""


def show(stage: Stage, inspection: Inspection) -> None:
    """Count what a norm costs, for this model and for real ones."""
    configs = {"this": inspection.run.setup.model} | {name: PRESETS[name].config for name in REAL}
    titles = {"this": "This model"} | {name: PRESETS[name].title for name in REAL}
    with stage.controls:
        config = configs[choose_named("Sizes of", titles, key="sizes")]
        is_timed = link.widget(st.toggle, "timed", "Measure the time on this server")
    operations = {NORM[norm].title: norm_operations(norm, config.d_model) for norm in COMPARED}
    st.caption(f"Operations for one vector of {config.d_model:,} numbers")
    showing.draw(operations_picture(operations), key="norm_operations")
    if is_timed:
        _measure(stage, inspection.run.setup.model)
    st.markdown(cost_table(config))
    stage.below.caption(
        "The share is of all matrix products that the forward pass takes for a token, on average "
        "over a text as long as the context. Counted are additions, subtractions, "
        "multiplications, divisions and roots, each as one; QK-norms are left out."
    )
    stage.explain(code="tiny_llama.analyses.norm_cost:norm_operations")


def cost_table(config: ModelConfig) -> str:
    """Say what all norms of a model cost with either kind, in Markdown."""
    n, counts = n_norms(config), parameters_by_component(config)
    others = count_parameters(config) - counts["norm"]
    products = sum(forward_flops(config, config.context).values()) / config.context
    rows = [
        f"| | {' | '.join(NORM[norm].title for norm in COMPARED)} |",
        "| --- | ---: | ---: |",
    ]
    each = [sum(norm_operations(norm, config.d_model).values()) for norm in COMPARED]
    learned = [n * NORM[norm].n_vectors * config.d_model for norm in COMPARED]
    lines = {
        "Norms in the model": [f"{n:,}"] * 2,
        "Operations a token, one norm": [f"{one:,}" for one in each],
        "Operations a token, all norms": [f"{n * one:,}" for one in each],
        "beside the matrix products": [f"{n * one / products:.3%}" for one in each],
        "Parameters of all norms": [f"{each_learned:,}" for each_learned in learned],
        "beside all parameters": [f"{own / (others + own):.4%}" for own in learned],
    }
    return "\n".join(rows + [f"| {name} | {' | '.join(cells)} |" for name, cells in lines.items()])


def _measure(stage: Stage, config: ModelConfig) -> None:
    """Measure the time that both take."""
    n_tokens = max(1, min(1024, MOST_TIMED // config.d_model))
    answer = analyse("norm_times", width=config.d_model, n_tokens=n_tokens)
    rows = zip(answer["names"], answer["forward"], answer["both"], strict=True)
    showing.in_one_line(
        {
            f"{NORM[name].title} {passed}": f"{1e6 * seconds:,.0f} µs"
            for name, forward, both in rows
            for passed, seconds in (("forward", forward), ("with backward", both))
        }
    )
    stage.below.caption(
        f"Times are medians for {n_tokens:,} vectors of {config.d_model} numbers, as training runs "
        f"them here: RMSNorm by this project's own few PyTorch calls, LayerNorm by PyTorch's one. "
        f"At such sizes the calls and the way through memory count for more than the operations."
    )
