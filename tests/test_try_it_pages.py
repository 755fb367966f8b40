"""Every "Try it" of Home, the family tree and the Architecture page can be done."""

import ast
import difflib
import re
from dataclasses import replace
from itertools import pairwise
from urllib.parse import unquote

import pytest
from conftest import open_page
from exercises import holds

from explorer import content, glossary
from explorer.architecture import compute, memory, parameters, sizes, speed, training
from explorer.architecture.accelerators import USUAL, accelerators
from explorer.architecture.assumptions import Serving
from explorer.architecture.block import code_of
from explorer.architecture.components import SLOTS, is_taken, titles, value_of
from explorer.compare import elsewhere, ladder, tasks
from explorer.family.filtering import Filter
from explorer.family.tree import family_tree
from explorer.home import meaning, papers
from explorer.home.results import in_order
from explorer.home.tables import LLAMA, tables
from explorer.home.training_facts import MIX
from explorer.recorded import recorded
from explorer.scaling import own_law, predicting, published, smarter
from explorer.scaling.runs import fitted, points, recorded_runs
from explorer.source import source
from tiny_llama.comparing.optimum import PUBLISHED
from tiny_llama.cost import count_parameters
from tiny_llama.diagram import diagram
from tiny_llama.errors import ConfigError
from tiny_llama.presets import PRESETS
from tiny_llama.script import write_script
from tiny_llama.serving import largest_batch, weight_bytes
from tiny_llama.setup import Setup
from tiny_llama.training_cost import exact_training_flops

LLAMA_65B, GEMMA = PRESETS["llama-1-65b"].config, PRESETS["gemma-2b"].config
SERVING = Serving(precision="fp16", group_size=128, cache="fp16", n_tokens=2048, n_texts=1)
INT4 = replace(SERVING, precision="int4")


# Home.


@holds("home", "glance")
@pytest.mark.usefixtures("app_engine")
def test_home_has_the_button_that_its_exercise_names():
    """What a press on it begins, the tests of Home look at."""
    app = open_page("home")
    button = app.button(key="train_now")
    assert button.label.strip("*") in content.inside("home", "glance").try_it
    assert not button.disabled


@holds("home", "meaning")
def test_a_smaller_model_stands_above_a_larger_one_and_one_llama_is_the_first_above_gpt_3():
    best_first = meaning.by_score()
    sizes_down = [entry.parameters for entry in best_first]
    assert any(below > above for above, below in pairwise(sizes_down))
    gpt3 = next(entry for entry in best_first if "GPT-3" in entry.label)
    above = best_first[: best_first.index(gpt3)]
    ours = [entry for entry in best_first if entry.family == LLAMA]
    assert 0 < sum(entry in above for entry in ours) < len(ours)


@holds("home", "results")
def test_by_size_a_smaller_model_beats_a_larger_one_in_every_table():
    for name, table in tables().items():
        sign = -1 if table.better == "lower" else 1
        rows = [
            (entry.parameters, sign * score)
            for measure in table.measures
            for entry in in_order(table.entries, measure, "size", table.better)
            if (score := entry.scores[measure]) is not None
        ]
        pairs = [(a, b) for a in rows for b in rows if a[0] < b[0]]
        assert any(a[1] > b[1] for a, b in pairs), name


@holds("home", "training")
def test_some_sources_were_read_more_often_than_others():
    amount = MIX["epochs"]
    rows = content.facts("llama_paper")["table1_pretraining_data"]
    times = {row["dataset"]: row[amount.ours] for row in rows}
    assert max(times.values()) > 2 * min(times.values())


@holds("home", "research")
def test_each_paper_says_its_letters_what_it_is_to_llama_and_where_to_touch_it():
    for name, card in papers.CARDS.items():
        assert content.home(f"paper_{name}").startswith("$")
        assert papers.paper(name)["why_it_matters_to_llama"]
        assert (
            card.touch.page in ("attention", "architecture", "train", "tokens") or card.touch.link
        )


@holds("home", "glossary")
def test_entries_have_words_with_a_dotted_line_each_of_which_has_its_entry():
    entries = content.glossary().values()
    marked = [glossary.marked_apart(term.meaning, but=term.word) for term in entries]
    pressed = [word for text in marked for word in re.findall(r"word=([^)]+)\)", text)]
    assert len(pressed) > len(marked) / 2
    assert {unquote(word) for word in pressed} <= set(content.glossary())


# The family tree.


@holds("family_tree", "tree")
def test_llama_2_has_children_each_of_which_says_what_it_changed():
    tree = family_tree()
    (llama_2,) = [node for node in tree.nodes.values() if node.name == "Llama 2"]
    children = [tree.nodes[edge.child] for edge in tree.children_of(llama_2.id)]
    assert len(children) >= 2
    assert all(child.description for child in children)


@holds("family_tree", "list")
def test_a_search_for_qwen_leaves_its_generations_and_what_they_owe_each_other():
    shown = Filter.of(words="Qwen").apply(family_tree())
    generations = [node for node in shown.nodes.values() if node.name.startswith("Qwen")]
    assert len(generations) >= 3
    assert sum(edge.relation == "successor" for edge in shown.edges) >= 2


# Architecture.


def turning_boxes(config, panel):
    """List the boxes of a panel that have to do with positions."""
    (found,) = [each for each in diagram(config) if each.name == panel]
    return [box for box in found.boxes if box.part == "position"]


@holds("architecture", "block")
def test_learned_positions_turn_nothing_in_attention_and_every_box_can_be_pressed():
    rope = Setup().model
    learned = replace(rope, position="learned")
    assert turning_boxes(rope, "attention")
    assert not turning_boxes(rope, "model")
    assert not turning_boxes(learned, "attention")
    assert turning_boxes(learned, "model")
    boxes = [box for config in (rope, learned) for each in diagram(config) for box in each.boxes]
    assert all(source(code_of(rope, box)) for box in boxes if box.part != "position")


@holds("architecture", "components")
def test_of_every_component_another_option_can_be_taken_and_trained():
    setup = Setup()
    for slot in SLOTS:
        others = [name for name in titles(slot) if not is_taken(setup.model, slot, name)]
        taken = []
        for name in others:
            try:
                value = value_of(setup.model, slot, name)
                taken.append(replace(setup, model=replace(setup.model, **{slot: value})))
            except ConfigError:
                continue
        assert taken, slot


@holds("architecture", "parameters")
def test_gemmas_embedding_takes_many_times_the_share_of_llamas():
    shares = []
    for config in (LLAMA_65B, GEMMA):
        parts = list(parameters.parts_of(config, few_layers=0))
        shares.append(parameters.by_component(parts)["embedding"] / count_parameters(config))
        opened = {box.id for box in parameters.boxes_of(parts, "component")}
        assert any(box.startswith("model/Feed-forward/") for box in opened)
    assert shares[1] > 20 * shares[0]


@holds("architecture", "compute")
def test_scores_weigh_more_in_the_tiny_model_and_operations_grow_with_the_tokens():
    shares = []
    for name in ("llama-1-65b", "tiny-llama"):
        config = PRESETS[name].config
        text = compute.forward_by_part(config, config.context)
        shares.append(text["scores and values"] / sum(text.values()))
    assert shares[1] > 2 * shares[0]
    once, twice = (exact_training_flops(LLAMA_65B, n) for n in (10**9, 2 * 10**9))
    assert twice == 2 * once


@holds("architecture", "memory")
def test_llama_65b_fits_more_accelerators_in_int4_and_32_texts_fill_some():
    sizes_of = {name: weight_bytes(LLAMA_65B, name, group_size=128) for name in ("fp16", "int4")}
    fitting = {
        name: [each for each in accelerators().values() if each.memory_bytes >= size]
        for name, size in sizes_of.items()
    }
    assert len(fitting["int4"]) > len(fitting["fp16"])
    a_text = memory.cache_bytes(LLAMA_65B, SERVING, SERVING.n_tokens, 1)
    most = [largest_batch(each.memory_bytes - sizes_of["int4"], a_text) for each in fitting["int4"]]
    assert min(most) < 32


@holds("architecture", "speed")
def test_the_curve_bends_and_int4_speeds_up_one_text_but_not_many():
    accelerator = accelerators()[USUAL]
    limits = {}
    for serving in (SERVING, INT4):
        for texts in (1, 1024):
            machine = speed.Machine(accelerator=accelerator, cards=8, products="fp16")
            work = speed.decode(LLAMA_65B, replace(serving, n_tokens=128), texts)
            limits[serving.precision, texts] = machine.bound(work)
    assert limits["fp16", 1].is_bandwidth_bound
    assert not limits["fp16", 1024].is_bandwidth_bound
    assert limits["fp16", 1].seconds > 3 * limits["int4", 1].seconds
    assert limits["fp16", 1024].seconds == limits["int4", 1024].seconds


@holds("architecture", "sizes")
def test_llama_3_has_moved_far_beyond_20_tokens_a_parameter():
    (size,) = sizes.sizes_of(["llama-3-8b"])
    assert size.n_tokens / size.n_parameters > 10 * 20


@holds("architecture", "training")
def test_half_the_accelerators_take_twice_the_time_and_the_same_hours_and_energy():
    flops = training.operations(PRESETS["llama-1-7b"].config, 10**12, "6nd")
    card = accelerators()[USUAL]
    all_of_them, half = (
        training.Plan(
            flops=flops, n_tokens=10**12, accelerator=card, n_accelerators=n, utilisation=0.477
        )
        for n in (2048, 1024)
    )
    assert half.seconds == 2 * all_of_them.seconds
    before, after = (training.plan_numbers(plan) for plan in (all_of_them, half))
    assert {name for name in before if before[name] != after[name]} == {"Time"}


@holds("architecture", "code")
def test_another_norm_changes_a_few_lines_of_the_script():
    setup = Setup()
    other = replace(setup, model=replace(setup.model, norm="layernorm"))
    before, after = write_script(setup).splitlines(), write_script(other).splitlines()
    ast.parse("\n".join(after))
    changed = [line for line in difflib.ndiff(before, after) if line[0] in "+-"]
    assert 0 < len(changed) < 0.2 * len(before)


# Compare, on what was recorded.


@holds("compare", "race")
def test_gpt_3_style_has_a_best_rate_of_its_own_and_looks_worse_at_llamas():
    results = recorded("race").results
    llama, gpt3 = results.side("llama"), results.side("gpt3")
    assert llama.learning_rate != gpt3.learning_rate
    there = gpt3.trials[llama.learning_rate]
    assert there is None or there > gpt3.trials[gpt3.learning_rate]


@holds("compare", "ladder")
def test_some_rung_brings_another_amount_in_the_opposite_order():
    there, back = (ladder.gains(recorded(n).results) for n in ("ladder", "ladder-backwards"))
    assert set(there) == set(back)
    assert any(abs(there[each].value - back[each].value) > 0.01 for each in there)
    assert list(ladder.ORDERS)[1] == "ladder-backwards"


@pytest.mark.skipif(not (content.RECORDED / "tasks").is_dir(), reason="not recorded yet")
@holds("compare", "tasks")
def test_without_positions_one_task_is_learned_and_another_is_not():
    table = tasks.Table(recorded("tasks").results)
    kept = {
        task: table.side(task, "no-positions").mean / table.side(task, "whole").mean
        for task in table.tasks
    }
    assert max(kept.values()) > 0.9
    assert min(kept.values()) < 0.7
    app = open_page("compare", view="tasks")
    assert "Train this one" in [each.proto.label for each in app.get("page_link")]


@holds("compare", "elsewhere")
def test_one_change_flips_between_single_runs_and_six_seeds_of_swiglu_have_an_interval():
    added = elsewhere.costs(content.facts("ablations")["cs336"])
    signs = [{each[name] > 0 for each in added.values()} for name in added["41M tokens"]]
    assert [len(found) for found in signs] == [2, 1, 1, 1]
    values = [ladder.gains(recorded(name).results)["feed_forward"] for name in ladder.ORDERS]
    assert all(value.low < value.value < value.high for value in values)
    assert elsewhere.CLAIMS["cs336"] in content.inside("compare", "elsewhere").try_it


# Scaling.


@holds("scaling", "map")
def test_by_kaplan_the_best_model_for_gophers_compute_is_many_times_larger():
    refit, kaplan = (PUBLISHED[name] for name in ("refit", "kaplan"))
    flops = 10**published.GOPHER
    assert kaplan.best_size(flops) > 10 * refit.best_size(flops)
    ratios = [rule.best_tokens(flops) / rule.best_size(flops) for rule in (refit, kaplan)]
    assert ratios[0] > 15
    assert ratios[1] < 1


def needs(name):
    """Skip a test until an experiment was recorded."""
    is_there = (content.RECORDED / name).is_dir()
    return pytest.mark.skipif(not is_there, reason=f"{name} was not recorded yet")


@needs("scaling")
@holds("scaling", "own")
def test_parabolas_call_for_other_sizes_than_the_law_and_their_shape_alone_does_it():
    fit = fitted(points(recorded_runs()))
    noiseless = own_law.without_noise(fit)
    assert noiseless is not None
    off = [v.best_size / fit.law.best_size(v.flops) - 1 for v in noiseless.valleys]
    assert max(map(abs, off)) > 0.03


@needs("scaling")
@holds("scaling", "predict")
def test_the_law_of_the_small_models_foretells_the_largest_within_half_a_nat():
    asked = predicting.question()
    assert asked.known
    low, high = asked.law[1:]
    assert low <= asked.law[0] <= high
    assert abs(asked.law[0] - asked.truth) < 0.5


@needs("smarter")
@holds("scaling", "smarter")
def test_the_more_tokens_are_wrong_the_worse_the_big_one_becomes():
    results = recorded("smarter").results
    sides = {
        smarter.noise_of(setup): name
        for name, setup in smarter.setups(results, smarter.BIG).items()
    }
    means = [results.side(sides[noise]).mean for noise in sorted(sides)]
    assert len(means) == 3
    assert means == sorted(means)
