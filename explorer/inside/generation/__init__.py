"""Generation: the next token, several texts, what is kept, what layers say, what surprises."""

from explorer.inside.generation import kv_cache, logit_lens, next_token, samples, surprise
from explorer.stage import View

VIEWS = (
    View("next", "Next token", next_token.show, takes_two=True),
    View("samples", "Several texts", samples.show, takes_two=True),
    View("cache", "KV cache", kv_cache.show),
    View("lens", "Logit lens", logit_lens.show),
    View("surprise", "Surprise", surprise.show, takes_two=True),
)
