"""What a request says of the service that it is for."""

from __future__ import annotations

from typing import NamedTuple

from callahead.config.policy import ReferencePolicy
from callahead.registry.models import Endpoint


class ServiceIdentity(NamedTuple):
    """One service as the chosen provider exports it; by a wildcard or a list no provider could find it.

    Attributes:
        path: Mostly the interface's name.
        version: "" for none.
        group: "" for none.
        token: What the provider wants to be shown, "" for nothing.
    """

    path: str
    version: str
    group: str
    token: str

    @classmethod
    def asked(cls, policy: ReferencePolicy) -> ServiceIdentity:
        """Take what *policy* says, for a provider that says nothing of itself."""
        return cls(policy.interface, _concrete(policy.version), _concrete(policy.group), "")

    @classmethod
    def of(cls, endpoint: Endpoint, policy: ReferencePolicy) -> ServiceIdentity:
        """Take what the provider at *endpoint* says of itself, and *policy* for what it leaves out."""
        said, asked = endpoint.parameters.get, cls.asked(policy)
        return cls(
            path=endpoint.path or asked.path,
            version=said("version") or asked.version,
            group=said("group") or asked.group,
            token=said("token", ""),
        )

    def path_of(self, path: str, interface: str) -> str:
        """Give the path of a gRPC method, which a Dubbo provider may have exported elsewhere than under *interface*."""
        own = f"/{interface}/"
        return f"/{self.path}/{path.removeprefix(own)}" if path.startswith(own) else path


def _concrete(asked: str) -> str:
    """Give what is asked for where it is one name, which a provider found by it must have."""
    return "" if "*" in asked or "," in asked else asked
