"""Has the browser keep a student's secret, and says the one that it kept before."""

from collections.abc import Callable

from explorer.components.browser import part

KEY = "identity"


def keep_secret(secret: str, answered: Callable[[], None]) -> None:
    """Hand the browser a secret to keep, unless it keeps one already.

    Args:
        secret: of this tab's student.
        answered: called once the browser has said which secret it keeps: `owner` of what the
            component shows. In a callback, since the answer may come with the rerun of a fragment,
            which does not draw this component.
    """
    mount = part("identity", css=False)
    mount(key=KEY, data={"owner": secret}, height=1, on_owner_change=answered)
