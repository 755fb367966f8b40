"""What the Architecture page says of costs: every count, every sum, every source."""

import re
from dataclasses import fields, replace
from math import isclose

import pytest
from conftest import across, prose
from streamlit.testing.v1 import AppTest

from explorer import content
from explorer.architecture import compute, memory, parameters, sizes, speed, training
from explorer.architecture.accelerators import Accelerator, accelerators
from explorer.architecture.assumptions import Serving, published, tokens_source
from explorer.figures.amounts import (
    in_energy,
    in_flops,
    in_mass,
    in_rate,
    in_time,
    in_words,
)
from explorer.figures.costs import (
    Pass,
    Size,
    cache_lines,
    flops_by_length,
    memory_bars,
    parameter_map,
    roofline,
    sizes_map,
    speed_by_batch,
)
from tiny_llama.cost import count_parameters, parameters_by_component
from tiny_llama.presets import PRESETS
from tiny_llama.setup import Setup
from tiny_llama.training_cost import exact_training_flops

VIEWS = ("parameters", "compute", "memory", "speed", "sizes", "training")
ODD = {
    "no attention": {"attention": "none"},
    "no feed-forward": {"feed_forward": "none"},
    "no layers": {"n_layers": 0},
    "a mixture": {"feed_forward": "moe_swiglu"},
    "windows": {"attention": "alternating", "n_kv_heads": 2},
    "many layers": {"n_layers": 40, "bias": "all", "norm": "layernorm"},
}
SERVING = Serving(precision="fp16", group_size=128, cache="fp16", n_tokens=2048, n_texts=1)
LLAMA_65B = PRESETS["llama-1-65b"].config


def page(view, name, changes):
    import importlib  # this function runs by itself
    from dataclasses import replace

    import streamlit as st

    from explorer import link
    from explorer.stage import Stage
    from tiny_llama.presets import PRESETS
    from tiny_llama.setup import Setup

    setup = Setup(model=replace(PRESETS[name].config, **changes))
    places = ("picture", "controls", "shared", "words", "below")
    stage = Stage(
        page="architecture", view=view, **{place: st.container(key=place) for place in places}
    )
    with link.followed("architecture"), stage.picture:
        importlib.import_module(f"explorer.architecture.{view}").show(stage, setup, name)


def open_view(view, name="tiny-llama", changes=None, **link):
    app = AppTest.from_function(page, args=(view, name, changes or {}), default_timeout=60)
    for key, value in link.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception
    return app


def said(app):
    shown = [*app.markdown, *app.caption, *app.warning, *app.info]
    return "\n".join(each.value for each in shown)


def numbers(app):
    """Read the numbers on the slim line of a view, by their labels."""
    line = next(line for line in prose(app) if re.match(r"[^*|]+ \*\*[^*|]+\*\*( · |$)", line))
    return dict(re.findall(r"(?:^| · )([^*]+) \*\*([^*]+)\*\*", line))


@pytest.mark.parametrize(("name", "view"), across(ODD, VIEWS[:4], mainly="memory"))
def test_every_count_is_made_for_odd_models(view, name):
    open_view(view, changes=ODD[name])


@pytest.mark.parametrize("view", VIEWS)
def test_nonsense_in_a_link_is_passed_over(view):
    words = ("box", "precision", "group", "kv", "length", "texts", "accelerator", "cards", "budget")
    open_view(view, **dict.fromkeys((*words, "operations", "boxes"), "<b>nonsense</b>"))


@pytest.mark.parametrize("name", PRESETS)
def test_the_parts_add_up_to_all_parameters_and_each_component(name):
    config = PRESETS[name].config
    for few_layers in (0, 8, 1000):
        parts = list(parameters.parts_of(config, few_layers=few_layers))
        assert sum(part.n_parameters for part in parts) == count_parameters(config)
        assert parameters.by_component(parts) == parameters_by_component(config)


@pytest.mark.parametrize("name", PRESETS)
def test_the_sum_that_is_written_out_gives_each_component(name):
    config = PRESETS[name].config
    parts = list(parameters.parts_of(config, few_layers=0))
    for component, n in parameters_by_component(config).items():
        if n:
            written = parameters.written_out(parts, component)
            assert re.fullmatch(r"[\d,×+() ]+", written)
            assert eval(written.replace(",", "").replace("×", "*")) == n


@pytest.mark.parametrize("changes", ODD.values(), ids=ODD)
@pytest.mark.parametrize("order", parameters.ORDERS)
def test_each_box_is_as_large_as_what_it_holds(order, changes):
    config = replace(PRESETS["tiny-llama"].config, **changes)
    boxes = list(parameters.boxes_of(list(parameters.parts_of(config)), order))
    sizes_by_id = {box.id: box.n_parameters for box in boxes}
    assert len(sizes_by_id) == len(boxes)
    assert boxes[0].n_parameters == count_parameters(config)
    for box in boxes:
        inside = [each.n_parameters for each in boxes if each.inside == box.id]
        assert not inside or sum(inside) == box.n_parameters
        assert box.inside in sizes_by_id or box is boxes[0]


def test_a_deep_model_is_few_boxes():
    deep = PRESETS["llama-3.1-405b"].config
    for order in parameters.ORDERS:
        boxes = list(parameters.boxes_of(list(parameters.parts_of(deep)), order))
        assert len(boxes) < 30
        assert any(box.label == "126 layers" for box in boxes)


def test_a_box_is_opened_by_the_link():
    app = open_view("parameters", "llama-1-65b", box="model/Feed-forward/80 layers")
    assert app.selectbox(key="box").value == "model/Feed-forward/80 layers"
    boxes = list(parameters.boxes_of(list(parameters.parts_of(LLAMA_65B)), "component"))
    words = parameter_map(boxes, "model/Feed-forward/80 layers").alt
    assert "Tree map of 80 layers, 43,285,217,280 parameters" in words
    assert "to_gate 14,428,405,760 (33.3%)" in words


def test_tied_and_untied_are_said():
    assert "tied, one matrix" in said(open_view("parameters", "gemma-2b"))
    assert "untied, two matrices" in said(open_view("parameters", "llama-1-7b"))


@pytest.mark.parametrize("name", PRESETS)
def test_the_differences_lead_from_6nd_to_the_exact_sum(name):
    config = PRESETS[name].config
    total = sum(compute.differences(config).values())
    assert isclose(total, exact_training_flops(config, 1), rel_tol=1e-12)


def test_65b_trains_with_the_operations_of_the_facts():
    app = open_view("compute", "llama-1-65b")
    row = next(
        row for row in content.facts("llama_paper")["table2_sizes"] if row["model"] == "LLaMA-65B"
    )
    assert 6 * count_parameters(LLAMA_65B) * row["train_tokens"] == pytest.approx(
        row["train_flops_6ND"], rel=1e-3
    )
    assert "5.48 × 10²³ FLOP" in said(app)
    assert "5.69 × 10²³ FLOP" in said(app)
    assert "verified" in said(app)


def test_the_training_tokens_are_the_links():
    assert "Training on 1.31 trillion tokens" in said(
        open_view("compute", "llama-1-65b", budget="chinchilla")
    )
    own = open_view("compute", "llama-1-65b", budget="own", millions="7000")
    assert "Training on 7 billion tokens" in said(own)
    setup = Setup()
    run = setup.training.steps * setup.tokens_a_step
    assert f"Training on {in_words(run)} tokens" in said(open_view("compute", budget="run"))


def test_a_changed_model_has_no_published_tokens():
    app = open_view("compute", "llama-1-7b", {"n_layers": 31})
    assert not [each for each in app.selectbox(key="budget").options if "published" in each]


def test_the_precision_of_the_link_is_what_is_counted():
    app = open_view("memory", "llama-1-65b", precision="int4", group="32", texts="4")
    # (65.28 billion numbers of 4.5 bits, and few vectors); 4 caches of 5.37 GB
    assert list(numbers(app).values())[:2] == ["36.7 GB", "21.5 GB"]
    assert "one scale of 16 bits for 32 numbers of a row" in said(app)


def test_what_is_chosen_stands_in_the_link_until_it_is_the_usual():
    app = open_view("memory", "llama-1-65b")
    assert not app.query_params
    app.selectbox(key="precision").select("int8").run()
    app.selectbox(key="texts").select("32").run()
    assert dict(app.query_params) == {"precision": "int8", "texts": "32"}
    app.selectbox(key="precision").select("fp16").run()
    assert list(app.query_params) == ["texts"]


def test_what_does_not_fit_says_how_many_it_needs():
    rows = memory.fits_table(LLAMA_65B, SERVING).splitlines()
    assert any("A100" in row and "163%" in row and "needs 2" in row for row in rows)
    small = memory.fits_table(PRESETS["llama-1-7b"].config, SERVING).splitlines()
    # (80 - 13.48) GB / 1.0737 GB
    assert any("A100" in row and "17%" in row and "| 61 |" in row for row in small)


def test_windows_and_shared_heads_are_lines_of_their_own():
    def others(name):
        return set(memory.other_caches(PRESETS[name].config, SERVING, [128, 8192]))

    assert others("llama-1-7b") == {"1 text, if multi-query"}
    assert others("gemma-2b") == {"1 text, if multi-head"}
    assert "1 text, windows kept only" in others("mistral-7b")
    assert "GPT-3's paper prints none" in said(open_view("memory", "gpt3-175b"))


def test_speed_is_what_the_bound_says():
    app = open_view("speed", "llama-1-7b")
    assert numbers(app)["One text, at best"] == "143 tokens/s"  # 2,039 GB/s / (13.21 + 1.07) GB
    assert "as measured" not in said(app)
    two = open_view("speed", "llama-1-7b", cards="2")
    assert numbers(two)["One text, at best"] == "285 tokens/s"
    assert "2 × NVIDIA A100 80GB SXM" in said(two)


def test_too_few_cards_are_warned_of():
    app = open_view("speed", "llama-1-65b", cards="1", accelerator="t4")
    assert "9 × NVIDIA T4 would be needed" in app.warning[0].value
    assert not open_view("speed", "llama-1-65b", accelerator="t4").warning


def test_a_mixture_reads_its_active_experts_and_more_of_them_in_a_batch():
    changes = {"feed_forward": "moe_swiglu", "n_experts": 4, "n_active_experts": 1}
    words = said(open_view("speed", changes=changes, texts="2"))
    assert "each token reads 1 of 4 experts; 2 at once are expected to need 44% of them" in words
    words = said(open_view("compute", changes=changes))
    assert "6ND with all active parameters" in words
    assert "idle experts" in words
    mixtral = said(open_view("parameters", "mixtral-8x7b"))
    assert "12.9 billion" in mixtral  # of 46.7
    assert "active" not in said(open_view("compute"))


def test_a_batch_beyond_the_memory_is_marked():
    rows = speed.batch_table(
        LLAMA_65B,
        SERVING,
        speed.Machine(accelerator=accelerators()["a100-80gb"], cards=2, products="fp16"),
    ).splitlines()
    assert rows[3].startswith("| 4 |")
    assert rows[4].startswith("| 16, too many |")


@pytest.mark.parametrize(
    "row", content.facts("accelerators")["accelerators"], ids=lambda r: r["id"]
)
def test_every_accelerator_has_source_confidence_and_sound_figures(row):
    assert set(row) == {field.name for field in fields(Accelerator)}
    assert row["confidence"] in content.CONFIDENCE
    assert len(row["source"]) > 20
    assert set(row["unverified_fields"]) <= set(row)
    assert bool(row["unverified_fields"]) == (row["confidence"] == "partly-verified")
    chip = accelerators()[row["id"]]
    peaks = row["peak_flops"]
    assert min(peaks.values()) > 0
    assert peaks["fp32"] == min(peaks.values())
    assert peaks.get("fp8", peaks.get("fp16")) in (
        peaks.get("fp16"),
        pytest.approx(2 * peaks.get("fp16", 0), rel=1e-3),
    )
    assert 3 < chip.peak("fp16") / chip.bandwidth_bytes_per_second < 1000
    assert row["confidence"].replace("-", " ") in chip.cited


def test_the_a100_is_the_one_that_the_llama_paper_is_reckoned_with():
    efficiency = content.facts("llama_paper")["efficiency"]["derived"]
    assert training.a100_peak() == 312e12
    assert efficiency["mfu_at_380_tok_s_vs_312_TFLOPS_6N"] == pytest.approx(0.477)
    watts = {row["gpu_watts"] for row in content.facts("llama_paper")["table15_carbon"]}
    assert watts == {accelerators()["a100-80gb"].watts}


@pytest.mark.parametrize("name", content.configs())
def test_the_sizes_are_the_published_ones_to_the_last_digit(name):
    row = content.configs()[name]
    assert sizes.n_parameters(name) == row["params_measured"]
    if row["train_tokens"]:
        assert "Source: " in tokens_source(name)


@pytest.mark.parametrize("name", content.configs())
def test_a_count_differs_only_where_the_page_says_why(name):
    config = PRESETS[name].config
    missing = content.configs()[name]["params_measured"] - count_parameters(config)
    assert missing == (2 * config.d_model if sizes.count_differs(name) else 0)
    assert not sizes.count_differs(name) or PRESETS[name].note in said(
        open_view("sizes", also=name)
    )


def test_gpt3_is_what_its_table_of_compute_says():
    rows = content.facts("gpt3_paper")["table_d1_compute"]
    for name, row in zip(sizes.GPT3, rows, strict=True):
        assert sizes.n_parameters(name) == pytest.approx(1e6 * row["params_million"], rel=5e-3)


def test_what_is_printed_otherwise_stands_beside_what_holds():
    assert sizes.printed_otherwise() == {"gpt3-xl": {"n_heads": 24}, "gpt3-13b": {"dim": 5140}}
    table = sizes.shapes_table([*sizes.LLAMA, *sizes.GPT3])
    assert "16 (24)" in table
    assert "5,120 (5,140)" in table
    counts = sizes.counts_table(sizes.LLAMA, chosen="llama-1-65b")
    assert "**▶ LLaMA 65B** | 65,285,660,672 | 65\\.2B | 1.4 trillion | 21.4 |" in counts
    assert "truncated rather than rounded" in sizes.oddities()


def test_the_names_of_two_families_stand_on_different_sides_of_their_points():
    picture = sizes_map(sizes.sizes_of([*sizes.LLAMA, *sizes.GPT3]), 20)
    llama, gpt3 = picture.figure.data[:2]
    assert (llama.textposition, gpt3.textposition) == ("top center", "bottom center")
    assert "13B<br> " in llama.text
    assert "13B" in gpt3.text


def test_models_are_added_by_the_link():
    app = open_view("sizes", also="llama-3-8b")
    assert "8,030,261,248" in said(app)
    assert "8,030,261,248" not in said(open_view("sizes"))


def test_a_doubtful_number_of_tokens_is_said_to_be_one():
    assert "training" in tokens_source("gpt-j-6b")
    assert "partly verified" in tokens_source("gpt-j-6b")
    assert published("no such model") is None


def test_the_checks_of_65b_say_in_words_how_far_they_agree():
    found = {check.what: check for check in training.checks()}
    days = found["Days"]
    assert (days.computed, days.printed, days.verdict) == ("20.8", "about 21", "agrees, -0.9%")
    hours = found["GPU-hours (Table 15)"]
    assert (hours.computed, hours.printed) == ("1,023,392", "1,022,362")
    assert found["Utilisation (MFU), by 6N"].computed == "47.7%"
    assert found["Utilisation, by the exact sum"].computed == "48.5%"
    assert found["Operations, exact, texts of 2,048"].verdict.startswith("+1.7%")
    assert not [check for check in found.values() if "differs" in check.verdict]
    assert training.agreement(3, 2) == "differs, +50.0%"


def test_the_calculator_meets_the_paper_as_it_opens():
    app = open_view("training", "llama-1-65b")
    found = numbers(app)
    assert found["Time"] == "20.8 days"
    assert found["Tokens/s on each"] == "380"
    assert (found["Energy"], found["CO₂ equivalent"]) == ("450 MWh", "173 t")


def test_beside_the_checks_of_65b_stands_the_same_of_the_chosen_model():
    rows = [
        row.strip("| ").split(" | ")
        for row in said(open_view("training", "llama-1-65b")).splitlines()
        if row.startswith("| ")
    ]
    cells = {row[0]: (row[1], row[-1]) for row in rows}
    for what in ("Operations, 6ND with all parameters", "Utilisation (MFU), by 6N"):
        assert cells[what][0] == cells[what][1]
    assert cells["Days"] == ("20.8", "20.8 days")
    exact = open_view("training", "llama-1-65b", operations="exact", utilisation="48.5")
    assert "| 48.5% |" in said(exact)
    assert "20.8 days" in numbers(exact)["Time"]


def test_few_hours_of_an_accelerator_are_written_without_a_power_of_ten():
    (hours,) = [
        row.strip("| ").split(" | ")[-1]
        for row in said(open_view("training", "tiny-llama")).splitlines()
        if row.startswith("| GPU-hours (")
    ]
    assert re.fullmatch(r"0\.0+\d\d?", hours)


def test_the_calculator_takes_everything_from_the_link():
    app = open_view(
        "training",
        "llama-1-7b",
        machines="1024",
        utilisation="50.0",
        accelerator="h100",
        operations="exact",
        budget="own",
        millions="1000000",
    )
    config = PRESETS["llama-1-7b"].config
    seconds = exact_training_flops(config, 1e12, skips_hidden=True) / (1024 * 989.4e12 * 0.5)
    found = numbers(app)
    assert found["Time"] == in_time(seconds)


def test_a_machine_without_watts_has_no_energy():
    labels = numbers(open_view("training", accelerator="apple-m1"))
    assert "Time" in labels
    assert "Energy" not in labels


def test_amounts_are_short():
    found = [in_words(n) for n in (0, 1.718, 150.2, 999_499, 999_500, 6_738_415_616, 5.484e23)]
    assert found == ["0", "1.72", "150", "999,499", "1 million", "6.74 billion", "5.48 × 10²³"]
    assert in_flops(2) == "2 FLOP"
    assert [in_rate(n) for n in (312e12, 999.96e12, 5)] == ["312 TFLOP/s", "1 PFLOP/s", "5 FLOP/s"]
    assert [in_time(s) for s in (1.8e6, 90, 0.0354)] == ["20.8 days", "1.5 minutes", "35.4 ms"]
    assert [in_energy(kwh) for kwh in (449_840, 1 / 3.6e6)] == ["450 MWh", "1 J"]
    assert [in_mass(kg) for kg in (173_190, 0.5)] == ["173 t", "500 g"]


def test_pictures_of_costs_say_their_numbers():
    words = flops_by_length([1, 10, 100], {"a": [1, 1, 1], "b": [0, 1, 5]}, 10).alt
    assert "At the context of 10 tokens: a 1 FLOP; b 1 FLOP" in words
    assert "At 100 tokens a token takes 3.00 times as many" in words
    words = memory_bars({"serve": {"weights": 2e9, "cache": 1e9}}, 8e9, "A chip").alt
    assert "serve 3 GB (weights 2 GB, cache 1 GB). A chip has 8 GB." in words
    words = cache_lines([1, 2], {"1 text": [5, 10]}, {"other": [1, 2]}, -1, "left").alt
    assert "At 2 tokens: 1 text 10 bytes; other 2 bytes. left: nothing." in words
    found = roofline([Pass(name="one", intensity=1, rate=5)], peak=100, bandwidth=5)
    assert "up to 20, the ridge, and is 100 FLOP/s from there on" in found.alt
    roof = found.figure.data[0]
    assert list(roof.y)[1:] == [100, 100]
    words = speed_by_batch([1, 2, 4], {"memory": [1, 2, 3]}, [1, 2, 3], 2).alt
    assert "1 with 1; 2 with 2; 3 with 4. Memory is full at 2 texts." in words
    one = Size(title="A 1B", family="A", n_parameters=10**9, n_tokens=2e10)
    assert (
        "A 1B 1 billion parameters, 20 billion tokens, 20 a parameter" in sizes_map([one], 20).alt
    )
