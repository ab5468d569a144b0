"""Which of the addresses that gRPC resolves by itself HTTP/2 of our own can resolve, too."""

from __future__ import annotations

from typing import Final

from callahead.config.policy import ReferencePolicy
from callahead.config.values.text import is_target, scheme_of
from callahead.registry.models import Endpoint

from ...tcp.destination import place_of

_GRPCS_ALONE: Final = "xds"
_HAS_MANY: Final = "dns"


def check_targets(policy: ReferencePolicy) -> None:
    """Look at the addresses of a reference that are no host and port.

    Raises:
        ConfigError: One is for gRPC core alone, or has no host or port that can be.
    """
    for url in filter(is_target, policy.urls):
        scheme = scheme_of(url)
        if scheme == _GRPCS_ALONE:
            text = f"{scheme}:/// is for carrier: grpcio alone (carrier, {policy.origin('carrier')})"
            raise policy.error("urls", text, "set carrier: grpcio for this reference")
        if scheme == _HAS_MANY and policy.default.loadbalance == "roundrobin":
            text = f"the addresses of {scheme}:/// take turns by carrier: grpcio alone (loadbalance: roundrobin, "
            text += f"{policy.default.origin('loadbalance')}; carrier, {policy.origin('carrier')})"
            raise policy.error("urls", text, "set carrier: grpcio for this reference, or use a dns registry")
        try:
            place_of(Endpoint(protocol=policy.protocol, host=url, port=0))
        except ValueError:
            raise policy.error(
                "urls", f"{scheme}:/// is not followed by host:port", "such as dns:///foo:50051"
            ) from None
