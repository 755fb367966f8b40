"""What can be asked of a trained model: one table, readable without importing PyTorch.

A view reads plain values and gives plain values and NumPy arrays, so it can be asked for in a
notebook, in a test and, through the engine, from a page that holds no tensors.
"""

import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Found = dict[str, Any]
"""What a view gives: plain values and NumPy arrays by name."""


@dataclass(frozen=True, kw_only=True)
class View:
    """One kind of question: where its code lives, and what it needs.

    The function is called with a `Subject` first, unless it needs no model, and with plain values
    by name. It returns what it found, or, where it takes long, yields None after each piece of
    work and what it found at the end.
    """

    where: str
    needs_model: bool = True
    is_one_piece: bool = False
    """Whether it may take long in one piece, so that it had better run beside other work."""

    def load(self) -> Any:
        """Import and return the function behind this view."""
        return pkgutil.resolve_name(self.where)

    def ask(self, *subject: Any, **values: Any) -> Found:
        """Do all of it at once.

        Raises:
            UserError: if the text or another value cannot be used.
        """
        answer: Found | Iterator[Found | None] = self.load()(*subject, **values)
        if isinstance(answer, dict):
            return answer
        *_, found = answer
        assert found is not None
        return found


VIEWS: Mapping[str, View] = {
    "trace": View(where="tiny_llama.views.trace:trace"),
    "fresh": View(where="tiny_llama.views.fresh:fresh", needs_model=False),
    "reading": View(where="tiny_llama.views.reading:reading"),
    "heads": View(where="tiny_llama.views.heads:heads"),
    "layer": View(where="tiny_llama.views.heads:layer"),
    "stages": View(where="tiny_llama.views.stages:stages"),
    "ablate": View(where="tiny_llama.views.ablation:ablate"),
    "write_without": View(where="tiny_llama.views.ablation:write_without"),
    "importance": View(where="tiny_llama.views.ablation:importance"),
    "history": View(where="tiny_llama.views.history:history"),
    "next_token": View(where="tiny_llama.views.next_token:next_token"),
    "write_on": View(where="tiny_llama.views.next_token:write_on"),
    "samples": View(where="tiny_llama.views.samples:samples"),
    "kv_cache": View(where="tiny_llama.views.kv_cache:kv_cache"),
    "cache_speed": View(where="tiny_llama.views.kv_cache:cache_speed"),
    "logit_lens": View(where="tiny_llama.views.logit_lens:logit_lens"),
    "surprise": View(where="tiny_llama.views.surprise:surprise"),
    "turned_head": View(where="tiny_llama.views.rotary:turned_head"),
    "pair_shares": View(where="tiny_llama.views.rotary:pair_shares"),
    "decay": View(where="tiny_llama.views.rotary:decay"),
    "token_scores": View(where="tiny_llama.views.token_scores:token_scores"),
    "conventions": View(where="tiny_llama.views.conventions:conventions"),
    "loss_by_position": View(where="tiny_llama.views.longer:loss_by_position"),
    "cuts": View(where="tiny_llama.views.cutting:cuts", needs_model=False, is_one_piece=True),
    "merges": View(where="tiny_llama.views.merges:merges", needs_model=False, is_one_piece=True),
    "merged": View(where="tiny_llama.views.merges:merged", needs_model=False, is_one_piece=True),
    "vocabularies": View(
        where="tiny_llama.views.vocabulary:vocabularies", needs_model=False, is_one_piece=True
    ),
    "norms": View(where="tiny_llama.views.norms:norms"),
    "norm_times": View(where="tiny_llama.views.norm_times:norm_times", needs_model=False),
    "stream": View(where="tiny_llama.views.stream:stream"),
    "placement": View(where="tiny_llama.views.placement:placement"),
    "activations": View(where="tiny_llama.views.activations:activations", needs_model=False),
    "units": View(where="tiny_llama.views.units:units"),
    "openings": View(where="tiny_llama.views.units:openings"),
}
