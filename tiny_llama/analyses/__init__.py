"""What can be found out about a trained model: one table, readable without importing PyTorch.

An analysis reads plain values and gives plain values and NumPy arrays, so it can be run in a
notebook, in a test and, through the engine, from a page that holds no tensors.
"""

import pkgutil
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any

Found = dict[str, Any]
"""What an analysis gives: plain values and NumPy arrays by name."""
Beside = Callable[[], Any]
"""Work of an analysis that can be done beside everything else, as it waits for another process."""
Pieces = Generator[Found | Beside | None, Any, None]
"""An analysis that is made piece by piece."""


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """One kind of analysis: where its code lives, and what it needs.

    The function is called with a `Subject` first, unless it needs no model, and with plain values
    by name. It returns what it found, or, where it takes long, yields None after each piece of
    work and what it found at the end. Where it yields a function, whoever drives it calls that,
    wherever they like, and sends back what it returns.
    """

    where: str
    needs_model: bool = True

    def load(self) -> Any:
        """Import and return the function behind this analysis."""
        return pkgutil.resolve_name(self.where)

    def run(self, *subject: Any, **values: Any) -> Found:
        """Do all of it at once.

        Raises:
            UserError: if the text or another value cannot be used.
        """
        answer: Found | Pieces = self.load()(*subject, **values)
        if isinstance(answer, dict):
            return answer
        piece = next(answer)
        while not isinstance(piece, dict):
            piece = answer.send(piece() if piece else None)
        return piece


ANALYSES: Mapping[str, Analysis] = {
    "trace": Analysis(where="tiny_llama.analyses.trace:trace"),
    "fresh": Analysis(where="tiny_llama.analyses.fresh:fresh", needs_model=False),
    "reading": Analysis(where="tiny_llama.analyses.reading:reading"),
    "heads": Analysis(where="tiny_llama.analyses.heads:heads"),
    "layer": Analysis(where="tiny_llama.analyses.heads:layer"),
    "stages": Analysis(where="tiny_llama.analyses.stages:stages"),
    "ablate": Analysis(where="tiny_llama.analyses.ablation:ablate"),
    "write_without": Analysis(where="tiny_llama.analyses.ablation:write_without"),
    "importance": Analysis(where="tiny_llama.analyses.ablation:importance"),
    "history": Analysis(where="tiny_llama.analyses.history:history"),
    "next_token": Analysis(where="tiny_llama.analyses.next_token:next_token"),
    "write_on": Analysis(where="tiny_llama.analyses.next_token:write_on"),
    "samples": Analysis(where="tiny_llama.analyses.samples:samples"),
    "kv_cache": Analysis(where="tiny_llama.analyses.kv_cache:kv_cache"),
    "cache_speed": Analysis(where="tiny_llama.analyses.kv_cache:cache_speed"),
    "logit_lens": Analysis(where="tiny_llama.analyses.logit_lens:logit_lens"),
    "surprise": Analysis(where="tiny_llama.analyses.surprise:surprise"),
    "turned_head": Analysis(where="tiny_llama.analyses.rotary:turned_head"),
    "pair_shares": Analysis(where="tiny_llama.analyses.rotary:pair_shares"),
    "decay": Analysis(where="tiny_llama.analyses.rotary:decay"),
    "token_scores": Analysis(where="tiny_llama.analyses.token_scores:token_scores"),
    "conventions": Analysis(where="tiny_llama.analyses.conventions:conventions"),
    "loss_by_position": Analysis(where="tiny_llama.analyses.longer:loss_by_position"),
    "cuts": Analysis(where="tiny_llama.analyses.cutting:cuts", needs_model=False),
    "merges": Analysis(where="tiny_llama.analyses.merges:merges", needs_model=False),
    "merged": Analysis(where="tiny_llama.analyses.merges:merged", needs_model=False),
    "vocabularies": Analysis(
        where="tiny_llama.analyses.vocabulary:vocabularies", needs_model=False
    ),
    "norms": Analysis(where="tiny_llama.analyses.norms:norms"),
    "norm_times": Analysis(where="tiny_llama.analyses.norm_times:norm_times", needs_model=False),
    "pace": Analysis(where="tiny_llama.analyses.pace:pace", needs_model=False),
    "stream": Analysis(where="tiny_llama.analyses.stream:stream"),
    "placement": Analysis(where="tiny_llama.analyses.placement:placement"),
    "activations": Analysis(where="tiny_llama.analyses.activations:activations", needs_model=False),
    "units": Analysis(where="tiny_llama.analyses.units:units"),
    "openings": Analysis(where="tiny_llama.analyses.units:openings"),
}
