"""Settings that one protocol alone honours: none is accepted for another and ignored.

The models say which these are. Only callahead's own protocols are judged; one of another distribution judges for itself
when it opens a reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from .fields import ONLY
from .levels import Chosen, Level
from .models import ReferenceModel
from .policy import BUILT_IN, DEFAULT_PROTOCOL
from .report import Report

_JAVA: Final = "describe the Java interface by stub, parameter_types or generic"
_INSTEAD: Final = {"module": _JAVA, "proto": _JAVA}


def _find() -> Mapping[str, str]:
    extras = {name: field.json_schema_extra for name, field in ReferenceModel.model_fields.items()}
    return MappingProxyType({name: str(extra[ONLY]) for name, extra in extras.items() if isinstance(extra, dict)})


# From attribute of ReferencePolicy to the protocol.
HONOURED_BY: Final = _find()


def is_foreign(attribute: str, protocol: str) -> bool:
    """Tell whether *protocol*, one of ours, does not honour *attribute* while another of ours does."""
    return protocol in HONOURED_BY.values() and HONOURED_BY.get(attribute, protocol) != protocol


def keep_to_protocol(chosen: Chosen, levels: Sequence[Level], report: Report) -> None:
    """Drop from *chosen* what the protocol of the reference does not honour.

    What the reference itself, the first of *levels*, says is a problem then. What the consumer says is a default of all
    references, whatever they speak, and is passed over.
    """
    own = levels[0]
    if "protocol" not in chosen.values and _is_unclear(levels):
        return
    protocol = chosen.values.get("protocol", DEFAULT_PROTOCOL)
    origin = chosen.origins.get("protocol", BUILT_IN)
    for attribute, only in HONOURED_BY.items():
        if not is_foreign(attribute, protocol):
            continue
        chosen.values.pop(attribute, None)
        chosen.origins.pop(attribute, None)
        if own.written(attribute) is not None:
            text = f'only protocol "{only}" honours it, and this reference has "{protocol}"'
            report.at(own.place(attribute), text, _hint(attribute, only, origin))


def _is_unclear(levels: Sequence[Level]) -> bool:
    """Tell whether something was written that would say the protocol, if it were not wrong."""
    urls = levels[0].written("urls") is not None and levels[0].value("urls") is None
    return urls or any(level.written("protocol") is not None for level in levels)


def _hint(attribute: str, only: str, origin: str) -> str:
    instead = _INSTEAD.get(attribute, "remove it")
    if origin == BUILT_IN:
        return f'write "protocol: {only}", or {instead}'
    return f"{instead}; the protocol is set at {origin}"
