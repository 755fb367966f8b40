"""What the Home page says: every fact has a source, every count is computed, nothing is lost."""

import re
from math import exp

import pytest

from explorer import content
from explorer.figures.published import Bar, Pair, Spent, Trained, bars, by_size, dumbbells, spending
from explorer.home import headline, meaning, model_card, small_tree, training_facts
from explorer.home.papers import CARDS, paper
from explorer.home.results import in_order
from explorer.home.tables import FAMILIES, Entry, duels, sizes, tables

CARD = content.facts("model_card")
LLAMA = content.facts("llama_paper")
GPT3 = content.facts("gpt3_paper")
ROWS = [row for section, rows in CARD.items() if section != "meta" for row in rows]
TABLES_SHOWN = {
    **{name: rows for name, rows in LLAMA.items() if name.startswith("table")},
    "carbon_method": [LLAMA["carbon_method"]],
    "duels": [LLAMA["gpt3_vs_llama13b_derived"]],
    "gpt3 sizes": GPT3["table2_1_sizes"],
    "gpt3 data": GPT3["table2_2_data"],
    "papers": content.facts("seven_key_papers")["papers"],
}
FIELDS = {row["id"]: row["value"] for row in CARD["card"]}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.get("field") or row.get("title"))
def test_every_fact_of_the_card_has_a_source_and_says_how_sure_it_is(row):
    assert len(row["source"]) > 10
    assert row["confidence"] in content.CONFIDENCE
    assert bool(row.get("unverified_fields")) == (row["confidence"] == "partly-verified")
    said = row.get("value") or row.get("text") or row.get("detail")
    assert said.strip()


@pytest.mark.parametrize("name", TABLES_SHOWN)
def test_every_row_of_every_table_that_is_shown_has_a_source(name):
    for row in TABLES_SHOWN[name]:
        assert row["source"]
        assert row["confidence"] in content.CONFIDENCE


def test_the_card_says_what_the_tables_say():
    node = next(n for n in content.facts("family_tree")["nodes"] if n["id"] == "llama-1")
    assert node["organisation"].startswith(FIELDS["developer"])
    assert (node["release_date"], FIELDS["announced"]) == ("2023-02-24", "February 2023")
    assert LLAMA["meta"]["announced"] == node["release_date"]
    assert FIELDS["parameters"] == f"{node['sizes'][0]} to {node['sizes'][-1]}"
    context = LLAMA["architecture"]["context_length"]["value"]
    assert FIELDS["context"] == f"{context // 1024}K tokens"
    notes = {row["id"]: row["note"] for row in CARD["card"]}
    assert f"{context:,}" in notes["context"]
    assert all(size in notes["parameters"] for size in node["sizes"])
    assert "causal" in LLAMA["architecture"]["attention"]["type"]


def test_nodes_that_a_milestone_names_are_in_the_tree():
    ids = {node["id"] for node in content.facts("family_tree")["nodes"]}
    assert {name for row in CARD["milestones"] for name in row["nodes"]} <= ids


def test_four_sizes_are_shown_with_the_counts_of_the_configs():
    counted = {row["id"]: row for row in content.facts("configs")["configs"]}
    shown = model_card.size_rows()[1:]
    assert len(shown) == 4
    for (name, count, *_), size in zip(shown, ("7b", "13b", "33b", "65b"), strict=True):
        assert name == f"**LLaMA-{size.upper()}**"
        row = counted[f"llama-1-{size}"]
        assert int(count.replace(",", "")) in row.values()
    assert "65.286" in content.home("sizes")
    assert round(LLAMA["table2_sizes"][3]["params_exact_measured"] / 1e9, 3) == 65.286


def test_the_card_says_which_sizes_are_ahead_of_gpt3_and_on_how_many_scores():
    wins = {size: sum(duel.gap > 0 for duel in duels(size)) for size in ("7B", "13B", "33B", "65B")}
    assert wins == {"7B": 5, "13B": 11, "33B": 13, "65B": 13}
    assert {len(duels(size)) for size in wins} == {13}
    text = content.facts("model_card")["description"][0]["text"]
    assert "The 13B, about a thirteenth of GPT-3's size, is ahead on 11 of 13 scores" in text
    assert "the 33B and 65B on all 13, the 7B on only 5" in text


def test_llama_13b_is_thirteen_times_smaller_and_ahead_on_as_many_as_the_facts_count():
    told = LLAMA["gpt3_vs_llama13b_derived"]
    pairs = sorted([duel.llama, duel.gpt3] for duel in duels())
    assert pairs == sorted(told["detail"].values())
    wins = sum(ours > theirs for ours, theirs in told["detail"].values())
    assert headline.ahead() == (wins, len(told["detail"])) == (11, 13)
    assert sizes() == {"LLaMA-13B": 13_015_864_320, "GPT-3 175B": 174_604_259_328}
    assert headline.times_smaller() == pytest.approx(13.41, abs=0.01)
    assert headline.headline().endswith("13 times smaller, ahead on 11 of 13 scores")


def test_where_gpt3_is_ahead_is_said_as_plainly():
    lost = {duel.test for duel in duels() if duel.llama < duel.gpt3}
    assert lost == {"PIQA", "OpenBookQA"}
    assert all(name in headline.in_words() for name in lost)


def test_the_headline_tells_truly_what_is_counted_how_often():
    names = [duel.test for duel in duels()]
    for family, n in {"NaturalQuestions": 3, "RACE": 2, "ARC": 2}.items():
        assert sum(name.startswith(family) for name in names) == n
    truth = {(row["model"], row["size"]): row for row in LLAMA["table14_truthfulqa"]}
    ours, theirs = truth["LLaMA", "13B"], truth["GPT-3", "175B"]
    for measure in ("truthful", "truthful_and_informative"):
        assert ours[measure] > theirs[measure]


def test_every_number_of_the_result_tables_is_shown():
    def numbers(value):
        return value if isinstance(value, (int, float)) else None

    names = [f"table{n}_" for n in range(3, 15)]
    for start, table in zip(names, tables().values(), strict=True):
        name = next(name for name in LLAMA if name.startswith(start))
        printed = [numbers(each) for row in LLAMA[name] for each in row.values()]
        shown = [score for entry in table.entries for score in entry.scores.values()]
        assert sorted(filter(None, printed)) == sorted(filter(None, shown))


def test_every_model_of_the_tables_has_its_family():
    entries = [entry for table in tables().values() for entry in table.entries]
    assert {entry.family for entry in entries} == set(FAMILIES)
    others = {entry.model for entry in entries if entry.family == "Others"}
    assert others == {"GPT-NeoX", "OPT", "GLM", "OPT-IML-Max", "Flan-T5-XXL", "LaMDA"}
    assert {entry.model for entry in entries if entry.family == "LLaMA"} == {"LLaMA", "LLaMA-I"}


def test_scores_are_written_with_the_decimals_that_the_paper_prints():
    for table in tables().values():
        for entry in table.entries:
            for score in entry.scores.values():
                assert score is None or round(score, table.decimals) == score


def entry(model, score, size="1B"):
    return Entry(model=model, size=size, scores={"m": score}, source="s", confidence="derived")


def test_the_best_stands_first_and_gaps_last():
    rows = [entry("a", None), entry("b", 1.0), entry("c", 3.0), entry("d", 2.0)]
    assert [row.model for row in in_order(rows, "m", "score", "higher")] == ["c", "d", "b", "a"]
    assert [row.model for row in in_order(rows, "m", "score", "lower")] == ["b", "d", "c", "a"]


def test_sizes_are_sorted_as_numbers_and_names_without_regard_to_case():
    rows = [entry("b", 1.0, "8B"), entry("A", 1.0, "62B"), entry("c", 1.0, "1.3B")]
    assert [row.size for row in in_order(rows, "m", "size", "higher")] == ["62B", "8B", "1.3B"]
    assert [row.model for row in in_order(rows, "m", "name", "higher")] == ["A", "b", "c"]


@pytest.mark.parametrize("name", tables())
def test_a_chart_tells_every_score_in_words_and_leaves_gaps_empty(name):
    table = tables()[name]
    for measure, title in table.measures.items():
        rows = [Bar(label=each.label, value=each.scores[measure]) for each in table.entries]
        picture = bars(rows, title=title, x=table.unit)
        drawn = [x for trace in picture.figure.data for x in trace.x]
        assert sorted(drawn) == sorted(row.value for row in rows if row.value is not None)
        for row in rows:
            assert f"{row.label} {row.written}" in picture.alt
        gaps = [row for row in rows if row.value is None]
        assert len(picture.figure.layout.annotations) == len(gaps)
        assert picture.alt.count("not printed") == len(gaps)


def test_what_was_read_off_a_figure_says_so():
    picture = bars(
        [Bar(label="a", value=1.0, is_read=True), Bar(label="b", value=2.0)], title="t", x="x"
    )
    assert "a 1 (read off a figure); b 2." in picture.alt
    assert picture.figure.data[1].marker.pattern.shape == ("/", "")


def test_lines_between_two_scores_tell_who_is_ahead():
    rows = [Pair(label="a", ours=3.0, theirs=1.0), Pair(label="b", ours=1.0, theirs=2.0)]
    picture = dumbbells(rows, ours="A", theirs="B", x="Score")
    ours_ahead, theirs_ahead = picture.figure.data[2:]
    assert (ours_ahead.x, ours_ahead.line.dash) == ((3.0, 1.0, None), "solid")
    assert (theirs_ahead.x, theirs_ahead.line.dash) == ((1.0, 2.0, None), "dot")
    assert "a 3 and 1; b 1 and 2" in picture.alt


@pytest.mark.parametrize("name", training_facts.AGAINST)
def test_sizes_are_drawn_against_everything_that_was_chosen(name):
    choice = training_facts.AGAINST[name]
    series = {
        family: [
            Trained(label=row["model"], parameters=1, value=choice.of(row), written="w")
            for row in rows
        ]
        for family, rows in training_facts.trained_models().items()
    }
    picture = by_size(series, y=choice.axis, short=choice.short)
    marks = picture.figure.layout.yaxis.ticktext
    assert len(set(marks)) == len(marks) > 1
    assert picture.alt.count(";") == 4 + 8 - 1


def test_size_for_size_llama_read_more_and_learned_at_a_higher_rate():
    near = {"LLaMA-7B": "GPT-3 6.7B", "LLaMA-13B": "GPT-3 13B"}
    rows = {row["model"]: row for all_ in training_facts.trained_models().values() for row in all_}
    for ours, theirs in near.items():
        assert rows[ours]["train_tokens"] > 3 * rows[theirs]["train_tokens"]
        assert rows[ours]["learning_rate"] > rows[theirs]["learning_rate"]
    assert {row["train_tokens"] for row in GPT3["table2_1_sizes"]} == {300e9}
    assert all(row["tokens_per_param"] > 20 for row in LLAMA["table2_sizes"])


def test_books_and_wikipedia_are_read_more_often_than_web_pages():
    ours = {row["dataset"]: row["epochs_at_1p4T"] for row in LLAMA["table1_pretraining_data"]}
    assert min(ours["Books"], ours["Wikipedia"]) > max(ours["CommonCrawl"], ours["C4"])
    theirs = {row["dataset"]: row["epochs_at_300B"] for row in GPT3["table2_2_data"]}
    web = theirs["Common Crawl (filtered)"]
    assert min(theirs["Books1"], theirs["Wikipedia"]) > web > theirs["Books2"]
    assert sum(row["weight_percent"] for row in GPT3["table2_2_data"]) == 101
    assert (len(ours), len(theirs)) == (7, 5)


def test_energy_is_shown_as_printed_and_as_it_comes_out_again():
    method = LLAMA["carbon_method"]
    for row in LLAMA["table15_carbon"]:
        mwh = row["gpu_hours"] * row["gpu_watts"] * method["pue"] / 1e6
        assert row["recomputed_mwh"] == pytest.approx(mwh, abs=0.01)
        assert row["recomputed_tco2eq"] == pytest.approx(mwh * method["kg_co2_per_kwh"], abs=0.01)
        assert row["recomputed_mwh"] == pytest.approx(row["mwh"], rel=0.01)
    for number in ("400 W", f"{method['pue']:g}", f"{method['kg_co2_per_kwh']:g}"):
        assert number in content.home("energy")
    rows = [Spent(label="a", printed=36, again=36.27, is_ours=True)]
    assert "Computed again: a 36.27." in spending(rows, title="Energy", x="MWh").alt


def test_the_doubt_about_the_whole_project_is_told_with_its_sum():
    said = training_facts.doubt()
    assert "2,638 MWh" in said
    found = int(re.search(r"about ([\d,]+) MWh", said)[1].replace(",", ""))
    method, hours = LLAMA["carbon_method"], 2048 * 5 * 365.25 / 12 * 24
    assert found == round(hours * 400 * method["pue"] / 1e6, -1) == 3290
    assert f"about {found:,} MWh" in method["doubt"]


def test_what_is_said_below_the_picture_of_sizes_and_scores_holds():
    order = [entry.label for entry in meaning.by_score()]
    assert order.index("LLaMA 13B") + 1 == order.index("GPT-3 175B")
    assert order[:3] == ["PaLM 540B", "Chinchilla 70B", "LLaMA 65B"]
    assert "LLaMA 65B stays behind Chinchilla 70B and PaLM 540B" in content.home("table_mmlu")


def test_home_speaks_of_what_there_is_and_not_of_what_there_is_not_yet():
    for path in (content.HERE / "home").glob("*.md"):
        said = path.read_text(encoding="utf-8")
        assert not re.search(r"\byet\b|There is no|not built|coming soon|will be", said), path.name


def test_what_the_papers_print_oddly_is_told_where_it_shows():
    odd = "\n".join(training_facts.oddities())
    for words in ("30B", "65.2B", "24 heads x 128", "5140"):
        assert words in odd
    for name in ("table_mmlu", "table_mmlu_instruct"):
        assert {"55.1", "53.7"} <= set(re.findall(r"\d+\.\d", content.home(name)))
    palm = {
        row["model"] + row["size"]: row
        for table in ("table9_mmlu_5shot", "table10_instruct_mmlu_5shot")
        for row in LLAMA[table]
        if row["model"] == "PaLM" and row["size"] == "62B"
    }
    assert palm["PaLM62B"]["MMLU"] == 55.1


def test_what_is_said_of_bias_and_toxicity_holds():
    average = {row["category"]: row for row in LLAMA["table12_crows_pairs"]}
    ours, others = "LLaMA_65B", ("GPT3_175B", "OPT_175B")
    assert all(average["Average"][ours] < average["Average"][other] for other in others)
    for category in ("Religion", "Age", "Gender"):
        assert all(average[category][ours] > average[category][other] for other in others)
    toxic = LLAMA["table11_real_toxicity"]
    for kind in ("basic", "respectful"):
        assert max(toxic, key=lambda row: row[kind])["size"] == "65B"


def test_the_number_beside_the_longest_bar_has_room_by_its_letters():
    def reach(words):
        rows = [Bar(label="a", value=10.0, words=words), Bar(label="b", value=2.0)]
        return bars(rows, title="Size", x="Parameters").figure.layout.xaxis.range[1]

    assert 10.0 < reach("10") < reach("10,000,000") < 20.0


def test_the_small_tree_holds_all_parents_and_the_children_that_have_children():
    tree = small_tree.family_tree()
    before, after = small_tree.ancestors(tree), small_tree.descendants(tree)
    assert {node.id for node in before} == {edge.parent for edge in tree.parents_of("llama-1")}
    assert {"llama-2", "vicuna", "alpaca", "mistral-7b"} <= {node.id for node in after}
    assert "guanaco" not in {node.id for node in after}
    for nodes in (before, after):
        assert [node.place for node in nodes] == sorted(node.place for node in nodes)


ORGANISATIONS = {
    "transformer": (2017, "Google Brain"),
    "kaplan-scaling": (2020, "OpenAI"),
    "chinchilla": (2022, "DeepMind"),
    "llama": (2023, "Meta AI"),
    "rope": (2021, "Zhuiyi Technology"),
    "swiglu": (2020, "Google"),
}


def test_six_cards_stand_in_order_with_year_and_organisation_of_the_facts():
    assert list(CARDS)[:6] == list(ORGANISATIONS)
    assert list(CARDS)[6:] == ["rmsnorm", "gqa", "sentencepiece"]
    for name, (year, organisation) in ORGANISATIONS.items():
        assert (paper(name)["year"], CARDS[name].organisation) == (year, organisation)
    for name, card in CARDS.items():
        assert paper(name)["org"].startswith(card.organisation)


@pytest.mark.parametrize("name", CARDS)
def test_a_paper_has_equation_letters_reason_and_a_page_to_touch_it_on(name):
    row = paper(name)
    assert row["key_equation_latex"]
    assert row["why_it_matters_to_llama"]
    assert re.fullmatch(r"\d{4}\.\d{5}", row["arxiv"])
    assert content.home(f"paper_{name}").startswith("$")
    assert content.page(CARDS[name].touch.page)


def test_numbers_in_the_letters_are_those_of_the_fits():
    said = content.home("paper_chinchilla")
    for number in ("1.69", "406.4", "410.7", "0.34", "0.28"):
        assert number in said
        assert number in paper("chinchilla")["equation_notes"]
    said = content.home("paper_kaplan-scaling")
    for number in ("0.076", "0.103"):
        assert number in said
        assert number in paper("kaplan-scaling")["equation_notes"]


def tokens_a_parameter(fit, flops):
    """Give the ratio that a fit of Chinchilla's law calls for (its equation 4)."""
    both = fit["alpha"] + fit["beta"]
    ratio = (fit["alpha"] * fit["A"] / (fit["beta"] * fit["B"])) ** (1 / both)
    n_parameters = ratio * (flops / 6) ** (fit["beta"] / both)
    return flops / 6 / n_parameters**2


def test_what_each_fit_of_chinchillas_law_calls_for_is_said_beside_the_rule_of_20():
    fits = {fit["id"]: fit for fit in content.facts("scaling_laws")["fits_for_calculator"]}
    said = content.home("paper_chinchilla")
    assert "$5.76 \\times 10^{23}$" in said
    numbers = {name: round(tokens_a_parameter(fit, 5.76e23)) for name, fit in fits.items()}
    assert numbers == {"chinchilla_rounded": 93, "chinchilla_unrounded": 59, "epoch_refit": 18}
    assert set(re.findall(r"about (93)|for (59)|says (18)", said)) == {
        ("93", "", ""),
        ("", "59", ""),
        ("", "", "18"),
    }


def test_what_chinchilla_showed_is_told_with_the_numbers_of_its_paper():
    models = {
        row["model"]: row for row in content.facts("scaling_laws")["chinchilla"]["table4_models"]
    }
    assert models["Chinchilla"]["params"] == 70e9
    assert models["Gopher"]["params"] == 280e9
    said = paper("chinchilla")["why_it_matters_to_llama"]
    for number in ("70B on 1.4 trillion", "280B Gopher on 0.3 trillion"):
        assert number in said
    assert [models[name]["train_tokens"] for name in ("Chinchilla", "Gopher")] == [1.4e12, 3e11]


def test_the_row_of_gpt3s_data_that_does_not_fit_is_told():
    rows = {row["dataset"]: row for row in GPT3["table2_2_data"]}
    again = {
        name: [
            (row["weight_percent"] + off) / 100 * 300 / row["tokens_billion"] for off in (-0.5, 0.5)
        ]
        for name, row in rows.items()
    }
    assert round(sum(again["WebText2"]) / 2, 2) == 3.47
    assert again["WebText2"][0] > 3.3 > rows["WebText2"]["epochs_at_300B"] == 2.9
    said = content.home("data")
    assert all(number in said for number in ("22%", "19 billion", "3.47", "2.9", "0.64"))
    code = next(row for row in LLAMA["table1_pretraining_data"] if row["dataset"] == "Github")
    assert code["epochs_at_1p4T"] == 0.64


def test_bytes_on_one_graphics_card_are_counted():
    said = next(row["text"] for row in CARD["why"] if "graphics card" in row["title"])
    ours, theirs = (2 * sizes()[name] / 1e9 for name in ("LLaMA-13B", "GPT-3 175B"))
    assert (round(ours), round(theirs, -1)) == (26, 350)
    assert "26 GB" in said
    assert "about 350 GB" in said


def test_what_meta_and_others_released_before_is_told_with_llama():
    dates = {node["id"]: node["release_date"] for node in content.facts("family_tree")["nodes"]}
    row = next(row for row in CARD["milestones"] if row["title"] == "Not Meta's first release")
    assert "OPT came in May 2022" in row["text"]
    assert dates["opt"].startswith("2022-05")
    assert all(dates[name] < dates["llama-1"] for name in row["nodes"])


def test_the_gain_of_swiglu_in_perplexity_is_that_of_the_two_losses():
    said = content.home("paper_swiglu")
    relu, gelu, swiglu = (float(number) for number in re.findall(r"1\.6\d\d", said))
    for other in (relu, gelu):
        assert 100 * (1 - exp(swiglu - other)) == pytest.approx(4, abs=0.3)
    assert "4% less perplexity" in said


def test_an_unknown_paper_is_a_key_error():
    with pytest.raises(KeyError):
        paper("nothing")
