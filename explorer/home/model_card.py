"""The model card: what LLaMA is, its four sizes, and what of it is open."""

import streamlit as st

from explorer import content, glossary, showing
from explorer.home.sources import facts, sources


def show_short() -> None:
    """Show the card's fields, a line each."""
    lines = (
        f"{content.escaped(row['field'])}: **{content.escaped(row['value'])}**"
        for row in facts("card")
    )
    with st.container(gap="xxsmall", key="model_card"):
        st.markdown("**LLaMA, the model card**")
        st.markdown("  \n".join(f":small[{glossary.marked(line)}]" for line in lines))


def show() -> None:
    """Show the card's fields as tiles, with what is to be said about each."""
    st.header("The model card", anchor=False)
    with st.grid(4, min_column_width=150, border=True, key="card_notes"):
        for row in facts("card"):
            with st.container(gap="xxsmall"):
                st.caption(content.escaped(row["field"]))
                st.markdown(f"**{content.escaped(row['value'])}**")
                st.caption(content.escaped(row["note"]))
    sources({row["field"]: row for row in facts("card")}, key="card_sources")


def show_sizes() -> None:
    """Show the four sizes, with their exact numbers of parameters."""
    st.header("Four sizes", anchor=False)
    st.markdown(showing.markdown_table(size_rows(), "lrrr"))
    st.caption(content.home("sizes"))
    llama = content.facts("llama_paper")
    named = {row["model"]: row for row in llama["table2_sizes"]}
    named |= {_first_words(row["note"]): row for row in llama["table2_notes"]}
    sources(named, key="size_sources")


def size_rows() -> list[list[str]]:
    """Give name, exact count, count as printed and tokens of each size, the heads first."""
    rows = [["Model", "Parameters, counted", "as printed", "Tokens read"]]
    for row in content.facts("llama_paper")["table2_sizes"]:
        tokens = f"{row['train_tokens'] / 1e12:.1f} trillion"
        count = f"{row['params_exact_measured']:,}"
        rows.append([f"**{row['model']}**", count, row["params_printed"], tokens])
    return rows


def show_open() -> None:
    """Show what is public, and what is not."""
    st.header("How open it is", anchor=False)
    rows = [
        [f"**{row['what']}**", f"{row['state']}: {content.escaped(row['detail'])}"]
        for row in facts("open")
    ]
    st.markdown(showing.markdown_table([["What", "How open"], *rows], "ll"))
    sources({row["what"]: row for row in facts("open")}, key="open_sources")


def _first_words(note: str) -> str:
    words = note.split()
    return " ".join(words[:6]) + (" …" if len(words) > 6 else "")
