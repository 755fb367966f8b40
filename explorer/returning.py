"""A student who comes back is known again, by a secret that only their browser keeps.

The secret is in no link, so a shared link shows a run but does not let others steer it.
"""

from explorer import session, state
from explorer.components import identity


def remember_owner() -> None:
    """Take up the secret that this browser kept from an earlier visit, if there is one."""
    identity.keep_secret(session.owner(), _take_up)


def _take_up() -> None:
    if kept := state.shown(identity.KEY).get("owner"):
        state.keep(session.OWNER, kept)
