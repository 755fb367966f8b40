"""Sizes: the four LLaMA models and GPT-3's eight side by side, and any others."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from explorer import content, link, showing
from explorer.architecture.assumptions import CHINCHILLA, tokens_source
from explorer.figures.amounts import in_words
from explorer.figures.costs import Size, sizes_map
from explorer.stage import Stage
from tiny_llama.cost import count_parameters
from tiny_llama.presets import PRESETS
from tiny_llama.setup import Setup

LLAMA = ("llama-1-7b", "llama-1-13b", "llama-1-33b", "llama-1-65b")
GPT3 = (
    "gpt3-small",
    "gpt3-medium",
    "gpt3-large",
    "gpt3-xl",
    "gpt3-2.7b",
    "gpt3-6.7b",
    "gpt3-13b",
    "gpt3-175b",
)
Row = Mapping[str, Any]


def show(stage: Stage, setup: Setup, name: str = "") -> None:
    """Show real models by their shapes, parameters and training tokens."""
    known = content.configs()
    others = [each for each in known if each not in (*LLAMA, *GPT3)]
    with stage.controls:
        added = link.widget(
            st.multiselect,
            "also",
            "Beside them",
            options=others,
            placeholder="Choose any of the other published models",
        )
    shown = [*LLAMA, *GPT3, *(each for each in others if each in added)]
    showing.draw(sizes_map(sizes_of(shown), CHINCHILLA), key="sizes_map")
    with stage.below:
        _tables(shown, name)
    stage.explain(code="tiny_llama.cost:count_parameters")


def _tables(shown: Sequence[str], name: str) -> None:
    """Show counts, shapes, what is printed otherwise, and where it all comes from."""
    known = content.configs()
    unknown = [known[each]["name"] for each in shown if not known[each]["train_tokens"]]
    if unknown:
        st.caption(f"Training tokens not published, so not in the chart: {', '.join(unknown)}.")
    st.markdown(counts_table(shown, chosen=name))
    for each in shown:
        if count_differs(each):
            st.caption(f"{known[each]['name']}: {PRESETS[each].note} Shown as measured.")
    st.markdown("**Their shapes**")
    st.markdown(shapes_table(shown, chosen=name))
    st.caption("In brackets: what the paper prints, where only the other number gives its size.")
    st.markdown("**What the papers print otherwise**")
    st.markdown(oddities())
    with st.expander("Where each row comes from", icon=":material/menu_book:"):
        st.markdown(sources(shown))


def n_parameters(name: str) -> int:
    """Count parameters from the shape; where no setup can express it, as they were measured."""
    if name in PRESETS and not count_differs(name):
        return count_parameters(PRESETS[name].config)
    return int(content.configs()[name]["params_measured"])


def count_differs(name: str) -> bool:
    """Tell whether a real model has numbers that its setup cannot express; its note says which."""
    return name in PRESETS and bool(PRESETS[name].note)


def sizes_of(names: Sequence[str]) -> list[Size]:
    """Give the models with a published number of training tokens."""
    known = content.configs()
    return [
        Size(
            title=known[name]["name"],
            family=known[name]["family"],
            n_parameters=n_parameters(name),
            n_tokens=known[name]["train_tokens"],
        )
        for name in names
        if known[name]["train_tokens"]
    ]


def counts_table(names: Sequence[str], *, chosen: str = "") -> str:
    """Give parameters, exact and printed, and training tokens, in Markdown."""
    known = content.configs()
    table = [["Model", "Parameters", "In print", "Training tokens", "Tokens a parameter"]]
    for name in names:
        row, n, tokens = known[name], n_parameters(name), known[name]["train_tokens"]
        table.append(
            [
                _title(row, chosen),
                f"{n:,}",
                content.escaped(row["params_published"] or "–"),
                in_words(tokens) if tokens else "–",
                a_parameter(tokens / n) if tokens else "–",
            ]
        )
    return showing.markdown_table(table, "lrrrr")


def a_parameter(ratio: float) -> str:
    """Write tokens a parameter, three digits of them."""
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"


def shapes_table(names: Sequence[str], *, chosen: str = "") -> str:
    """Give widths, layers and heads; printed ones that cannot be are in brackets."""
    known, printed = content.configs(), printed_otherwise()
    table = [["Model", "d_model", "Layers", "Heads", "d_hidden", "Context"]]
    for name in names:
        row, other = known[name], printed.get(name, {})
        cells = {
            field: f"{row[field]:,}" + (f" ({other[field]:,})" if field in other else "")
            for field in ("dim", "n_layers", "n_heads", "ffn_hidden", "context")
        }
        if row["n_kv_heads"] != row["n_heads"]:
            cells["n_heads"] += f", {row['n_kv_heads']:,} KV"
        table.append([_title(row, chosen), *cells.values()])
    return showing.markdown_table(table, "lrrrrr")


def printed_otherwise() -> dict[str, dict[str, int]]:
    """Find what GPT-3's Table 2.1 prints where only another number gives the model's size."""
    fields = {"dim": "d_model", "n_heads": "n_heads"}
    found: dict[str, dict[str, int]] = {}
    for name, row in zip(GPT3, content.facts("gpt3_paper")["table2_1_sizes"], strict=True):
        for field, word in fields.items():
            if row[f"{word}_printed"] != row[f"{word}_effective"]:
                found.setdefault(name, {})[field] = row[f"{word}_printed"]
    return found


def oddities() -> str:
    """List what the papers print that the counts do not bear out, with sources, in Markdown."""
    lines = [
        f"- {row['model']}: {content.escaped(row['printed_quirk'])}. "
        f"{content.cited(row['source'], row['confidence'])}"
        for row in content.facts("gpt3_paper")["table2_1_sizes"]
        if row["printed_quirk"]
    ]
    lines += [
        f"- LLaMA: {content.escaped(row['note'])}. "
        f"{content.cited(row['source'], row['confidence'])}"
        for row in content.facts("llama_paper")["table2_notes"]
    ]
    return "\n".join(lines)


def sources(names: Sequence[str]) -> str:
    """Say where shape and tokens of each model come from, in Markdown."""
    known = content.configs()
    lines = []
    for name in names:
        row = known[name]
        lines.append(
            f"- **{content.escaped(row['name'])}**, shape and count: "
            f"{content.cited(row['source'], row['confidence'])}"
        )
        if row["train_tokens"]:
            lines.append(f"    - training tokens: {tokens_source(name)}")
    return "\n".join(lines)


def _title(row: Row, chosen: str) -> str:
    title = content.escaped(row["name"])
    return f"**▶ {title}**" if row["id"] == chosen else title
