"""What a norm costs, in operations by formula; needs no PyTorch."""

from tiny_llama.config import ModelConfig
from tiny_llama.menu import NORM

PARTS = ("mean and its subtraction", "mean square", "root", "scale", "gain", "bias")


def norm_operations(norm: str, width: int) -> dict[str, int]:
    """Count the operations that one norm takes for one token, by what they are for.

    Each addition, subtraction, multiplication and division counts as one, and so does 1 / sqrt.

    Args:
        norm: an option of `tiny_llama.menu.NORM`.
        width: of the vector.
    """
    option = NORM[norm]
    if not option.n_statistics:
        return dict.fromkeys(PARTS, 0)
    centres = option.n_statistics == 2  # a mean besides the scale
    return {
        # d - 1 additions and a division, then d subtractions
        "mean and its subtraction": 2 * width * centres,
        "mean square": 2 * width,  # d squares, d - 1 additions, a division
        "root": 2,  # eps added, then 1 / sqrt
        "scale": width,
        "gain": width * (option.n_vectors > 0),
        "bias": width * (option.n_vectors > 1),
    }


def n_norms(config: ModelConfig) -> int:
    """Count the norms of the model's width that it runs; QK-norms are left out."""
    in_blocks = config.n_layers * len(config.block_norms)
    return in_blocks + config.has_last_norm + config.embedding_norm
