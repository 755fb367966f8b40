"""Every "Try it" of the pages that look inside can be done, on shipped model and default text."""

from dataclasses import replace

import numpy as np
import pytest
import test_race_here
import test_try_it_pages
from exercises import TEXT, TRIED, check_asked, found, holds, shipped
from test_content import INSIDE, TOLD

from explorer.components.reading_map import MOST_TOKENS
from explorer.inside.generation.kv_cache import real_sizes
from explorer.inside.norm_and_swiglu.cost import REAL as COSTED
from explorer.inside.norm_and_swiglu.width import REAL as WIDE
from explorer.inside.rotary.distance import SCHEMES
from explorer.inside.tokens.bits_per_byte import equal_loss
from explorer.inside.tokens.languages import EMOJI, ratios, sentences
from explorer.inside.tokens.vocabulary_cost import SIZES
from tiny_llama.analyses import ANALYSES
from tiny_llama.analyses.next_token import MOST_AT_ONCE, UNDECIDED
from tiny_llama.analyses.norm_cost import n_norms, norm_operations
from tiny_llama.analyses.places import THRESHOLDS
from tiny_llama.analyses.roles import CLEAR, EVEN, ROLES, best_role
from tiny_llama.analyses.rotary_theory import frequencies, wavelengths
from tiny_llama.corpora import CORPORA
from tiny_llama.corpora.tales import is_name
from tiny_llama.cost import forward_flops
from tiny_llama.presets import PRESETS
from tiny_llama.setup import OWN_TEXT
from tiny_llama.tokenizers import TOKENIZERS

assert test_race_here, test_try_it_pages  # their tests are in the same table


@pytest.mark.parametrize("names", [*INSIDE, *TOLD], ids="/".join)
def test_every_exercise_is_held_by_a_test(names):
    assert TRIED[names]


# The name of the default text: three syllables, a token each, that only copying can foretell.

SYLLABLES = 3


def name_places():
    """Find the hero's name in the default text: a row of places, one a syllable, each time."""
    tokens, ids = found("reading")["tokens"], found("reading")["ids"]
    first = tokens.index(" named") + 1
    name = ids[first : first + SYLLABLES]
    starts = [at for at in range(first, len(ids) - 2) if (ids[at : at + SYLLABLES] == name).all()]
    return np.array(starts)[:, None] + np.arange(SYLLABLES)


def syllables():
    """Give the name's syllables, as they are read."""
    tokens = found("reading")["tokens"]
    return [tokens[at].strip() for at in name_places()[0]]


# Attention.


def best_head(role):
    """Name the head of the highest score: its layer, its number, its score."""
    scores = np.nan_to_num(found("heads")["roles"][..., list(ROLES).index(role)])
    layer, head = np.unravel_index(int(scores.argmax()), scores.shape)
    return int(layer), int(head), float(scores[layer, head])


def pattern_of(layer, head):
    return found("layer", layer=layer, first=0, most=MOST_TOKENS)["patterns"][head]


@holds("attention", "heads")
def test_a_head_has_a_clear_diagonal_and_another_is_called_induction():
    layer, _, score = best_head("previous")
    assert score >= CLEAR
    check_asked("attention", "heads", "diagonal", f"layer {layer}", ROLES["induction"])
    titles = [best_role(scores) for row in found("heads")["roles"] for scores in row]
    assert {"previous", "induction"} <= set(titles)


@holds("attention", "head")
def test_an_induction_head_reads_what_followed_the_name_before():
    layer, head, _ = best_head("induction")
    places, parts = name_places(), syllables()
    check_asked("attention", "head", f"layer {layer}, head {head}", "third", *parts[:2])
    pattern = pattern_of(layer, head)
    for syllable in (0, 1):
        reader, followers = places[2, syllable], places[:2, syllable + 1]
        assert reader < MOST_TOKENS
        assert pattern[reader, followers].sum() > 0.5


@holds("attention", "stages")
def test_a_lead_in_the_scores_becomes_nearly_all_of_the_shares():
    layer, head, _ = best_head("induction")
    places, parts = name_places(), syllables()
    reader = int(places[2, 0])
    check_asked("attention", "stages", f"layer {layer}, head {head}", reader, *parts[:2])
    answer = found("stages", layer=layer, head=head, reader=reader)
    strongest = int(answer["pattern"].argmax())
    assert strongest in places[:2, 1]
    assert strongest == int(answer["products"][: reader + 1].argmax())
    assert answer["pattern"][places[:2, 1]].sum() > 0.5


@holds("attention", "ablate")
def test_two_heads_copy_and_only_without_both_is_the_name_lost():
    layer, head, _ = best_head("induction")
    scores = found("heads")["roles"][layer, :, list(ROLES).index("induction")]
    other = int(np.argsort(-scores)[1])
    check_asked("attention", "ablate", f"{layer}.{head}", f"{layer}.{other}")
    one, both = (
        found("ablate", heads=heads, by="zero")["losses"]
        for heads in ([[layer, head]], [[layer, head], [layer, other]])
    )
    assert np.subtract(*one.mean(1)[::-1]) < 0.05
    growth = both[1] - both[0]
    assert growth.mean() > 0.3
    worst = np.argsort(-growth)[:5] + 1
    assert set(worst) <= set(name_places().ravel())


@holds("attention", "time")
def test_the_copying_head_appears_in_training_while_the_loss_falls():
    layer, head, _ = best_head("induction")
    check_asked("attention", "time", f"layer {layer}, head {head}", "Play")
    answer = found("history", layer=layer, first=0, most=MOST_TOKENS)
    scores = answer["roles"][:, layer, head, list(ROLES).index("induction")]
    evenness = answer["roles"][0, ..., list(ROLES).index("uniform")]
    assert evenness.min() > EVEN
    assert scores[0] < CLEAR / 2
    assert scores[-1] >= CLEAR
    rise = int(np.diff(scores).argmax())
    assert answer["losses"][rise + 1] < answer["losses"][rise] < answer["losses"][0]


# Generation.


def undecided(text, **settings):
    """Draw on from the default text, and say what was drawn and how undecided the model is then."""
    asked = {"seed": 0, "temperature": 0.8, "top_k": 0, "top_p": 0.9, "min_p": 0.0, **settings}
    drawn = found("write_on", text=text, **{"added": [], **asked})["drawn"]
    after = {**asked, "added": [*asked.get("added", []), *drawn]}
    return drawn, found("next_token", text=text, **after)


@holds("generation", "next")
def test_draw_on_ends_at_a_choice_and_goes_on_from_an_unlikely_token():
    check_asked("generation", "next", "temperature", "top-p to 0.9", "**Draw on**", "**By hand**")
    settings = {"added": [], "seed": 0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
    cold, hot = (
        found("next_token", text=TEXT, temperature=heat, **settings)["probabilities"][1]
        for heat in (0.5, 1.5)
    )
    assert cold[0] - hot[0] > 0.2
    drawn, after = undecided(TEXT)
    assert drawn
    assert after["entropies"][0] >= UNDECIDED or len(drawn) == MOST_AT_ONCE
    assert after["n_kept"][-1] < after["n_kept"][0]
    unlikely = after["probabilities"][0] < 0.05
    assert unlikely.any()
    by_hand = [*drawn, int(after["ids"][unlikely][0])]
    assert undecided(TEXT, added=by_hand)[0]


@holds("generation", "samples")
def test_at_temperature_0_all_texts_are_the_same_and_at_2_they_part():
    check_asked("generation", "samples", "temperature to 0", "to 2")
    cold, hot = (
        found("samples", seeds=[0, 1, 2], n_tokens=20, temperature=heat)["tokens"]
        for heat in (0.0, 2.0)
    )
    assert cold[0] == cold[1] == cold[2]
    assert len({tuple(text) for text in hot}) == 3


@holds("generation", "lens")
def test_a_later_name_is_known_after_the_layer_of_the_heads_that_copy():
    layer, *_ = best_head("induction")
    places, parts = name_places(), syllables()
    check_asked("generation", "lens", "rank", *parts[:2])
    ranks = found("logit_lens")["final_ranks"]
    stays = np.flip(np.minimum.accumulate(np.flip(ranks == 1, 0), 0), 0)
    settled = stays.argmax(0) - 1  # the layer from which the final token stays in first place
    assert (settled[places[1:, 0]] == layer).all()
    assert settled.max() > layer


@holds("generation", "surprise")
def test_a_name_surprises_once_and_another_one_in_its_place_surprises_more():
    places, name = name_places(), "".join(syllables())
    check_asked("generation", "surprise", f"**{name}**", f"**{OTHER_NAME}**")
    losses = found("surprise")["losses"]
    assert losses[places[0] - 1].min() > 1
    assert losses[places[1:, 1:] - 1].max() < 0.2
    assert is_name(OTHER_NAME)
    before, after = TEXT.rsplit(name, 1)
    surprises = found("surprise", text=f"{before}{OTHER_NAME}{after}")["losses"]
    assert surprises[places[-1] - 1].min() > 2 * losses[places[0] - 1].max()


OTHER_NAME = "Raguvi"


@holds("generation", "cache")
def test_llama_2_70b_keeps_an_eighth_of_what_llama_65b_keeps():
    check_asked("generation", "cache", "131,072", "LLaMA 65B", "Llama 2 70B", "eight", "64")
    old, new = (PRESETS[name].config for name in ("llama-1-65b", "llama-2-70b"))
    assert (old.n_layers, old.n_heads) == (new.n_layers, new.n_heads)
    assert (old.kv_heads, new.kv_heads) == (64, 8)
    sizes = [real_sizes(name, 131_072).own for name in ("llama-1-65b", "llama-2-70b")]
    assert sizes[0] == 8 * sizes[1]


# Norm and SwiGLU.


@holds("norm_and_swiglu", "norms")
def test_where_layernorm_takes_the_mean_away_it_is_hardly_used_and_small_numbers_meet_eps():
    check_asked("norm_and_swiglu", "norms", "tales-gpt3", "0.0001")
    asked = {"place": 0, "token": 0, "shift": 1.0}
    llama, gpt3 = (
        found("norms", of=of, factor=0.0001, **asked) for of in ("tales-llama", "tales-gpt3")
    )
    chance = 1 / shipped().model.config.d_model
    assert shipped("tales-gpt3").model.config.norm == "layernorm"
    assert gpt3["mean_shares"].mean() < chance / 4
    assert llama["mean_shares"].mean() > chance / 2
    assert llama["factor_change"].min() > 0.5
    assert found("norms", factor=10.0, **asked)["factor_change"].max() < 0.01


@holds("norm_and_swiglu", "stream")
def test_the_last_feed_forward_adds_most_and_the_stream_grew_in_training():
    check_asked("norm_and_swiglu", "stream", "step 0", "times")
    answer = found("stream")
    added = answer["added"].mean(1)
    assert answer["places"][1 + int(added.argmax())].startswith("feed-forward")
    untrained = ANALYSES["stream"].run(shipped().at(0), text=TEXT)
    assert answer["lengths"][-1].mean() > 10 * untrained["lengths"][-1].mean()


@pytest.mark.slow
@holds("norm_and_swiglu", "placement")
def test_large_weights_behind_norms_swell_the_first_gradients_and_a_smaller_start_does_not():
    check_asked("norm_and_swiglu", "placement", "0.12", "ten times", "smaller start")
    apart = []
    for scaled in (False, True):
        answer = found("placement", std=0.12, scaled=scaled)
        deepest = answer["gradients"][1, -1]
        apart.append(deepest[0] / deepest[-1])
    assert apart[0] > 10
    assert apart[1] < 3


@pytest.mark.slow
@pytest.mark.parametrize("std", [0.02, 0.12])
def test_the_last_gradient_shrinks_with_depth_behind_pre_norms_and_not_behind_post_norms(std):
    answer = found("placement", std=std, scaled=False)
    before, after = answer["gradients"][:, range(len(answer["depths"])), answer["depths"] - 1]
    assert (np.diff(before) < 0).all()
    assert after.min() > 0.9 * after[0]


@holds("norm_and_swiglu", "gate")
def test_a_unit_is_strong_on_the_new_name_alone():
    places, parts = name_places(), syllables()
    layer = shipped().model.config.n_layers - 1
    answer = found("units", layer=layer, what="hidden", unit=None, token=0)
    new, rest = places[0, :2], np.delete(np.arange(answer["map"].shape[1]), places[0, :2])
    sizes = np.abs(answer["map"])
    alone = np.flatnonzero(sizes[:, new].min(1) > 5 * sizes[:, rest].max(1))
    assert alone.size
    unit = int(answer["shown"][alone[0]])
    check_asked("norm_and_swiglu", "gate", f"layer {layer}", f"unit {unit}", *parts[:2])


@holds("norm_and_swiglu", "openings")
def test_without_a_gate_many_more_values_are_very_near_zero_and_hardly_more_are_small():
    check_asked("norm_and_swiglu", "openings", "0.01", "tales-gpt3", "four times", "0.3")
    gated, plain = (
        found("openings", of=of, layer=0)["near_zero"].mean(0)
        for of in ("tales-llama", "tales-gpt3")
    )
    ratios_at = {
        each: (plain / gated)[int(np.abs(THRESHOLDS - each).argmin())] for each in (0.01, 0.3)
    }
    assert 3 < ratios_at[0.01] < 5
    assert ratios_at[0.3] < 1.2


@holds("norm_and_swiglu", "cost")
def test_beside_llama_65b_norms_weigh_far_less():
    check_asked("norm_and_swiglu", "cost", "LLaMA 65B")
    assert "llama-1-65b" in COSTED
    shares = []
    for config in (shipped().model.config, PRESETS["llama-1-65b"].config):
        own = n_norms(config) * sum(norm_operations("rmsnorm", config.d_model).values())
        shares.append(own * config.context / sum(forward_flops(config, config.context).values()))
    assert shares[0] > 20 * shares[1]


@holds("norm_and_swiglu", "activations")
def test_silu_is_lowest_where_its_derivative_is_about_0():
    check_asked("norm_and_swiglu", "activations", "-1.3", "silu")
    answer = ANALYSES["activations"].run()
    row = answer["names"].index("swiglu")
    lowest = int(answer["values"][row].argmin())
    assert answer["z"][lowest] == pytest.approx(-1.3)
    assert abs(answer["slopes"][row, lowest]) < 0.01


@holds("norm_and_swiglu", "width")
def test_llama_7b_rounds_its_width_and_later_models_left_the_rule():
    check_asked("norm_and_swiglu", "width", "LLaMA 7B", "11,008", "43 times 256")
    llama = PRESETS["llama-1-7b"].config
    assert llama.hidden_width == 11_008 == 43 * 256
    exact = replace(llama, d_hidden=None, hidden_multiple=1).hidden_width
    assert exact == 8 * llama.d_model // 3 < 11_008
    wider = {
        name
        for name in WIDE
        if PRESETS[name].config.has_gate
        and PRESETS[name].config.hidden_width > 1.1 * 8 / 3 * PRESETS[name].config.d_model
    }
    assert wider == {"llama-2-70b", "llama-3-8b", "mistral-7b", "gemma-2b"}


# Rotary embeddings.


@holds("rotary", "rotation")
def test_hands_come_round_and_a_larger_theta_slows_all_but_the_first():
    check_asked("rotary", "rotation", "position 63", "pair 0", "ten times", "pair 2", "once")
    config = shipped().model.config
    usual, larger = (
        wavelengths(frequencies(config.head_width, theta)) for theta in (config.rope_theta, 500_000)
    )
    assert 63 / usual[[0, 2]] == pytest.approx([10, 1], abs=0.05)
    assert usual[0] == larger[0]
    assert (larger[1:] > usual[1:]).all()


def moved(scheme):
    """Give the score of the last two tokens at 20 and 12, and how it changes as both move by 25."""
    tokens = found("reading")["tokens"]
    values = {"query": tokens[-1], "key": tokens[-2], "head": 0, "n_places": 128}
    scores = ANALYSES["token_scores"].run(shipped(SCHEMES[scheme]), **values)["scores"]
    return float(scores[20, 12]), float(scores[45, 37] - scores[20, 12])


@holds("rotary", "distance")
def test_moved_together_two_tokens_keep_their_score_under_rope_and_not_under_learned():
    check_asked("rotary", "distance", "RoPE", "learned")
    for scheme in ("rope", "alibi"):
        score, change = moved(scheme)
        assert abs(change) < 1e-4 * max(1, abs(score))
    for scheme in ("learned", "sinusoidal"):
        assert abs(moved(scheme)[1]) > 0.05


@holds("rotary", "decay")
def test_a_head_that_reads_the_token_before_scores_highest_some_way_back():
    layer, head, _ = best_head("previous")
    means = found("decay", layer=layer, head=head)["means"][: shipped().model.config.context]
    check_asked("rotary", "decay", f"layer {layer}, head {head}", f"{means.argmax()} back")
    assert means.argmax() > 0
    assert means.max() > means[0] + 0.5


@holds("rotary", "model")
def test_turning_scatters_the_first_pair_and_leaves_the_last_where_it_was():
    answer = found("pair_shares", layer=0, head=0)
    half = len(answer["frequencies"])
    check_asked("rotary", "model", "pair 0", f"pair {half - 1}")
    moved = []
    for pair in (0, half - 1):
        both = [pair, pair + half]
        before, after = answer["query"][:, both], answer["rotated_query"][:, both]
        moved.append(np.hypot(*(after - before).T).mean() / np.hypot(*before.T).mean())
    assert moved[0] > 1
    assert moved[1] < 0.02


@pytest.mark.slow
@holds("rotary", "longer")
def test_ntk_scaling_gains_far_out_and_loses_within_the_context():
    check_asked("rotary", "longer", "NTK-aware")
    plain, by_4, by_2 = (
        ANALYSES["loss_by_position"].run(shipped(), **values)["by_context"]
        for values in ({}, {"stretch": "ntk", "factor": 4}, {"stretch": "ntk", "factor": 2})
    )
    assert by_4[-1] < plain[-1]
    assert plain[0] < by_2[0] < by_4[0]


@holds("rotary", "conventions")
def test_rows_in_the_wrong_order_ruin_a_trained_model_and_not_an_untrained_one():
    check_asked("rotary", "conventions", "step 0")
    answer = found("conventions", layer=0, head=0)
    assert answer["mixed_loss"] > answer["loss"] + 1
    values = {"text": TEXT, "layer": 0, "head": 0}
    untrained = ANALYSES["conventions"].run(shipped().at(0), **values)
    assert abs(untrained["mixed_loss"] - untrained["loss"]) < 0.05


# Tokens.


def cut(*texts, corpus="tales", own="", kind="sentencepiece"):
    values = {"texts": list(texts), "corpus": corpus, "own": own, "kinds": [kind]}
    return [each[kind] for each in ANALYSES["cuts"].run(**values)["cuts"]]


@holds("tokens", "cut")
def test_known_words_are_pieces_and_others_fall_apart():
    english, german = "Once there was", "Es war einmal"
    check_asked("tokens", "cut", f"**{english}**", f"**{german}**")
    known, foreign = cut(english, german)
    assert [token.strip() for token in known["tokens"]] == english.split()
    assert sum(len(token) <= 2 for token in foreign["tokens"]) > len(foreign["tokens"]) / 2


def merges_until(word):
    """Count the merges after which a word is one token."""
    for n in range(1_000):
        tokens = ANALYSES["merged"].run(text=word, n_merges=n, corpus="tales")["tokens"]
        if tokens == [f" {word}"]:
            return n
    raise AssertionError(word)


@holds("tokens", "merges")
def test_a_frequent_word_is_one_token_long_before_a_rare_one():
    early, late = "the", "there"
    check_asked("tokens", "merges", f"**{early}**", merges_until(early))
    check_asked("tokens", "merges", f"**{late}**", merges_until(late))
    assert {early, late} <= set(TEXT.split())
    assert merges_until(late) > 10 * merges_until(early)


@holds("tokens", "details")
def test_a_year_and_an_emoji_are_spelled_in_bytes_since_the_tales_have_neither():
    check_asked("tokens", "details", "2023", "🦙", "eight", "four")
    before, after = cut(TEXT, f"{TEXT} 2023 🦙")
    assert sum(after["is_byte"]) == sum(before["is_byte"]) + 8
    (year,) = cut("2023")
    assert sum(year["is_byte"]) == 4
    assert not any(character.isdigit() for character in CORPORA["tales"].text())


@holds("tokens", "languages")
def test_for_a_tokenizer_that_has_seen_all_languages_the_longest_bar_is_short():
    lines = [text for name, text in sentences().items() if name != EMOJI]
    english_only = ratios(cut(*lines))
    fair = ratios(cut(*lines, corpus=OWN_TEXT, own="\n".join(lines)))
    assert fair[english_only.argmax()] < english_only.max() / 2


@holds("tokens", "cost")
def test_a_varied_text_needs_more_pieces_for_as_many_characters_a_token():
    check_asked("tokens", "cost", "512", "Python's manual")
    assert 512 in SIZES
    held = []
    for corpus, size in (("tales", 512), ("python-manual", 700)):
        answer = ANALYSES["vocabularies"].run(corpus=corpus, sizes=[size])
        held.append(answer["n_characters"] / answer["n_tokens"][0])
    assert held[0] > held[1]


@holds("tokens", "bits_per_byte")
def test_the_longest_tokens_have_the_highest_loss_at_the_same_bits():
    check_asked("tokens", "bits_per_byte", "é", "🦙")
    for text, are_apart in ((TEXT, False), (f"{TEXT} é 🦙", True)):
        loss = {
            kind: equal_loss(1.0, len(text.encode()), len(cut(text, kind=kind)[0]["ids"]))
            for kind in TOKENIZERS
        }
        assert loss["sentencepiece"] > 1.5 * loss["characters"]
        assert (loss["characters"] > loss["bytes"]) == are_apart
