"""The commands of `python -m tiny_llama`, a file each; `tiny_llama.__main__` lists them."""
