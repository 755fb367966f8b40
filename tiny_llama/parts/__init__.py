"""The options themselves, a folder a slot; `tiny_llama.menu` lists them."""
