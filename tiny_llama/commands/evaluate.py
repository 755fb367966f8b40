"""`eval` measures a trained model on a text."""

import argparse

from tiny_llama.commands.command import Command, Options, open_model, place
from tiny_llama.commands.printing import print_table
from tiny_llama.commands.sign_of_life import sign_of_life
from tiny_llama.corpora import read_text_file
from tiny_llama.data import TokenizedText, all_windows
from tiny_llama.training import evaluate


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dir", type=place, help="a run folder")
    parser.add_argument("--text", type=place, required=True, help="a UTF-8 text file")


def _run(options: Options) -> None:
    found = open_model(options.dir)
    text = read_text_file(options.text)
    tokens = TokenizedText(text.name, text.text(), found.tokenizer)
    windows = all_windows(tokens.tokens, found.setup.model.context)
    with sign_of_life("Reading the text"):
        held_out = evaluate(found.model, windows, tokens)
    row = {
        "n_tokens": len(tokens.tokens),
        "loss": held_out.loss,
        "perplexity": held_out.perplexity,
        "bits_per_byte": held_out.bits_per_byte,
    }
    print_table(row, options.json)


EVAL = Command(help="measure a trained model on a text", add_arguments=_add_arguments, run=_run)
