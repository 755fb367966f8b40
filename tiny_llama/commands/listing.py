"""`list` shows what can be chosen."""

import argparse
import sys
from collections.abc import Iterable
from typing import Any

from tiny_llama import cost
from tiny_llama.commands.command import Command, Options
from tiny_llama.commands.printing import print_json
from tiny_llama.corpora import CORPORA
from tiny_llama.menu import CHOICES, MENU, TRAINING_CHOICES
from tiny_llama.presets import PRESETS
from tiny_llama.tokenizers import TOKENIZERS


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=["presets", "corpora", "menu"])


def _run(options: Options) -> None:
    rows = {"presets": _preset_rows, "corpora": _corpus_rows, "menu": _menu_rows}[options.what]()
    for row in rows:
        if options.json:
            print_json(row)
        else:
            sys.stdout.write("  ".join(f"{value!s:<18}" for value in row.values()).rstrip() + "\n")


def _preset_rows() -> Iterable[dict[str, Any]]:
    for name, preset in PRESETS.items():
        n_parameters = cost.count_parameters(preset.config)
        use = "train here" if preset.is_tiny else "count only"
        yield {"name": name, "parameters": f"{n_parameters:,}", "use": use, "title": preset.title}


def _corpus_rows() -> Iterable[dict[str, Any]]:
    for name, corpus in CORPORA.items():
        yield {"name": name, "description": corpus.description}


def _menu_rows() -> Iterable[dict[str, Any]]:
    for slot, options in MENU.items():
        for name, option in options.items():
            yield {"slot": slot, "name": name, "title": option.title}
    for slot, choices in (CHOICES | TRAINING_CHOICES).items():
        for name, title in choices.items():
            yield {"slot": slot, "name": name, "title": title}
    for name, tokenizer in TOKENIZERS.items():
        yield {"slot": "tokenizer", "name": name, "title": tokenizer.title}


LIST = Command(help="show what can be chosen", add_arguments=_add_arguments, run=_run)
