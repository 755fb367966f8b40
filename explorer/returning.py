"""A student who comes back is known again, by a secret that only their browser keeps.

The secret is in no link, so a shared link shows a run but does not let others steer it.
"""

from explorer import session, state
from explorer.components import identity


def remember_owner() -> None:
    """Take up the secret that this browser kept from an earlier visit, if there is one."""
    identity.keep_secret(session.owner(), _take_up)


def _take_up() -> None:
    """Be known by the secret of before, as whose also counts what was started in the meantime.

    On a busy machine, a student may press Train before their browser has got to say it.
    """
    if kept := state.shown(identity.KEY).get("owner"):
        session.engine().adopt(owner=kept, before=session.owner())
        state.keep(session.OWNER, kept)
