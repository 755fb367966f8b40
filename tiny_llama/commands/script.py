"""`script` prints a setup as one stand-alone PyTorch file."""

import argparse
import sys

from tiny_llama.checkpoint import find_corpus
from tiny_llama.commands.command import Command, Options, add_set, set_values
from tiny_llama.commands.printing import print_json
from tiny_llama.script import USUAL_PRESET, write_script
from tiny_llama.setup import setup_of_preset


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--corpus", help="a name out of `list corpora` (tales)")
    parser.add_argument(
        "--preset", default=USUAL_PRESET, help=f"a name out of `list presets` ({USUAL_PRESET})"
    )
    add_set(parser)


def _run(options: Options) -> None:
    values = set_values(options.set)
    if options.corpus:
        values["corpus"] = find_corpus(options.corpus).name
    setup = setup_of_preset(options.preset).with_values(values)
    script = write_script(setup)
    if options.json:
        print_json({"script": script})
    else:
        sys.stdout.write(script)


SCRIPT = Command(help="print a setup as one PyTorch script", add_arguments=_add_arguments, run=_run)
