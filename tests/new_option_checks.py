"""What must work for an option that was only added to the menu; `test_new_options` runs it."""

from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from conftest import open_page
from test_analyses import PRETRAINED, QUESTIONS

import tiny_llama
from explorer.architecture.views import VIEWS
from tiny_llama.__main__ import main
from tiny_llama.analyses import ANALYSES
from tiny_llama.analyses.subject import Subject
from tiny_llama.checkpoint import new_trainer
from tiny_llama.config import ModelConfig
from tiny_llama.cost import count_parameters, training_flops
from tiny_llama.diagram import diagram
from tiny_llama.errors import ConfigError, UserError
from tiny_llama.hugging_face_layouts import layout_for
from tiny_llama.menu import MENU
from tiny_llama.model import TinyLlama
from tiny_llama.script import check_pieces, train_command, write_script
from tiny_llama.setup import Setup, setup_in_one_line

SMALL = ModelConfig(vocab_size=11, context=24, n_layers=3, d_model=16, n_heads=4, window=3)
NAME = "made_up"
HAS_SCRIPT = ("norm", "feed_forward")
ALL = dict.fromkeys(MENU, NAME)

pytestmark = pytest.mark.filterwarnings("error")
each_slot = pytest.mark.parametrize("slot", MENU)
each_alone_and_all = pytest.mark.parametrize(
    "chosen", [*({slot: NAME} for slot in MENU), ALL], ids=[*MENU, "all"]
)


def test_the_copy_is_what_is_tested():
    assert Path.cwd() in Path(tiny_llama.__file__).parents


@each_slot
def test_the_config_takes_it_and_offers_it(slot):
    assert getattr(replace(SMALL, **{slot: NAME}), slot) == NAME
    with pytest.raises(ConfigError, match=f"or {NAME}"):
        replace(SMALL, **{slot: "nothing"})


@each_alone_and_all
def test_a_model_of_it_learns_by_the_library_and_is_counted(chosen):
    config = replace(SMALL, **chosen)
    model = TinyLlama(config)
    assert count_parameters(config) == model.n_parameters()
    assert training_flops(config, 16) > 0
    setup = Setup(model=config, corpus="copy").with_values({"steps": "30", "evaluate_every": "0"})
    losses = [report.loss for report in new_trainer(setup) if report.loss]
    assert len(losses) == 30
    assert sum(losses[-5:]) < sum(losses[:5])


@each_alone_and_all
def test_its_diagram_names_it(chosen):
    config = replace(SMALL, **chosen)
    steps = {(box.part, box.step) for panel in diagram(config) for box in panel.boxes}
    assert set(chosen.items()) <= steps


def test_every_analysis_answers_or_refuses_in_a_sentence():
    """Let no analysis break, though a model may have nothing of what it looks at."""
    tales = Subject.load(PRETRAINED / "tales-llama")
    config = replace(tales.model.config, context=16, window=3, **ALL)
    subject = replace(tales, model=TinyLlama(config).eval(), step=0)
    refused = {}
    for name, values in QUESTIONS.items():
        try:
            assert ANALYSES[name].run(subject, **values)
        except UserError as error:
            refused[name] = str(error)
    turned = {"turned_head", "pair_shares", "decay", "conventions", "loss_by_position"}
    assert set(refused) == {"history"} | turned
    assert all("otherwise than RoPE" in refused[name] for name in turned)


@each_slot
def test_its_script_computes_the_same_or_a_sentence_says_that_there_is_none(slot):
    setup = Setup(model=replace(SMALL, **{slot: NAME}))
    if slot not in HAS_SCRIPT:
        with pytest.raises(ConfigError, match=f"{slot}='{NAME}' has no piece of a script"):
            write_script(setup)
        return
    check_pieces(setup)
    names = {"__name__": "my_model"}
    exec(compile(write_script(setup), "my_model.py", "exec"), names)
    script, library = SimpleNamespace(**names).Transformer(11), TinyLlama(setup.model)
    script.load_state_dict(library.state_dict())
    tokens = torch.arange(11)[None]
    torch.testing.assert_close(script(tokens), library(tokens), rtol=1e-5, atol=1e-5)


@each_slot
def test_it_is_named_in_words_links_lists_and_refusals(slot, capsys):
    setup = Setup().with_values({slot: NAME})
    assert f"{slot}={NAME}" in train_command(setup)
    assert setup_in_one_line(setup)
    assert Setup.from_dict(asdict(setup)) == setup
    assert main(["list", "menu"]) == 0
    assert f"{slot:<18}  {NAME}" in capsys.readouterr().out
    with pytest.raises(UserError, match=f"here '{NAME}'"):
        layout_for(setup.model)


@pytest.mark.parametrize("view", [view.name for view in VIEWS])
def test_every_view_of_the_architecture_page_shows_a_model_of_it(view):
    app = open_page("architecture", view=view, **ALL)
    assert not app.error
    chosen = {box.key: box.value for box in app.selectbox}
    assert {slot: chosen[slot] for slot in MENU} == ALL
    if view == "code":
        (said,) = app.info
        assert "has no piece of a script" in said.value.replace("\\", "")


def test_the_train_page_offers_it_with_its_card():
    app = open_page("train", **ALL)
    assert not app.error
    boxes = {box.key: box for box in app.selectbox}
    for slot in MENU:
        assert boxes[slot].value == NAME
        assert "This one is made up" in boxes[slot].help
