"""A setup to take home: as one stand-alone PyTorch script, and as a line for a terminal.

A script is put together from `texts/`: `whole.txt` has what every script has, in reading order, and
a slot for what an option brings. A line that ends in `#? a !b` is kept only where mark `a` holds
and mark `b` does not (`needs`); `$name` stands for a word of the chosen options (`pieces`).
"""

from tiny_llama.script.command import USUAL_PRESET, train_command
from tiny_llama.script.header import SCRIPT_NAME, differences
from tiny_llama.script.needs import reads_bytes
from tiny_llama.script.pieces import check_pieces
from tiny_llama.script.writing import write_script

__all__ = [
    "SCRIPT_NAME",
    "USUAL_PRESET",
    "check_pieces",
    "differences",
    "reads_bytes",
    "train_command",
    "write_script",
]
