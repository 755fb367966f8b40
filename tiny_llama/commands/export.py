"""`export` writes a trained model for other programs."""

import argparse

from tiny_llama.commands.command import Command, Options, open_model, place
from tiny_llama.hugging_face import write_hugging_face


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dir", type=place, help="a run folder")
    parser.add_argument("out", type=place, help="a new folder")
    parser.add_argument("--format", choices=["hf"], required=True)


def _run(options: Options) -> None:
    found = open_model(options.dir)
    write_hugging_face(found.model, found.tokenizer, options.out)


EXPORT = Command(help="write a model for other programs", add_arguments=_add_arguments, run=_run)
