"""What a norm costs, in operations by formula; needs no PyTorch."""

from tiny_llama.config import ModelConfig

PARTS = ("mean and its subtraction", "mean square", "root", "scale", "gain", "bias")


def norm_operations(norm: str, width: int) -> dict[str, int]:
    """Operations that one norm takes for one token, by what they are for.

    Each addition, subtraction, multiplication and division counts as one, and so does 1 / sqrt.

    Args:
        norm: an option of `tiny_llama.menu.NORM`.
        width: of the vector.
    """
    if norm == "none":
        return dict.fromkeys(PARTS, 0)
    centres = norm == "layernorm"
    return {
        # d - 1 additions and a division, then d subtractions
        "mean and its subtraction": 2 * width * centres,
        "mean square": 2 * width,  # d squares, d - 1 additions, a division
        "root": 2,  # eps added, then 1 / sqrt
        "scale": width,
        "gain": width,
        "bias": width * centres,
    }


def n_norms(config: ModelConfig) -> int:
    """How many norms of the model's width it runs; QK-norms are left out."""
    parts = config.n_layers * (config.has_attention + config.has_feed_forward)
    return parts + (config.norm_placement == "pre")
