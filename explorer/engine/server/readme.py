"""What a zip file says of itself: which files are in it, and how to go on with them."""

from explorer.engine.run import Run
from tiny_llama.setup import OWN_TEXT, setup_in_one_line


def of_folder(run: Run, *, with_text: bool) -> str:
    """Say what a run folder holds, and how the command line goes on with it.

    Args:
        run: the run.
        with_text: whether a student's own text is in it.
    """
    text = ""
    if run.setup.corpus == OWN_TEXT:
        text = f"- `text.txt`: the text that it learned from{_LEFT_OUT * (not with_text)}\n"
    return (
        f"{_heading(run)}\n"
        f"- `setup.json`: model, training, text and tokenizer\n"
        f"- `model.safetensors`: the weights, and what training goes on from\n"
        f"- `tokenizer.json` or `tokenizer.model`: how text is cut into tokens\n"
        f"- `snapshots/`: the weights along the way, where they were kept\n"
        f"- `metrics.jsonl`: every step, a line of JSON each\n"
        f"{text}\n"
        f"In a copy of the project, with FOLDER for where this was unpacked:\n\n"
        f'    python -m tiny_llama sample FOLDER --prompt "Once"\n'
        f"    python -m tiny_llama train --resume --out FOLDER\n"
    )


def of_hugging_face(run: Run) -> str:
    """Say how `transformers` opens the folder of a model."""
    return (
        f"{_heading(run)}\n"
        f"With FOLDER for where this was unpacked:\n\n"
        f"    from transformers import AutoModelForCausalLM\n\n"
        f'    model = AutoModelForCausalLM.from_pretrained("FOLDER")\n'
    )


_LEFT_OUT = "; another student's, so it is not in here"


def _heading(run: Run) -> str:
    return (
        f"# A run of Tiny LLaMA Explorer\n\n"
        f"{setup_in_one_line(run.setup)}; after step {run.step:,} of "
        f"{run.setup.training.steps:,}.\n"
    )
