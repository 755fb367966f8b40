"""`cost` counts what a model of any size takes, without building it."""

import argparse
from dataclasses import asdict, replace

from tiny_llama import cost
from tiny_llama.commands.command import Command, Options, add_set, set_values
from tiny_llama.commands.printing import print_table
from tiny_llama.setup import setup_of_preset


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("preset", help="a name out of `list presets`")
    add_set(parser)


def _run(options: Options) -> None:
    setup = setup_of_preset(options.preset).with_values(set_values(options.set))
    config = setup.model
    if setup.vocab_size:
        config = replace(config, vocab_size=setup.vocab_size)
    memory = cost.training_memory(config, optimizer=setup.training.optimizer)
    row = {
        "preset": options.preset,
        "parameters": cost.count_parameters(config),
        **{f"{name}_parameters": n for name, n in cost.parameters_by_component(config).items()},
        "forward_flops_per_text": sum(cost.forward_flops(config, config.context).values()),
        "training_flops_per_text": cost.training_flops(config, config.context),
        "six_n_d_per_text": cost.six_n_d(config, config.context),
        **{f"{name}_bytes_fp32": n for name, n in asdict(memory).items()},
        "activation_bytes_per_text_fp32": cost.activation_bytes(
            config, batch_size=1, n_tokens=config.context
        ),
        "kv_cache_bytes_per_token_fp32": cost.kv_cache_bytes_per_token(config),
        "context": config.context,
    }
    print_table(row, options.json)


COST = Command(help="count parameters, FLOPs and memory", add_arguments=_add_arguments, run=_run)
