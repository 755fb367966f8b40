"""`sample` lets a trained model write."""

import argparse
import sys

from tiny_llama.commands.command import Command, Options, open_model, place
from tiny_llama.commands.printing import print_json
from tiny_llama.generation import generate
from tiny_llama.sample_config import SampleConfig


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    usual = SampleConfig()
    parser.add_argument("dir", type=place, help="a run folder")
    parser.add_argument("--prompt", required=True, help="how the text begins")
    parser.add_argument("--tokens", type=int, default=usual.n_tokens)
    parser.add_argument("--temperature", type=float, default=usual.temperature)
    parser.add_argument("--top-k", type=int, default=usual.top_k)
    parser.add_argument("--top-p", type=float, default=usual.top_p)
    parser.add_argument("--min-p", type=float, default=usual.min_p)
    parser.add_argument("--seed", type=int, default=usual.seed)


def _run(options: Options) -> None:
    settings = SampleConfig(
        n_tokens=options.tokens,
        temperature=options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        min_p=options.min_p,
        seed=options.seed,
    )
    found = open_model(options.dir)
    prompt = found.tokenizer.encode_prompt(options.prompt)
    written = []
    for next_token in generate(found.model, prompt, settings):
        written.append(next_token.token)
        if options.json:
            probability = float(next_token.probabilities[next_token.token])
            text = found.tokenizer.token_text(next_token.token)
            print_json({"token": next_token.token, "text": text, "probability": probability})
    if not options.json:
        sys.stdout.write(found.tokenizer.decode([*prompt, *written]) + "\n")


SAMPLE = Command(help="let a trained model write", add_arguments=_add_arguments, run=_run)
