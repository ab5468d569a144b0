"""What an ended grpcio call knows."""

from __future__ import annotations

from typing import Any, NamedTuple

import grpc


class Facts(NamedTuple):
    """How a grpcio call ended.

    Attributes:
        code: Its status.
        initial: Metadata that came before the answer, or None.
        trailing: Metadata that came after it, or None.
        answer: The response, None where *code* is not OK.
    """

    code: grpc.StatusCode
    initial: Any
    trailing: Any
    answer: Any


def facts_of(call: Any) -> Facts:
    """Read all that *call*, which has ended, knows.

    grpcio's own accessors each take the call's lock and set up a wait, which costs more than the rest of a completion.
    And in a done callback, on the channel's own thread, ``initial_metadata()`` of a client stream may wait for what
    only that thread can bring. So the state is read, which no longer changes; where a grpcio has none, its accessors.
    """
    state: Any = getattr(call, "_state", None)
    try:
        return Facts(state.code, state.initial_metadata, state.trailing_metadata, state.response)
    except AttributeError:
        code = call.code()
        answer = call.result() if code is grpc.StatusCode.OK else None
        return Facts(code, call.initial_metadata(), call.trailing_metadata(), answer)
