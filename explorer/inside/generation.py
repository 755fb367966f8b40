"""Generation: the next token, several texts, what is kept, what layers say, what surprises."""

from collections.abc import Callable, Mapping

from explorer.inside import kv_cache, logit_lens, next_token, samples, surprise
from explorer.inside.looking import Looked

VIEWS = {
    "next": "Next token",
    "samples": "Several texts",
    "cache": "KV cache",
    "lens": "Logit lens",
    "surprise": "Surprise",
}

SHOW: Mapping[str, Callable[[Looked], None]] = {
    "next": next_token.show,
    "samples": samples.show,
    "cache": kv_cache.show,
    "lens": logit_lens.show,
    "surprise": surprise.show,
}
