"""Which interceptor stands where, and why.

The CALL chain runs once per call, the ATTEMPT chain once per try; the first of each is outermost. What stands in
*italics* is no slot, and has a place of its own: the head and the encoding in the caller's room, the cluster in its
own.

==================  ====================================================================================================
CALL                why it stands there
==================  ====================================================================================================
*head*              counts each call and logs its failure: above the user's, so that what they refuse or answer counts
``interceptors``    the user's own, in the order of the YAML; above those below, which see what they replaced
``notify``          oninvoke, onreturn, onthrow: below the user's interceptors, so they hear of what was really called
``validation``      below notify, so that oninvoke may not be kept from hearing of a call, and above all that answers
``mock``            its answers are told to onreturn; what is mocked takes no place among the limits
*encoding*          once per call, however many attempts follow
*cache*             beneath the encoding, for its key is the request; above the limits, so that a hit takes no place
*limits*            lowest, so that whatever is answered above takes no place, and requests can be counted by bytes
*cluster*           everything beneath is repeated
==================  ====================================================================================================

==================  ====================================================================================================
ATTEMPT             why it stands there
==================  ====================================================================================================
``interceptors``    the user's own with ``scope = "attempt"``: see every try, whatever its end
*transport*         bounded by the timeout and nothing else; by the end of the try its provider is judged
==================  ====================================================================================================

Source of the constraints: Finagle's ``StackClient``. A stage to come takes its place by the design: trace above the
user's interceptors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from callahead.config.extension import INTERCEPTOR, load, load_object
from callahead.config.policy import MethodPolicy

from .api import Interceptor, Observer
from .notify import Notifier, wants_notice
from .validation import Validation

if TYPE_CHECKING:
    from .empty import Describe
    from .mock import CallOther

CALL_ORDER = ("interceptors", "notify", "validation", "mock")
ATTEMPT_ORDER = ("interceptors",)

_Chain = list[Interceptor | Observer]


def call_chain(
    policy: MethodPolicy, users: Sequence[Interceptor | Observer], describe: Describe, call_other: CallOther
) -> _Chain:
    """List what runs once per call, outermost first, beneath the head; *users* are the user's, of either scope.

    *describe* and *call_other* are what mock asks of the reference.
    """
    slots: dict[str, _Chain] = {
        "interceptors": [one for one in users if scope_of(one) == "call"],
        "notify": [Notifier(policy)] if wants_notice(policy) else [],
        "validation": [Validation(policy)] if policy.validation is not None else [],
        "mock": _mocks(policy, describe, call_other) if policy.mock else [],
    }
    return [one for slot in CALL_ORDER for one in slots[slot]]


def _mocks(policy: MethodPolicy, describe: Describe, call_other: CallOther) -> _Chain:
    from .mock import Mock  # its rules are read by modules that no other call needs

    return [Mock(policy, describe, call_other)]


def attempt_chain(users: Sequence[Interceptor | Observer]) -> _Chain:
    """List what runs once per try, outermost first, above the transport; *users* as above."""
    slots: dict[str, _Chain] = {"interceptors": [one for one in users if scope_of(one) == "attempt"]}
    return [one for slot in ATTEMPT_ORDER for one in slots[slot]]


def load_interceptors(policy: MethodPolicy) -> _Chain:
    """Make the user's interceptors that *policy* names.

    Raises:
        ConfigError: One cannot be imported or made, or is neither kind; with the file and line that names it.
    """
    return [_make(policy, name) for name in policy.interceptors]


def scope_of(interceptor: object) -> str:
    """Return ``"call"`` or ``"attempt"``, as *interceptor* declares."""
    return str(getattr(interceptor, "scope", "call"))


def _make(policy: MethodPolicy, name: str) -> Interceptor | Observer:
    try:
        made: object = (load_object(name) if ":" in name else load(INTERCEPTOR, name))()
    except Exception as error:
        raise policy.error("interceptors", f'interceptor "{name}": {error}') from error
    if isinstance(made, Interceptor) != isinstance(made, Observer) and scope_of(made) in ("call", "attempt"):
        return made  # type: ignore[return-value]  # one of the two
    raise policy.error("interceptors", f'interceptor "{name}" {_what_it_is(made)}')


def _what_it_is(made: object) -> str:
    """Say what keeps *made* from being an interceptor."""
    kinds = ("an Interceptor (intercept)", "an Observer (on_start, on_end)")
    if isinstance(made, Interceptor) and isinstance(made, Observer):
        return f"is both {kinds[0]} and {kinds[1]}; make two classes of it"
    if not isinstance(made, Interceptor | Observer):
        return f"is neither {kinds[0]} nor {kinds[1]}"
    return f'has scope "{scope_of(made)}", which is neither "call" nor "attempt"'
