"""What becomes, in a forked child, of the calls that ran."""

from __future__ import annotations

from ..errors import ConsumerClosed


def left_to_parent() -> ConsumerClosed:
    """Make the error of a call of the parent's, as its child has it."""
    return ConsumerClosed("the process was forked while the call ran; its answer goes to the parent", in_doubt=True)
