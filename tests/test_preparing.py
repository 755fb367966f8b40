"""What a class that starts at once has in common is learned and cut once."""

import threading
from dataclasses import replace

import pytest
from tiny_runs import MODEL, TEXT

from explorer.engine import store
from explorer.engine.run import Run
from explorer.engine.worker import preparing
from explorer.engine.worker.preparing import Library
from tiny_llama.analyses import cutting
from tiny_llama.setup import OWN_TEXT, Setup

PIECES = Setup(model=MODEL, corpus="tales", tokenizer="sentencepiece", vocab_size=321)


@pytest.fixture
def counted(monkeypatch):
    """Note what is learned and what is cut."""
    done = []
    for module, name in ((cutting, "train_tokenizer"), (preparing, "tokenize")):
        work = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *a, _w=work, _n=name, **k: (done.append(_n), _w(*a, **k))[1]
        )
    return done


def prepared_at_once(library, folder, setups, text=None):
    """Prepare a run of each setup, all at the same time."""
    found, threads = [], []
    for number, setup in enumerate(setups):
        run = Run(id=f"run{number}", setup=setup, owner="me", folder=folder / f"run{number}")
        store.write_record(run)
        if text is not None:
            store.write_text(run, text)
        work = threading.Thread(target=lambda run=run: found.append(library.prepare(run.folder)))
        threads.append(work)
        work.start()
    for thread in threads:
        thread.join()
    return found


def test_a_vocabulary_is_learned_once_and_its_text_cut_once_for_all_who_start(tmp_path, counted):
    found = prepared_at_once(Library(), tmp_path, [PIECES] * 8)
    assert sorted(counted) == ["tokenize", "train_tokenizer"]
    assert len({id(each.tokens) for each in found}) == 1
    assert found[0].tokens.tokenizer.vocab_size == 321


def test_the_usual_size_is_the_same_said_or_not(tmp_path, counted):
    usual = replace(PIECES, vocab_size=None)
    size = preparing.TOKENIZERS["sentencepiece"].default_vocab_size
    found = prepared_at_once(Library(), tmp_path, [usual, replace(PIECES, vocab_size=size)])
    assert sorted(counted)[0] == "tokenize"
    assert len({id(each.tokens) for each in found}) == 1


def test_a_text_of_ones_own_is_cut_for_each_run_but_its_vocabulary_is_learned_once(
    tmp_path, counted
):
    own = replace(PIECES, corpus=OWN_TEXT)
    found = prepared_at_once(Library(), tmp_path, [own] * 3, text=TEXT)
    assert sorted(counted) == ["tokenize"] * 3 + ["train_tokenizer"]
    assert len({id(each.tokens) for each in found}) == 3
