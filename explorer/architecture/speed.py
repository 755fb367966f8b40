"""Speed: how many tokens a second an accelerator could reach at best."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from explorer import showing
from explorer.architecture.accelerators import (
    Accelerator,
    accelerators,
    choose_accelerator,
    describe,
)
from explorer.architecture.assumptions import TEXTS, Serving, choose_serving
from explorer.figures.amounts import in_bytes, in_flops, in_rate, in_time, in_words
from explorer.figures.costs import Pass, roofline, speed_by_batch
from explorer.stage import Stage
from explorer.widgets import choose_named
from tiny_llama.config import ModelConfig
from tiny_llama.cost import kv_cache_bytes
from tiny_llama.serving import (
    PRECISIONS,
    Bound,
    Work,
    bound,
    decode_work,
    largest_batch,
    prefill_work,
    share_of_experts_read,
    weight_bytes,
)
from tiny_llama.setup import Setup

CARDS = ("auto", "1", "2", "4", "8", "16", "32")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Several equal accelerators that count as one."""

    accelerator: Accelerator
    cards: int
    products: str

    @property
    def peak(self) -> float:
        """Operations a second."""
        return self.cards * self.accelerator.peak(self.products)

    @property
    def bandwidth(self) -> float:
        """Bytes a second."""
        return self.cards * self.accelerator.bandwidth_bytes_per_second

    @property
    def memory(self) -> int:
        """Bytes."""
        return self.cards * self.accelerator.memory_bytes

    @property
    def title(self) -> str:
        """What it is called."""
        return (
            self.accelerator.name if self.cards == 1 else f"{self.cards} × {self.accelerator.name}"
        )

    def bound(self, work: Work) -> Bound:
        """Compute the least time that it takes for some work."""
        return bound(work, peak_flops=self.peak, bandwidth=self.bandwidth)


def show(stage: Stage, setup: Setup, name: str = "") -> None:
    """Show the bounds that memory and arithmetic set to a setup's speed."""
    config = setup.model
    with stage.controls, st.grid(2, min_column_width=90, gap="xsmall"):
        serving = choose_serving(config)
        accelerator = choose_accelerator()
        cards = choose_named(
            "How many",
            {card: "as many as it takes" if card == "auto" else card for card in CARDS},
            key="cards",
        )
    needed = cards_needed(config, serving, accelerator)
    machine = Machine(
        accelerator=accelerator,
        cards=needed if cards == "auto" else int(cards),
        products=PRECISIONS[serving.precision].products,
    )
    if machine.cards < needed:
        st.warning(
            f"Weights and one cache do not fit: {needed:,} × {accelerator.name} would be needed. "
            f"The bounds here pretend that they do fit."
        )
    showing.in_one_line(numbers_of(config, serving, machine))
    _speeds(config, serving, machine)
    with stage.below:
        _roofline(config, serving, machine)
        st.markdown(batch_table(config, serving, machine))
        _words(config, serving, machine)
        with st.expander("All accelerators", icon=":material/table:"):
            st.markdown(accelerators_table(config, serving))
            for each in accelerators().values():
                describe(each, machine.products)
    stage.explain(code="tiny_llama.serving:decode_work")


def cards_needed(config: ModelConfig, serving: Serving, accelerator: Accelerator) -> int:
    """Count the accelerators that hold the weights and the caches of the chosen texts."""
    weights = weight_bytes(config, serving.precision, group_size=serving.group_size)
    caches = serving.n_texts * _a_cache(config, serving)
    return -(-(weights + caches) // accelerator.memory_bytes)


def decode(config: ModelConfig, serving: Serving, n_texts: int) -> Work:
    """Give the work of one more token in each text."""
    return decode_work(config, batch_size=n_texts, **_how(serving))


def prefill(config: ModelConfig, serving: Serving) -> Work:
    """Give the work of reading one text."""
    return prefill_work(config, batch_size=1, **_how(serving))


def numbers_of(config: ModelConfig, serving: Serving, machine: Machine) -> dict[str, str]:
    """Give the bounds in short."""
    one, reading = decode(config, serving, 1), prefill(config, serving)
    return {
        "One text, at best": f"{in_words(1 / machine.bound(one).seconds)} tokens/s",
        f"reading {serving.n_tokens:,} tokens": in_time(machine.bound(reading).seconds),
        "FLOP a byte": f"{one.intensity:.3g}",
        "ridge point": f"{machine.peak / machine.bandwidth:.3g}",
    }


def _speeds(config: ModelConfig, serving: Serving, machine: Machine) -> None:
    works = [decode(config, serving, batch) for batch in TEXTS]
    bounds = [machine.bound(work) for work in works]
    lines = {
        "limit of memory": [b / each.moving for b, each in zip(TEXTS, bounds, strict=True)],
        "limit of arithmetic": [b / each.computing for b, each in zip(TEXTS, bounds, strict=True)],
    }
    best = [b / each.seconds for b, each in zip(TEXTS, bounds, strict=True)]
    showing.draw(
        speed_by_batch(TEXTS, lines, best, _most_texts(config, serving, machine)),
        key="speed_by_batch",
    )


def _roofline(config: ModelConfig, serving: Serving, machine: Machine) -> None:
    chosen = sorted({1, 32, 1024, serving.n_texts})
    passes = [
        _pass(f"writing, {n:,} text{'s' * (n > 1)}", decode(config, serving, n), machine)
        for n in chosen
    ]
    reading = _pass(f"reading {serving.n_tokens:,} tokens", prefill(config, serving), machine)
    showing.draw(
        roofline([*passes, reading], peak=machine.peak, bandwidth=machine.bandwidth),
        key="roofline",
    )


def batch_table(config: ModelConfig, serving: Serving, machine: Machine) -> str:
    """Give the bounds by texts at once, in Markdown."""
    most = _most_texts(config, serving, machine)
    rows = [["Texts at once", "Tokens/s in sum", "Tokens/s each", "FLOP a byte", "Waits for"]]
    for batch in sorted({*TEXTS[::2], serving.n_texts}):
        work = decode(config, serving, batch)
        limit = machine.bound(work)
        rows.append(
            [
                f"{batch:,}" + ", too many" * (most is not None and batch > most),
                in_words(batch / limit.seconds),
                in_words(1 / limit.seconds),
                f"{work.intensity:.3g}",
                "memory" if limit.is_bandwidth_bound else "arithmetic",
            ]
        )
    return showing.markdown_table(rows, "lrrrl")


def accelerators_table(config: ModelConfig, serving: Serving) -> str:
    """Give the bounds on each accelerator, as many of them as it takes, in Markdown."""
    rows = [["Accelerator", "How many", "One text, tokens/s", "Reading it", "Peak", "Ridge"]]
    for each in accelerators().values():
        machine = Machine(
            accelerator=each,
            cards=cards_needed(config, serving, each),
            products=PRECISIONS[serving.precision].products,
        )
        one = machine.bound(decode(config, serving, 1))
        reading = machine.bound(prefill(config, serving))
        rows.append(
            [
                each.name,
                f"{machine.cards:,}",
                in_words(1 / one.seconds),
                in_time(reading.seconds),
                in_rate(machine.peak),
                f"{machine.peak / machine.bandwidth:.3g}",
            ]
        )
    return showing.markdown_table(rows, "lrrrrr")


def _words(config: ModelConfig, serving: Serving, machine: Machine) -> None:
    work = decode(config, serving, 1)
    limit = machine.bound(work)
    st.markdown(
        f"One token for one text: {in_bytes(work.n_bytes)} to move ÷ "
        f"{in_bytes(machine.bandwidth)}/s = **{in_time(limit.moving)}**; "
        f"{in_flops(work.flops)} ÷ {in_rate(machine.peak)} = **{in_time(limit.computing)}**. "
        f"The longer one counts."
    )
    words = (
        f"“Too many”: their caches do not fit beside the weights. Upper bounds for "
        f"{machine.title}, texts of {serving.n_tokens:,} tokens, weights in "
        f"{PRECISIONS[serving.precision].title}, cache in {serving.cache}. Real programs reach a "
        f"part of this: operations take time to start, and cards wait for one another. In a model "
        f"as small as the tiny ones, starting takes nearly all of the time, so the bound says "
        f"little."
    )
    if config.has_experts:
        share = share_of_experts_read(config, serving.n_texts)
        words += (
            f" In a mixture, each token reads {config.n_active_experts} of {config.n_experts} "
            f"experts; {serving.n_texts:,} at once are expected to need {share:.0%} of them, if "
            f"every token chooses evenly."
        )
    st.caption(words)
    describe(machine.accelerator, machine.products)


def _how(serving: Serving) -> dict[str, Any]:
    return {
        "n_tokens": serving.n_tokens,
        "precision": serving.precision,
        "cache_bytes_per_number": serving.cache_bytes,
        "group_size": serving.group_size,
    }


def _a_cache(config: ModelConfig, serving: Serving) -> int:
    return kv_cache_bytes(config, serving.n_tokens, bytes_per_number=serving.cache_bytes)


def _most_texts(config: ModelConfig, serving: Serving, machine: Machine) -> int | None:
    weights = weight_bytes(config, serving.precision, group_size=serving.group_size)
    return largest_batch(machine.memory - weights, _a_cache(config, serving))


def _pass(name: str, work: Work, machine: Machine) -> Pass:
    rate = work.flops / machine.bound(work).seconds
    return Pass(name=name, intensity=work.intensity, rate=rate)
