"""What a browser's message may be, and what it may hold: what no page of this app sends is cut.

A page limits what is typed into a box, and only shows buttons that are its own. A script that
speaks as the page does knows no such limits.
"""

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.runtime.state.common import user_key_from_element_id

MOST_WIDGETS = 1_000
"""On a page; the fullest has some hundred."""
MOST_STATE_BYTES = 20_000
"""What a widget shows, apart from long texts: the longest boxes take 2,000 characters."""
MOST_LINK_BYTES = 100_000
"""Each letter of a text may take nine bytes in a link."""
MOST_HASHES = 5_000
"""Of messages that the browser remembers: some hundred."""
MOST_REST_BYTES = 200_000
"""Of a whole message, its widgets and the hashes aside."""
MOST_FILES = 1
"""That are uploaded at once."""


def is_ours(message: BackMsg) -> bool:
    """Tell whether the pages of this app send such a message.

    Not so: that everybody's caches be cleared, or that the server look into its own code.
    """
    kind = message.WhichOneof("type")
    if kind == "backend_operation_request":
        return message.backend_operation_request.WhichOneof("payload") == "deferred_file"
    if kind == "file_urls_request":
        return len(message.file_urls_request.file_names) <= MOST_FILES
    return kind in ("rerun_script", "stop_script", "app_heartbeat")


def leave_out_widgets(asks: ClientState) -> None:
    """Leave out of a timer's question what the page's widgets show.

    Streamlit knows it already, as what a student changes comes by a question of its own; each of
    some hundred values would be taken up and compared again at every live update.
    """
    asks.ClearField("widget_states")


def is_tick(asks: ClientState) -> bool:
    """Tell whether a timer of the page asks, rather than a student."""
    return bool(asks.fragment_id) and asks.is_auto_rerun


def fits(asks: ClientState) -> bool:
    """Tell whether a question is of a size that a page's own can have, its widgets aside."""
    if len(asks.widget_states.widgets) > MOST_WIDGETS or len(asks.query_string) > MOST_LINK_BYTES:
        return False
    hashes = asks.cached_message_hashes
    if len(hashes) > MOST_HASHES:
        return False
    inside = asks.widget_states.ByteSize() + sum(map(len, hashes))
    return bool(asks.ByteSize() - inside <= MOST_REST_BYTES)


def long_states(asks: ClientState) -> list[WidgetState]:
    """List the widgets of a question that show more than a box can."""
    return [each for each in asks.widget_states.widgets if each.ByteSize() > MOST_STATE_BYTES]


def key_of(widget: WidgetState) -> str:
    """Give the name by which the app knows a widget; empty: it has none."""
    return user_key_from_element_id(widget.id) or ""


def leave_out(asks: ClientState, widgets: list[WidgetState]) -> None:
    """Take widgets out of a question; they go on showing what they showed before."""
    for each in widgets:
        asks.widget_states.widgets.remove(each)
