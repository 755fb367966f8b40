import ast
import os
import runpy
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from conftest import EVERY_CHOICE
from streamlit.testing.v1 import AppTest

from explorer import content
from explorer.architecture import sizes
from explorer.architecture.take_code import as_published, corpus_text
from tiny_llama import command_line, muon
from tiny_llama.commands.train import setup_of
from tiny_llama.config import ModelConfig
from tiny_llama.corpora import CORPORA
from tiny_llama.cost import count_parameters
from tiny_llama.data import tokenize
from tiny_llama.menu import CHOICES, MENU, TRAINING_CHOICES
from tiny_llama.miniatures import MINIATURES
from tiny_llama.model import TinyLlama
from tiny_llama.presets import PRESETS
from tiny_llama.script import differences, train_command, write_script
from tiny_llama.script.block import FLOWS
from tiny_llama.script.needs import marks
from tiny_llama.script.pieces import PIECES
from tiny_llama.script.writing import TEXTS, fill
from tiny_llama.setup import OWN_TEXT, Setup
from tiny_llama.train_config import TrainConfig
from tiny_llama.training import make_optimizers

EVERY_WAY = [(slot, word) for slot, words in TRAINING_CHOICES.items() for word in words]
SMALL = ModelConfig(
    vocab_size=11, context=16, n_layers=2, d_model=24, n_heads=6, n_kv_heads=2, window=3
)
RICHEST = ModelConfig(
    vocab_size=11,
    context=16,
    n_layers=7,
    d_model=24,
    n_heads=6,
    n_kv_heads=2,
    d_head=8,
    norm="layernorm",
    norm_placement="both",
    block="parallel_two_norms",
    embedding_scale=True,
    embedding_norm=True,
    position="rope",
    rope_fraction=0.5,
    rope_theta_local=100,
    nope_every=4,
    attention="five_local",
    window=3,
    qk_norm="all",
    attention_softcap=5.0,
    feed_forward="moe_swiglu",
    bias="all",
    tied_unembedding=True,
    unembedding_bias=True,
    logit_softcap=3.0,
    dropout=0.1,
)
RICHEST_WAY = TrainConfig(optimizer="muon", schedule="cosine", label_smoothing=0.1)
FINE_POINTS = [
    {"n_kv_heads": None},
    {"n_kv_heads": 1},
    {"n_heads": 4, "d_head": 2},
    {"n_heads": 3, "n_kv_heads": 3, "position": "alibi"},
    {"n_layers": 0},
    {"n_layers": 7, "attention": "five_local"},
    {"attention": "sliding", "rope_theta_local": 50.0},
    {"attention": "local_global", "rope_theta_local": 50.0},
    {"rope_fraction": 0.5},
    {"rope_theta": 123.456},
    {"nope_every": 1},
    {"nope_every": 2},
    {"embedding_scale": True},
    {"embedding_norm": True},
    {"unembedding_bias": True},
    {"tied_unembedding": True},
    {"attention_softcap": 2.0},
    {"logit_softcap": 2.0},
    {"dropout": 0.3},
    {"scaled_residual_init": False},
    {"scaled_residual_init": False, "tied_unembedding": True},
    {"embedding_std": 0.5},
    {"norm_eps": 0.1},
    {"attention": "none", "feed_forward": "none"},
    {"attention": "none", "position": "alibi", "block": "parallel"},
    {"block": "parallel", "norm_placement": "both", "dropout": 0.1},
    {"block": "parallel_two_norms", "norm_placement": "post", "norm": "layernorm"},
    {"feed_forward": "none", "norm_placement": "post"},
    {"feed_forward": "moe_swiglu", "n_experts": 5, "n_active_experts": 3, "bias": "all"},
]
EVERY_MODEL = [
    *(replace(SMALL, **{slot: choice}) for slot, choice in EVERY_CHOICE),
    *(replace(SMALL, **values) for values in FINE_POINTS),
    RICHEST,
]
EVERY_SETUP = [
    *(Setup(model=model) for model in EVERY_MODEL),
    *(Setup(training=TrainConfig(**{slot: word})) for slot, word in EVERY_WAY),
    *(Setup(tokenizer=name) for name in ("bytes", "sentencepiece")),
    Setup(training=TrainConfig(gradient_clip=0, warmup_steps=0, evaluate_every=0)),
    Setup(training=TrainConfig(text_noise=0.1)),
    *(Setup(model=preset.config) for preset in PRESETS.values()),
    *(
        Setup(model=config)
        for config in dict.fromkeys(m.config for m in MINIATURES.values() if m.config)
    ),
    Setup(model=RICHEST, training=RICHEST_WAY, tokenizer="sentencepiece"),
    Setup(model=RICHEST, training=RICHEST_WAY, corpus="tiny-shakespeare", tokenizer="bytes"),
]


def of(setup: Setup) -> SimpleNamespace:
    """Give what a script defines, without running its `main`."""
    names = {"__name__": "my_model"}
    exec(compile(write_script(setup), "my_model.py", "exec"), names)
    return SimpleNamespace(**names)


def changed(model: ModelConfig) -> str:
    usual = {**vars(SMALL)}
    return ",".join(f"{k}={v}" for k, v in vars(model).items() if usual[k] != v) or "usual"


@pytest.mark.parametrize("config", EVERY_MODEL, ids=changed)
@torch.no_grad()
def test_a_script_says_what_the_library_says_from_the_same_weights(config):
    library, script = TinyLlama(config).eval(), of(Setup(model=config)).Transformer(11).eval()
    started, expected = script.state_dict(), library.state_dict()
    assert list(started) == list(expected)
    assert all(torch.equal(started[path], expected[path]) for path in expected)
    draw = torch.Generator().manual_seed(1)
    for parameter in library.parameters():  # large enough for every path to show
        parameter.normal_(0.5 if parameter.dim() == 1 else 0, 0.2, generator=draw)
    script.load_state_dict(library.state_dict())
    tokens = torch.randint(11, (3, config.context), generator=draw)
    torch.testing.assert_close(script(tokens), library(tokens), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("setup", EVERY_SETUP, ids=lambda setup: setup.model.norm)
def test_a_script_is_short_needs_only_pytorch_and_holds_nothing_that_it_does_not_use(setup):
    code = write_script(setup)
    check_layout(code)
    tree = ast.parse(code)
    check_imports(tree)
    check_everything_is_used(tree)
    if "or else little stories" in " ".join(ast.get_docstring(tree).split()):
        assert setup.model.context <= 32_768
    else:
        assert setup.model.context > 32_768


def check_layout(code: str) -> None:
    assert code.count("\n") <= 250
    assert max(map(len, code.splitlines())) <= 100
    assert not set("$") & set(code)
    assert "#?" not in code


def check_imports(tree: ast.Module) -> None:
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules = {alias.name for node in imports for alias in node.names}
    modules |= {str(node.module) for node in froms}
    outside = {name.split(".")[0] for name in modules} - set(sys.stdlib_module_names)
    assert outside == {"torch"}


def check_everything_is_used(tree: ast.Module) -> None:
    defined = [name for node in tree.body for name in names_bound_by(node)]
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    assert set(defined) <= {name.id for name in names if isinstance(name.ctx, ast.Load)}
    assert len(set(defined)) == len(defined)
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    stored = {each.attr for each in attributes if isinstance(each.ctx, ast.Store)}
    assert stored <= {each.attr for each in attributes if isinstance(each.ctx, ast.Load)}


def names_bound_by(node: ast.stmt) -> list[str]:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [(alias.asname or alias.name).split(".")[0] for alias in node.names]
    if isinstance(node, ast.Assign):
        (target,) = node.targets
        return [each.id for each in ast.walk(target) if isinstance(each, ast.Name)]
    return [node.name] if isinstance(node, (ast.ClassDef, ast.FunctionDef)) else []


def test_every_option_of_the_menu_has_a_piece():
    menu = MENU | CHOICES | TRAINING_CHOICES
    assert set(MENU) <= set(PIECES) <= set(menu)
    assert {slot: list(pieces) for slot, pieces in PIECES.items()} == {
        slot: list(menu[slot]) for slot in PIECES
    }
    assert list(FLOWS) == list(CHOICES["block"])


def test_every_text_has_its_piece():
    named = {
        text for pieces in PIECES.values() for piece in pieces.values() for text in piece.texts
    }
    found = {path.relative_to(TEXTS).with_suffix("").as_posix() for path in TEXTS.rglob("*.txt")}
    assert found == named | {"whole"}


def test_an_unknown_mark_in_a_text_is_an_error():
    assert fill("a  #? tied\nb  #? !tied", marks(Setup()), {}) == "b\n"
    with pytest.raises(KeyError, match="tide"):
        fill("a  #? tide", marks(Setup()), {})


@pytest.mark.parametrize("schedule", TRAINING_CHOICES["schedule"])
@pytest.mark.parametrize(("warmup", "steps"), [(0, 7), (3, 7), (7, 7), (20, 7)])
def test_the_learning_rate_is_the_librarys(schedule, warmup, steps):
    training = TrainConfig(schedule=schedule, warmup_steps=warmup, steps=steps)
    script = of(Setup(training=training))
    for step in range(1, steps + 1):
        assert script.learning_rate(step) == pytest.approx(training.learning_rate_at(step))


@pytest.mark.parametrize("optimizer", TRAINING_CHOICES["optimizer"])
@pytest.mark.parametrize("n_layers", [0, 2])
def test_a_step_of_the_optimizer_is_the_librarys(monkeypatch, optimizer, n_layers):
    # PyTorch's Muon multiplies in bfloat16 on every processor, ours only where it is quick.
    monkeypatch.setattr(muon, "_number_type", lambda matrices: torch.bfloat16)
    config = replace(SMALL, norm="layernorm", position="learned", n_layers=n_layers)
    setup = Setup(model=config, training=TrainConfig(optimizer=optimizer))
    script = of(setup)
    models = TinyLlama(config), script.Transformer(11)
    makers = make_optimizers(models[0], setup.training), script.make_optimizers(models[1])
    for model, optimizers in zip(models, makers, strict=True):
        for _ in range(3):
            for parameter, draw in zip(model.parameters(), random_numbers(), strict=False):
                parameter.grad = torch.randn(parameter.shape, generator=draw)
            for each in optimizers:
                each.step()
    pairs = zip(models[0].parameters(), models[1].parameters(), strict=True)
    for ours, theirs in pairs:
        torch.testing.assert_close(theirs, ours, rtol=1e-5, atol=1e-6)


def random_numbers():
    yield from (torch.Generator().manual_seed(seed) for seed in range(1000))


SONG = "The cat sat on the mat, and the dog ran to the log.\n" * 60
QUICK = {"steps": "30", "warmup_steps": "5", "evaluate_every": "10", "sample_tokens": "30"}
QUICK |= {"context": "16", "batch_size": "4", "evaluate_texts": "4", "learning_rate": "0.01"}
QUICK |= {"n_layers": "2"}


def check_printed(printed: str, begins: str) -> None:
    """Check that a quick run's losses fall, and that it writes on from its text's beginning."""
    steps = [line for line in printed.splitlines() if line.startswith("step ")]
    assert [int(step.split()[1]) for step in steps] == [1, 10, 20, 30]
    losses = [float(step.split("loss ")[1].split()[0]) for step in steps]
    held_out = [float(step.split()[-1]) for step in steps]
    assert losses[-1] < 0.85 * losses[0]
    assert held_out[-1] < 0.85 * held_out[0]
    written = printed.split(steps[-1])[1].strip("\n")
    assert written.startswith(begins)
    assert len(written) >= 30


def test_a_script_runs_alone_its_loss_falls_and_it_writes(tmp_path):
    setup = Setup().with_values(QUICK)
    (tmp_path / "my_model.py").write_text(write_script(setup), encoding="utf-8")
    (tmp_path / "song.txt").write_text(SONG, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-I", "-W", "error", "my_model.py", "song.txt"],
        check=True,
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        timeout=200,
    )
    assert run.stderr == ""
    check_printed(run.stdout, "The cat ")


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "muon", "tokenizer": "bytes"},
        {"optimizer": "sgd", "learning_rate": "0.03", "schedule": "constant"},
        {"dropout": "0.1", "label_smoothing": "0.1", "schedule": "linear"},
        {"text_noise": "0.02"},
        {"feed_forward": "moe_swiglu", "qk_norm": "all", "block": "parallel"},
        {"gradient_clip": "0", "n_layers": "0", "optimizer": "muon", "embedding_std": "0.1"},
        {"norm": "layernorm", "position": "learned", "feed_forward": "gelu", "bias": "all"},
    ],
    ids=str,
)
def test_scripts_of_all_kinds_learn(tmp_path, monkeypatch, capsys, changes):
    code = write_script(Setup().with_values(QUICK | changes))
    (tmp_path / "my_model.py").write_text(code, encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["my_model.py"])  # it learns from its own stories
    runpy.run_path(str(tmp_path / "my_model.py"), run_name="__main__")
    check_printed(capsys.readouterr().out, "")
    assert torch.get_num_threads() == 1


def test_without_a_text_there_are_stories_enough_for_any_context_that_promises_them(monkeypatch):
    script, found = of(Setup(model=SMALL)), []
    stubs = {
        "CONTEXT": 32_768,
        "train": lambda model, tokens: found.append(tokens),
        "sample": lambda model, tokens: tokens,
    }
    monkeypatch.setattr(script.sys, "argv", ["my_model.py"])
    for name, stub in stubs.items():
        monkeypatch.setitem(script.main.__globals__, name, stub)
    script.main()
    assert len(found[0]) >= 2 * 32_768 + 2
    assert torch.get_num_threads() == 1


def test_a_script_refuses_a_text_that_is_too_short(tmp_path):
    script = of(Setup(model=SMALL))
    (tmp_path / "short.txt").write_text("too short")
    script.sys.argv = ["my_model.py", str(tmp_path / "short.txt")]
    with pytest.raises(SystemExit, match="9 tokens; CONTEXT asks for 34"):
        script.main()


@pytest.mark.parametrize(
    ("setup", "said"),
    [
        (Setup(), "built-in corpus tales"),
        (Setup(corpus=OWN_TEXT), "your own: name its file"),
        (Setup(corpus="copy"), "task, copy, only answers count"),
        (Setup(tokenizer="sentencepiece"), "SentencePiece, which PyTorch does not have"),
        (
            Setup(model=PRESETS["llama-1-7b"].config, tokenizer="characters"),
            "vocabulary has 32,000 tokens",
        ),
    ],
)
def test_a_script_says_where_it_differs_from_its_setup(setup, said):
    docstring = ast.get_docstring(ast.parse(write_script(setup)))
    assert said in " ".join(docstring.split())
    assert any(said in sentence for sentence in differences(setup))


def docstring_of(setup: Setup) -> str:
    return " ".join(ast.get_docstring(ast.parse(write_script(setup))).split())


STARTS = "weights start as in its run"


@pytest.mark.parametrize(
    "setup",
    [
        Setup(tokenizer="characters"),
        Setup(corpus="copy"),
        Setup(tokenizer="bytes"),
        Setup(model=SMALL, corpus="sort"),
    ],
    ids=lambda setup: f"{setup.corpus} {setup.tokenizer}",
)
def test_where_a_script_says_so_its_weights_start_as_in_the_setups_run(setup, tmp_path):
    assert STARTS in docstring_of(setup)
    tokenized = tokenize(CORPORA[setup.corpus], setup.tokenizer)
    vocab_size = tokenized.tokenizer.vocab_size
    expected = TinyLlama(replace(setup.model, vocab_size=vocab_size)).state_dict()
    (tmp_path / "text.txt").write_text(corpus_text(setup.corpus), encoding="utf-8")
    script, models = of(setup), []
    script.main.__globals__["train"] = lambda model, tokens: models.append(model)
    script.main.__globals__["SAMPLE_TOKENS"] = 1
    script.sys.argv = ["my_model.py", str(tmp_path / "text.txt")]
    script.main()
    started = models[0].state_dict()
    assert all(torch.equal(started[path], expected[path]) for path in expected)


@pytest.mark.parametrize(
    "setup",
    [
        Setup(tokenizer="sentencepiece"),
        Setup(model=PRESETS["llama-1-7b"].config),
        Setup(model=PRESETS["stories15m"].config),
    ],
    ids=["sentencepiece", "llama-1-7b", "stories15m"],
)
def test_a_script_with_another_vocabulary_does_not_say_that_its_weights_start_alike(setup):
    assert STARTS not in docstring_of(setup)
    assert "first values and batches are others" in docstring_of(setup)


TINYS = "Not as published, but as for a tiny model: "


def test_a_real_models_script_says_that_it_is_trained_as_a_tiny_one():
    for name, preset in PRESETS.items():
        is_tiny = count_parameters(replace(preset.config, vocab_size=256)) < 5_000_000
        said = docstring_of(Setup(model=preset.config))
        names = "STEPS, BATCH_SIZE, LEARNING_RATE, WARMUP_STEPS"
        assert (f"{TINYS}{names}." in said) == (not is_tiny), name
        assert is_tiny or not preset.is_tiny, name


def test_a_setting_that_was_chosen_is_not_said_to_be_a_tiny_models():
    seven = Setup(model=PRESETS["llama-1-7b"].config)
    chosen = {"learning_rate": "3e-4", "warmup_steps": "2000"}
    assert f"{TINYS}STEPS, BATCH_SIZE." in docstring_of(seven.with_values(chosen))
    chosen |= {"steps": "250000", "batch_size": "2000"}
    assert TINYS not in docstring_of(seven.with_values(chosen))


def test_below_1_the_temperature_is_said_to_be_on_the_safe_side():
    (line,) = [line for line in write_script(Setup()).splitlines() if "TEMPERATURE = " in line]
    assert line.endswith(" = 100, 0.8  # below 1 safer, above 1 wilder")


def test_nothing_but_known_words_gets_into_a_script():
    code = write_script(Setup(corpus='"""\nimport os\n"""', tokenizer="bytes"))
    assert "import os" not in code
    assert not any("SentencePiece" in said for said in differences(Setup(tokenizer="bytes")))
    of_a_task = Setup(corpus="copy", tokenizer="sentencepiece")
    assert not any("SentencePiece" in said for said in differences(of_a_task))


def parsed(command: str) -> Setup:
    """Give the setup that the command line makes of a line, by its own parser."""
    python, dash_m, name, *words = shlex.split(command)
    assert (python, dash_m, name) == ("python", "-m", "tiny_llama")
    options = command_line.read_words(words)
    assert options.out == Path("my-run")
    assert options.command == "train"
    return setup_of(options)


def test_the_line_for_a_terminal_makes_the_same_setup():
    for model in EVERY_MODEL:
        setup = Setup(model=model, training=TrainConfig(steps=7, seed=3, learning_rate=1 / 3))
        tokenizer_decides = replace(model, vocab_size=ModelConfig.vocab_size)
        assert parsed(train_command(setup)) == replace(setup, model=tokenizer_decides)


def test_the_line_for_a_terminal_has_only_what_is_not_usual():
    start, end = "python -m tiny_llama train", "--steps 1000 --out my-run"
    gpt = PRESETS["tiny-gpt3"].config
    lines = {
        f"{start} {end}": Setup(),
        f"{start} --corpus copy {end}": Setup(corpus="copy"),
        f"{start} --text your-text.txt {end}": Setup(corpus=OWN_TEXT),
        f"{start} --preset tiny-gpt3 {end}": Setup(model=gpt),
        f"{start} --set norm=layernorm {end}": Setup(model=ModelConfig(norm="layernorm")),
        f"{start} --set vocab_size=500 {end}": Setup(vocab_size=500),
        f"{start} --set tokenizer=characters {end}": Setup(tokenizer="characters"),
    }
    for line, setup in lines.items():
        assert train_command(setup) == line
        assert parsed(line) == setup


def test_words_of_the_line_are_quoted_for_a_shell():
    assert "--corpus 'a b; rm'" in train_command(Setup(corpus="a b; rm"))


def test_the_command_line_prints_a_script(capsys):
    line = ["script", "--preset", "tiny-gpt3", "--corpus", "copy", "--set", "n_layers=3"]
    assert command_line.main(line) == 0
    gpt = replace(PRESETS["tiny-gpt3"].config, n_layers=3)
    assert capsys.readouterr().out == write_script(Setup(model=gpt, corpus="copy"))
    assert command_line.main(["script", "--corpus", "bible"]) == 2
    assert command_line.main(["script", "--set", "n_heads=5"]) == 2


def view() -> None:
    import streamlit as st

    from explorer.architecture import take_code
    from explorer.stage import Stage
    from tiny_llama.presets import PRESETS
    from tiny_llama.setup import Setup

    name = st.query_params.get("preset", "tiny-llama")
    corpus = st.query_params.get("corpus", "tales")
    places = {each: st.container() for each in ("picture", "controls", "shared", "words", "below")}
    stage = Stage(page="architecture", view="code", **places)
    take_code.show(stage, Setup(model=PRESETS[name].config, corpus=corpus), name)


def opened(**link: str) -> AppTest:
    app = AppTest.from_function(view, default_timeout=60)
    for key, value in link.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception
    return app


@pytest.mark.parametrize("preset", ["tiny-llama", "tiny-gpt3", "llama-1-65b", "gemma-2b"])
def test_the_view_shows_the_script_and_the_line(preset):
    setup = Setup(model=PRESETS[preset].config)
    app = opened(preset=preset)
    shown = {write_script(setup).rstrip(), train_command(setup)}
    assert shown <= {code.value for code in app.code}
    n_lines = write_script(setup).count("\n")
    assert any(f"{n_lines} lines" in caption.value for caption in app.caption)


@pytest.mark.parametrize(
    ("preset", "said"),
    [
        ("llama-1-7b", r"LLaMA\-7B itself was trained at a learning rate of up to 0.0003, on 4M "),
        (
            "llama-1-65b",
            "up to 0.00015, on 4M tokens a step and 1.4 trillion in all. Source: LLaMA",
        ),
        ("gpt3-175b", "up to 0.00006, on 3.2M tokens a step and 300 billion in all. Source: GPT"),
        ("tiny-llama", ""),
        ("gemma-2b", ""),
    ],
)
def test_the_view_says_how_llama_and_gpt3_were_trained(preset, said):
    captions = [caption.value for caption in opened(preset=preset).caption]
    told = [caption for caption in captions if "itself was trained" in caption]
    assert len(told) == bool(said)
    assert all(said in caption for caption in told)


def test_each_published_training_is_that_of_its_own_model():
    for name in (*sizes.LLAMA, *sizes.GPT3):
        title = PRESETS[name].title.replace("LLaMA ", "LLaMA-")
        assert as_published(name).startswith(content.escaped(title) + " itself")


@pytest.mark.parametrize(
    ("corpus", "offers", "said"),
    [
        ("tales", 2, "built\\-in corpus tales"),
        ("copy", 2, "only answers count"),
        ("own-text", 1, "your own"),
        ("tiny-shakespeare", 1, "tiny\\-shakespeare"),
    ],
)
def test_the_view_offers_the_text_unless_the_student_has_it(corpus, offers, said):
    app = opened(corpus=corpus)
    assert len(app.get("download_button")) == offers
    assert any(said in caption.value for caption in app.caption)


@pytest.mark.parametrize("name", ["tales", "copy", "python-manual"])
def test_the_text_that_is_offered_is_long_enough_for_the_script(name):
    assert len(corpus_text(name)) > 100_000
    assert corpus_text(name) == corpus_text(name)
