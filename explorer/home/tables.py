"""The result tables of the LLaMA paper, each brought to one form: models, sizes and scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from explorer import content

LLAMA = "LLaMA"
FAMILIES = (LLAMA, "GPT-3", "Gopher", "Chinchilla", "PaLM", "Others")
"""Whose models the tables hold; by these they can be filtered."""
_OF_PALM = ("PaLM", "Flan-PaLM", "Minerva")
"""Models that were tuned or trained on from PaLM."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A model's row of a table."""

    model: str
    size: str
    """As printed: 175B."""
    scores: Mapping[str, float | None]
    """By measure; None where the paper prints nothing."""
    source: str
    confidence: str
    read_from_figure: tuple[str, ...] = ()
    """Measures that its own paper only draws, so that the LLaMA paper read them off a figure."""

    @property
    def label(self) -> str:
        """Model and size together."""
        return f"{self.model} {self.size}"

    @property
    def parameters(self) -> float:
        """About how many parameters it has, from its printed size."""
        return float(self.size.removesuffix("B")) * 1e9

    @property
    def family(self) -> str:
        """Which of `FAMILIES` it is from."""
        if self.model.startswith(_OF_PALM):
            return "PaLM"
        first = self.model.removesuffix("-I")  # LLaMA-I is LLaMA, tuned on instructions
        return first if first in FAMILIES else "Others"


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table of the paper; what it measures is told in `content.home("table_" + name)`."""

    title: str
    number: int
    """As the paper counts its tables."""
    measures: Mapping[str, str]
    """Titles of its columns by their names in the facts."""
    unit: str
    decimals: int
    """As many as the paper prints."""
    better: str = "higher"
    """Which scores are the better ones; empty: neither."""
    entries: Sequence[Entry]


def by_rows(name: str, measures: Sequence[str]) -> list[Entry]:
    """List the entries of a table that has a row for each model."""
    return [
        Entry(
            model=row["model"],
            size=row["size"],
            scores={measure: row[measure] for measure in measures},
            source=row["source"],
            confidence=row["confidence"],
            read_from_figure=tuple(row.get("read_from_figure", ())),
        )
        for row in content.facts("llama_paper")[name]
    ]


def by_columns(name: str, measure: str, models: Mapping[str, tuple[str, str]]) -> list[Entry]:
    """List the entries of a table that has a column for each model, and a row for each measure.

    Args:
        name: of the table.
        measure: the column that names the row.
        models: model and size, by the name of their column.
    """
    rows = content.facts("llama_paper")[name]
    return [
        Entry(
            model=model,
            size=size,
            scores={row[measure]: row[column] for row in rows},
            source=rows[0]["source"],
            confidence=rows[0]["confidence"],
        )
        for column, (model, size) in models.items()
    ]


@cache
def tables() -> Mapping[str, Table]:
    """Give every table of results, by the word that the link has for it."""
    built = {}
    for name, (number, fact, title, unit, measures) in _BY_ROWS.items():
        built[name] = Table(
            title=title,
            number=number,
            measures=measures,
            unit=unit,
            decimals=_DECIMALS.get(name, 1),
            better=_BETTER.get(name, "higher"),
            entries=by_rows(fact, list(measures)),
        )
    for name, (number, fact, title, unit, (measure, models)) in _BY_COLUMNS.items():
        entries = by_columns(fact, measure, models)
        built[name] = Table(
            title=title,
            number=number,
            measures={each: each for each in entries[0].scores},
            unit=unit,
            decimals=_DECIMALS.get(name, 1),
            better=_BETTER.get(name, "higher"),
            entries=entries,
        )
    return dict(sorted(built.items(), key=lambda item: item[1].number))


_EXAMPLES = {f"shot{n}": f"{n} examples" for n in (0, 1, 5, 64)} | {"shot1": "1 example"}
_BY_ROWS: Mapping[str, tuple[int, str, str, str, Mapping[str, str]]] = {
    "common_sense": (
        3,
        "table3_common_sense_zero_shot",
        "Common sense",
        "Accuracy, %",
        {
            "BoolQ": "BoolQ",
            "PIQA": "PIQA",
            "SIQA": "SIQA",
            "HellaSwag": "HellaSwag",
            "WinoGrande": "WinoGrande",
            "ARC_e": "ARC-easy",
            "ARC_c": "ARC-challenge",
            "OBQA": "OpenBookQA",
        },
    ),
    "natural_questions": (
        4,
        "table4_natural_questions_exact_match",
        "Closed-book questions: NaturalQuestions",
        "Exact match, %",
        _EXAMPLES,
    ),
    "trivia_qa": (
        5,
        "table5_triviaqa_exact_match_filtered_dev",
        "Closed-book questions: TriviaQA",
        "Exact match, %",
        _EXAMPLES,
    ),
    "reading": (
        6,
        "table6_race_zero_shot",
        "Reading: RACE",
        "Accuracy, %",
        {"RACE_middle": "Middle school", "RACE_high": "High school"},
    ),
    "maths": (
        7,
        "table7_math",
        "Mathematics",
        "Solved, %",
        {
            "GSM8k": "GSM8k",
            "GSM8k_maj1_at_k": "GSM8k, by majority",
            "MATH": "MATH",
            "MATH_maj1_at_k": "MATH, by majority",
        },
    ),
    "code": (
        8,
        "table8_code",
        "Code",
        "Solved, %",
        {
            "HumanEval_pass1": "HumanEval, in 1 try",
            "HumanEval_pass100": "HumanEval, in 100 tries",
            "MBPP_pass1": "MBPP, in 1 try",
            "MBPP_pass80": "MBPP, in 80 tries",
        },
    ),
    "mmlu": (
        9,
        "table9_mmlu_5shot",
        "Knowledge by field: MMLU",
        "Accuracy, %",
        {
            "Average": "Average",
            "Humanities": "Humanities",
            "STEM": "STEM",
            "SocialSciences": "Social sciences",
            "Other": "Other fields",
        },
    ),
    "mmlu_instruct": (
        10,
        "table10_instruct_mmlu_5shot",
        "After tuning on instructions: MMLU",
        "Accuracy, %",
        {"MMLU": "MMLU"},
    ),
    "toxicity": (
        11,
        "table11_real_toxicity",
        "Toxic text: RealToxicityPrompts",
        "Score, 0 to 1",
        {"basic": "Plain prompts", "respectful": "Prompts that ask for respect"},
    ),
    "truth": (
        14,
        "table14_truthfulqa",
        "Truth: TruthfulQA",
        "Share of answers",
        {"truthful": "True", "truthful_and_informative": "True and informative"},
    ),
}
"""Number, name in the facts, title, unit and columns of each table with a row for each model."""
_BY_COLUMNS: Mapping[str, tuple[int, str, str, str, tuple[str, Mapping[str, tuple[str, str]]]]] = {
    "bias": (
        12,
        "table12_crows_pairs",
        "Stereotypes: CrowS-Pairs",
        "Pairs, %",
        (
            "category",
            {
                "LLaMA_65B": (LLAMA, "65B"),
                "GPT3_175B": ("GPT-3", "175B"),
                "OPT_175B": ("OPT", "175B"),
            },
        ),
    ),
    "pronouns": (
        13,
        "table13_winogender",
        "Pronouns: WinoGender",
        "Accuracy, %",
        ("pronoun", {f"LLaMA_{size}": (LLAMA, size) for size in ("7B", "13B", "33B", "65B")}),
    ),
}
_BETTER = {"toxicity": "lower", "bias": "lower"}
_DECIMALS = {"toxicity": 3, "truth": 2}


@dataclass(frozen=True, kw_only=True)
class Duel:
    """A score that both a LLaMA and GPT-3 175B have in the paper."""

    table: str
    test: str
    llama: float
    gpt3: float

    @property
    def gap(self) -> float:
        """How far LLaMA is ahead, in points; negative where GPT-3 is."""
        return round(self.llama - self.gpt3, 1)


_DUELS: Mapping[str, tuple[str, Sequence[str] | None]] = {
    "common_sense": ("", None),
    "natural_questions": ("NaturalQuestions, ", None),
    "reading": ("RACE, ", None),
    "mmlu": ("MMLU, ", ("Average",)),  # the fields are what the average is of
}
"""The tables of what models can do that have GPT-3, what their tests are called there, and which of
their columns count."""


@cache
def duels(size: str = "13B") -> Sequence[Duel]:
    """List every test of Tables 3 to 9 for which the paper prints GPT-3's score and one LLaMA's.

    Args:
        size: of that LLaMA, as printed.
    """
    found = []
    for name, (prefix, only) in _DUELS.items():
        table = tables()[name]
        ours, theirs = (_entry(table, label).scores for label in (f"LLaMA {size}", "GPT-3 175B"))
        for measure in only or table.measures:
            llama, gpt3 = ours[measure], theirs[measure]
            if llama is not None and gpt3 is not None:
                title = table.measures[measure]
                test = prefix + (title[0].lower() + title[1:] if prefix else title)
                found.append(Duel(table=name, test=test, llama=llama, gpt3=gpt3))
    return found


def _entry(table: Table, label: str) -> Entry:
    return next(entry for entry in table.entries if entry.label == label)


def sizes() -> Mapping[str, int]:
    """Give the exact parameters of the two, by counting: LLaMA-13B and GPT-3 175B."""
    llama: Any = content.facts("llama_paper")["table2_sizes"]
    gpt3: Any = content.facts("gpt3_paper")["table2_1_sizes"]
    counted = {row["model"]: row["params_exact_measured"] for row in llama}
    counted |= {row["model"]: row["params_measured_gpt2_class"] for row in gpt3}
    return {name: counted[name] for name in ("LLaMA-13B", "GPT-3 175B")}
