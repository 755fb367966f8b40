"""RMSNorm beside LayerNorm, the residual stream and its first gradients, against loops."""

from dataclasses import replace
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

import tiny_llama
from tiny_llama.analyses import ANALYSES, placement
from tiny_llama.analyses.norm_cost import n_norms, norm_operations
from tiny_llama.analyses.placement import DEPTHS
from tiny_llama.analyses.places import FACTORS, SHIFTS, norm_places, stream_places
from tiny_llama.analyses.stream import read_stream
from tiny_llama.analyses.subject import Subject
from tiny_llama.cost import parameters_by_component
from tiny_llama.errors import ConfigError, TextError
from tiny_llama.menu import CHOICES, NORM
from tiny_llama.model import TinyLlama
from tiny_llama.tap import record

TEXT = "Once there was a kind duck named Gus."
AT = {"text": TEXT, "place": 4, "token": 3, "factor": 1e-4, "shift": 0.5}


@pytest.fixture(scope="module")
def tales():
    return Subject.load(Path(tiny_llama.__file__).parent / "pretrained" / "tales-llama")


def changed(subject, **fields):
    """Build a fresh model like this one, but for some settings."""
    config = replace(subject.model.config, **fields)
    return replace(subject, model=TinyLlama(config, seed=3).eval())


def by_hand(x, eps, *, centred):
    """Normalise one vector, number by number."""
    mean = sum(x) / len(x) if centred else 0.0
    square = sum((v - mean) ** 2 for v in x) / len(x)
    return np.array([(v - mean) / sqrt(square + eps) for v in x])


def test_both_norms_are_those_of_a_loop_on_what_the_models_norm_reads(tales):
    found = ANALYSES["norms"].run(tales, **AT)
    ids = tales.read(TEXT)
    with torch.no_grad(), record(tales.model, "blocks.1.residual") as seen:
        tales.model(ids[None])
    x = seen["blocks.1.residual"][0].double().numpy()
    np.testing.assert_allclose(found["read"], x, rtol=1e-6)
    unit = sqrt(np.square(x).mean())
    assert found["unit"] == pytest.approx(unit, rel=1e-5)
    eps = tales.model.config.norm_eps
    change = np.zeros((2, 2, len(x)))
    for token, row in enumerate(x):
        before = [by_hand(row, eps, centred=centred) for centred in (False, True)]
        assert found["means"][token] == pytest.approx(row.mean(), rel=1e-3, abs=1e-6)
        assert found["rms"][token] == pytest.approx(sqrt((row**2).mean()), rel=1e-5)
        assert found["stds"][token] == pytest.approx(row.std(), rel=1e-5)
        share = row.mean() ** 2 / (row**2).mean()
        assert found["mean_shares"][token] == pytest.approx(share, rel=1e-2, abs=1e-7)
        cosine = before[0] @ before[1] / np.linalg.norm(before[0]) / np.linalg.norm(before[1])
        assert found["cosines"][token] == pytest.approx(cosine, abs=1e-5)
        assert cosine == pytest.approx(row.std() / sqrt((row**2).mean()), abs=1e-9)
        for norm, centred in enumerate((False, True)):
            for way, other in enumerate((1e-4 * row, row + 0.5 * unit)):
                moved = by_hand(other, eps, centred=centred) - before[norm]
                change[way, norm, token] = np.linalg.norm(moved) / np.linalg.norm(before[norm])
        if token == AT["token"]:
            np.testing.assert_allclose(found["results"], before, atol=1e-4)
    np.testing.assert_allclose(found["factor_change"], change[0].max(-1), rtol=1e-3)
    np.testing.assert_allclose(found["shift_change"], change[1].max(-1), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["tales-llama", "tales-gpt3", "repeat-llama"])
def test_scale_moves_neither_norm_but_for_eps_and_a_shift_moves_rmsnorm_alone(name):
    subject = Subject.load(Path(tiny_llama.__file__).parent / "pretrained" / name)
    found = ANALYSES["norms"].run(subject, **{**AT, "place": 0})
    small, one, large = (int(np.abs(np.log10(FACTORS) - power).argmin()) for power in (-6, 0, 3))
    assert (found["factor_changes"][:, one] == 0).all()
    assert (found["factor_changes"][:, small] > 0.99).all()
    freed = sqrt(1 + subject.model.config.norm_eps / found["rms"].min() ** 2) - 1  # of eps
    assert found["factor_changes"][0, large] == pytest.approx(freed, rel=0.02, abs=1e-6)
    assert found["factor_changes"][1, large] == pytest.approx(freed, rel=0.2, abs=1e-6)
    rms_norm, layer_norm = found["shift_changes"]
    assert layer_norm.max() < 1e-5
    assert rms_norm[np.abs(SHIFTS) > 0.2].min() > 0.1
    assert rms_norm[SHIFTS == 0] == 0


def test_the_gain_is_the_one_of_the_norm_that_reads_there(tales):
    for place, path in ((0, "blocks.0.attention_norm"), (5, "blocks.2.feed_forward_norm")):
        found = ANALYSES["norms"].run(tales, **{**AT, "place": place})
        weight = tales.model.get_submodule(path).weight.detach().numpy()
        np.testing.assert_array_equal(found["gain"], weight)
    last = 2 * tales.model.config.n_layers
    found = ANALYSES["norms"].run(tales, **{**AT, "place": last})
    np.testing.assert_array_equal(found["gain"], tales.model.norm.weight.detach().numpy())


LAYOUTS = [
    (block, where)
    for block in CHOICES["block"]
    for where in CHOICES["norm_placement"]
    if (block, where) != ("parallel", "post")  # which the config refuses
]


@pytest.mark.parametrize(
    ("norm", "block", "where"),
    [
        *((norm, "sequential", where) for norm in NORM for where in ("pre", "post")),
        *(("layernorm", *layout) for layout in LAYOUTS),
    ],
)
def test_what_is_read_is_the_input_of_every_norm_of_the_model(tales, norm, block, where):
    subject = changed(tales, norm=norm, norm_placement=where, block=block)
    read = {}
    paths = [
        f"blocks.{layer}.{name}"
        for layer in range(subject.model.config.n_layers)
        for name in sorted(subject.model.config.block_norms)
    ]
    paths += ["norm"] if where != "post" else []
    places = [norm_places_by_path(subject.model.config)[path] for path in paths]
    hooks = [
        subject.model.get_submodule(path).register_forward_pre_hook(
            lambda module, inputs, place=place: read.update({place: inputs[0][0].detach()})
        )
        for place, path in zip(places, paths, strict=True)
    ]
    subject.model(subject.read(TEXT)[None])
    for hook in hooks:
        hook.remove()
    assert list(norm_places(subject.model.config)) == list(read)
    for place, x in read.items():
        found = ANALYSES["norms"].run(subject, **{**AT, "place": place})
        np.testing.assert_allclose(found["read"], x, rtol=1e-5, atol=1e-6)
        assert found["gain"].size == (64 if NORM[norm].n_vectors else 0)


def norm_places_by_path(config):
    """Place each norm by its path: even ones are attention's, odd ones the feed-forward's."""
    layers = range(config.n_layers)
    outputs = 2 * config.n_layers + 1
    return {
        "norm": 2 * config.n_layers,
        **{f"blocks.{i}.attention_norm": 2 * i for i in layers},
        **{f"blocks.{i}.feed_forward_norm": 2 * i + 1 for i in layers},
        **{f"blocks.{i}.attention_output_norm": outputs + 2 * i for i in layers},
        **{f"blocks.{i}.feed_forward_output_norm": outputs + 2 * i + 1 for i in layers},
    }


def test_places_are_named_by_what_the_norm_stands_at(tales):
    def named(**fields):
        return list(norm_places(replace(tales.model.config, n_layers=1, **fields)).values())

    assert named() == [
        "Before attention, layer 0",
        "Before feed-forward, layer 0",
        "Before the output",
    ]
    assert named(norm_placement="post")[0] == "After attention, layer 0"
    assert named(norm_placement="both")[:2] == [
        "Before attention, layer 0",
        "On what attention gives, layer 0",
    ]
    shared = "Before attention and feed-forward, layer 0"
    assert named(block="parallel") == [shared, "Before the output"]
    assert named(block="parallel", attention="none")[0] == "Before feed-forward, layer 0"


def test_a_place_that_is_not_there_is_refused(tales):
    with pytest.raises(ConfigError, match="place=7"):
        ANALYSES["norms"].run(tales, **{**AT, "place": 7})
    without = changed(tales, attention="none")
    assert list(norm_places(without.model.config)) == [1, 3, 5, 6]
    with pytest.raises(ConfigError, match="place=0"):
        ANALYSES["norms"].run(without, **{**AT, "place": 0})


def test_a_text_of_one_token_and_a_token_beyond_the_text_can_be_looked_at(tales):
    found = ANALYSES["norms"].run(tales, **{**AT, "text": "a", "token": 99})
    assert found["results"].shape == (2, 64)


def test_the_stream_is_the_embedding_and_what_the_parts_add(tales):
    found = ANALYSES["stream"].run(tales, text=TEXT)
    ids = tales.read(TEXT)
    paths = [f"blocks.{n}.{part}" for n in range(3) for part in ("attention", "feed_forward")]
    with torch.no_grad(), record(tales.model, "embedded", *paths) as seen:
        tales.model(ids[None])
    x = seen["embedded"][0].double()
    assert found["places"] == stream_places(tales.model.config)
    np.testing.assert_allclose(found["lengths"][0], x.norm(dim=-1), rtol=1e-5)
    for place, path in enumerate(paths):
        added = seen[path][0].double()
        for token in range(len(ids)):
            size, length = added[token].norm(), x[token].norm()
            assert found["added"][place, token] == pytest.approx(float(size), rel=1e-4)
            assert found["shares"][place, token] == pytest.approx(float(size / length), rel=1e-4)
            cosine = float(added[token] @ x[token] / size / length)
            assert found["cosines"][place, token] == pytest.approx(cosine, abs=1e-4)
        x = x + added
        np.testing.assert_allclose(found["lengths"][place + 1], x.norm(dim=-1), rtol=1e-4)
    np.testing.assert_allclose(found["last"], x, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("block", "where"), LAYOUTS)
def test_the_stream_adds_up_unless_the_sum_is_normed(tales, block, where):
    subject = changed(tales, norm_placement=where, block=block)
    ids = subject.read(TEXT)
    found = read_stream(subject, ids)
    sums = found.values[:-1] + found.added
    adds_up = torch.allclose(found.values[1:], sums, rtol=1e-4, atol=1e-5)
    assert adds_up == (where != "post")
    same = torch.equal(found.given, found.added)
    assert same == (where in ("pre", "post"))


@pytest.mark.parametrize(
    "fields",
    [
        {"n_layers": 0},
        {"attention": "none"},
        {"feed_forward": "none"},
        {"norm_placement": "post", "attention": "none"},
    ],
    ids=str,
)
def test_odd_models_have_a_stream_too(tales, fields):
    subject = changed(tales, **fields)
    found = ANALYSES["stream"].run(subject, text=TEXT)
    n_places = 1 + 2 * subject.model.config.n_layers
    assert found["lengths"].shape == (n_places, len(tales.read(TEXT)))
    assert np.isfinite(found["lengths"]).all()
    for place in norm_places(subject.model.config):
        ANALYSES["norms"].run(subject, **{**AT, "place": place})


def test_first_gradients_are_those_of_a_model_built_by_hand(tales):
    found = ANALYSES["placement"].run(tales, text=TEXT, std=0.08, scaled=False)
    assert tuple(found["depths"]) == DEPTHS
    assert found["gradients"].shape == (2, 4, 24)
    ids = tales.read(TEXT)
    for row, where in enumerate(("pre", "post")):
        config = replace(
            tales.model.config,
            n_layers=6,
            norm_placement=where,
            init_std=0.08,
            embedding_std=0.08,
            scaled_residual_init=False,
        )
        model = TinyLlama(config, seed=tales.setup.training.seed)
        log_probabilities = model(ids[None, :-1])[0].log_softmax(-1)
        loss = -sum(log_probabilities[i, t] for i, t in enumerate(ids[1:].tolist())) / (
            len(ids) - 1
        )
        assert found["losses"][row, 1] == pytest.approx(loss.item(), rel=1e-4)
        for layer, block in enumerate(model.blocks):
            grads = torch.autograd.grad(loss, list(block.parameters()), retain_graph=True)
            length = sqrt(sum(float((g.double() ** 2).sum()) for g in grads))
            assert found["gradients"][row, 1, layer] == pytest.approx(length, rel=1e-3)
    assert np.isnan(found["gradients"][:, 1, 6:]).all()


def test_the_last_layers_gradient_shrinks_with_depth_in_pre_norm_alone(tales):
    """See theorem 1 of Xiong et al. 2020 hold on weights that start alike at every depth."""
    text = TEXT * 3
    plain = ANALYSES["placement"].run(tales, text=text, std=0.08, scaled=False)
    pre, post = plain["gradients"][:, range(4), plain["depths"] - 1]
    assert pre[-1] < 0.4 * pre[0]
    assert post[-1] > 0.7 * post[0]
    scaled = ANALYSES["placement"].run(tales, text=text, std=0.08, scaled=True)
    pre, _ = scaled["gradients"][:, range(4), scaled["depths"] - 1]
    assert pre[-1] > 0.6 * pre[0]


def test_a_model_without_norm_or_parts_cannot_be_placed_and_a_wide_one_is_narrowed(tales):
    asked = {"text": TEXT, "std": 0.08, "scaled": True}
    with pytest.raises(ConfigError, match="norm='none'"):
        ANALYSES["placement"].run(changed(tales, norm="none"), **asked)
    with pytest.raises(ConfigError, match="block='parallel'"):
        ANALYSES["placement"].run(changed(tales, block="parallel"), **asked)
    with pytest.raises(ConfigError, match="neither"):
        ANALYSES["placement"].run(changed(tales, attention="none", feed_forward="none"), **asked)
    with pytest.raises(TextError):
        ANALYSES["placement"].run(tales, **{**asked, "text": "a"})
    wide = changed(tales, d_model=192, n_heads=6, n_kv_heads=2)
    assert ANALYSES["placement"].run(wide, **asked)["d_model"] == 64


class Counted:
    """A number that counts what is done with it."""

    n = 0

    def __init__(self, value):
        self.value = value

    def _with(self, value):
        Counted.n += 1
        return Counted(value)

    def __add__(self, other):
        return self._with(self.value + getattr(other, "value", other))

    def __sub__(self, other):
        return self._with(self.value - other.value)

    def __mul__(self, other):
        return self._with(self.value * getattr(other, "value", other))

    def __truediv__(self, other):
        return self._with(self.value / other)

    def inverse_root(self):
        return self._with(1 / sqrt(self.value))


def total(numbers):
    first, *rest = numbers
    for each in rest:
        first = first + each
    return first


def norm_by_counted_numbers(norm, x, gain, bias, eps):
    if norm.startswith("layernorm"):
        mean = total(x) / len(x)
        x = [v - mean for v in x]
    scale = (total([v * v for v in x]) / len(x) + eps).inverse_root()
    y = [v * scale for v in x]
    if norm != "layernorm_plain":
        y = [v * g for v, g in zip(y, gain, strict=True)]
    return [v + b for v, b in zip(y, bias, strict=True)] if norm == "layernorm" else y


@pytest.mark.parametrize("width", [1, 7, 64])
@pytest.mark.parametrize("norm", [name for name in NORM if name != "none"])
def test_operations_are_those_of_a_norm_that_counts_them(norm, width):
    draw = np.random.default_rng(0)
    x, gain, bias = draw.normal(size=(3, width))
    Counted.n = 0
    y = norm_by_counted_numbers(norm, [Counted(v) for v in x], gain, [*map(Counted, bias)], 1e-5)
    assert Counted.n == sum(norm_operations(norm, width).values())
    layer = NORM[norm].load()(width, 1e-5).double()
    with torch.no_grad():
        if NORM[norm].n_vectors:
            layer.weight.copy_(torch.from_numpy(gain))
        if norm == "layernorm":
            layer.bias.copy_(torch.from_numpy(bias))
        expected = layer(torch.from_numpy(x))
    np.testing.assert_allclose([v.value for v in y], expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("block", "where"), LAYOUTS)
@pytest.mark.parametrize(
    "fields", [{}, {"attention": "none"}, {"n_layers": 0}, {"embedding_norm": True}], ids=str
)
def test_the_number_of_norms_is_the_models(tales, block, where, fields):
    config = replace(tales.model.config, norm_placement=where, block=block, **fields)
    assert n_norms(config) * config.d_model == parameters_by_component(config)["norm"]


def test_times_are_measured_for_both_norms():
    found = ANALYSES["norm_times"].run(width=16, n_tokens=8)
    assert found["names"] == ["rmsnorm", "layernorm"]
    for forward, both in zip(found["forward"], found["both"], strict=True):
        assert 0 < forward < both


def test_reading_leaves_the_gradient_switch_as_it_was(tales):
    ANALYSES["placement"].run(tales, text=TEXT, std=0.02, scaled=False)
    assert torch.is_grad_enabled()
    with torch.no_grad():
        ANALYSES["activations"].run()
        assert not torch.is_grad_enabled()
    assert F.silu(torch.zeros(1)).item() == 0


@pytest.mark.parametrize("fields", [{"d_hidden": 4_000}, {"attention_softcap": 9.0, "n_heads": 64}])
def test_models_whose_24_layers_would_take_much_memory_are_looked_at_in_the_narrow_width(
    tales, fields
):
    config = replace(tales.model.config, d_model=128, n_layers=1, **fields)
    subject = replace(tales, model=TinyLlama(config))
    pieces = ANALYSES["placement"].load()(subject, text=TEXT, std=0.02, scaled=False)
    assert next(pieces) is None
    assert placement._base(config, 0.02, False).d_model == 64
    assert placement._base(tales.model.config, 0.02, False).d_model == 64
    usual = replace(tales.model.config, d_model=128)
    assert placement._base(usual, 0.02, False).d_model == 128
