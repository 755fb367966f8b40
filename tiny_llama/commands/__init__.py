"""The commands of `python -m tiny_llama`, a file each; `tiny_llama.command_line` lists them."""
