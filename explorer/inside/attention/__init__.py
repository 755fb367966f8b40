"""Attention: all heads at a glance, one head, its stages, life without it, and how it formed."""

from explorer.inside.attention import ablation, all_heads, one_head, stages, time_machine
from explorer.stage import View

VIEWS = (
    View("heads", "All heads", all_heads.show, takes_two=True),
    View("head", "One head", one_head.show, takes_two=True),
    View("stages", "In stages", stages.show),
    View("ablate", "Switch heads off", ablation.show),
    View("time", "Time machine", time_machine.show),
)
