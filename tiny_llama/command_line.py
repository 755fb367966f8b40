"""The commands of `python -m tiny_llama`: train, sample and eval a model; sweep, compare and fit
many; cost, script, export and list."""

import argparse
import io
import sys
from collections.abc import Sequence
from typing import NoReturn

import torch

from tiny_llama.commands.command import Command, count
from tiny_llama.commands.compare import COMPARE
from tiny_llama.commands.cost import COST
from tiny_llama.commands.evaluate import EVAL
from tiny_llama.commands.export import EXPORT
from tiny_llama.commands.fit import FIT
from tiny_llama.commands.listing import LIST
from tiny_llama.commands.sample import SAMPLE
from tiny_llama.commands.script import SCRIPT
from tiny_llama.commands.sweep import SWEEP
from tiny_llama.commands.train import TRAIN
from tiny_llama.errors import ConfigError, UserError

COMMANDS: dict[str, Command] = {
    "train": TRAIN,
    "sample": SAMPLE,
    "eval": EVAL,
    "sweep": SWEEP,
    "compare": COMPARE,
    "fit": FIT,
    "cost": COST,
    "script": SCRIPT,
    "export": EXPORT,
    "list": LIST,
}
MOST_THREADS = 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0, or 2 for a mistake that the user can mend.

    Raises:
        KeyboardInterrupt: if it was interrupted by hand.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal may not know every character
    try:
        options = read_words(arguments)
        torch.set_num_threads(options.threads)
        COMMANDS[options.command].run(options)
    except UserError as error:
        return _refuse(str(error))
    except BrokenPipeError:
        sys.stderr.close()
    except OSError as error:
        return _refuse(f"{error.filename or 'A file'} cannot be used ({error.strerror}).")
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "allocate memory" not in str(error):
            raise
        return _refuse("There is not enough memory for this; take a smaller model or batch.")
    return 0


def read_words(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read a command line; what was not said has its usual value.

    Raises:
        ConfigError: for words that no command takes.
    """
    parser = _Parser(prog="python -m tiny_llama", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    for name, command in COMMANDS.items():
        its_own = commands.add_parser(name, help=command.help)
        command.add_arguments(its_own)
        its_own.add_argument("--json", action="store_true", help="one JSON object a line")
        its_own.add_argument("--threads", type=_threads, default=1, help="processor threads (1)")
    return parser.parse_args(arguments)


class _Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one sentence, as every other error here."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message[:1].upper()}{message[1:]}; see {self.prog} --help.")


def _threads(word: str) -> int:
    if (number := count(word)) > MOST_THREADS:
        raise argparse.ArgumentTypeError(f"{word} must be at most {MOST_THREADS}")
    return number


def _refuse(sentence: str) -> int:
    sys.stderr.write(sentence + "\n")
    return 2
