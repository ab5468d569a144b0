"""The registries of one consumer, each made when a reference first asks it."""

from __future__ import annotations

from collections.abc import Mapping

from callahead.config.policy import ReferencePolicy, RegistryPolicy
from callahead.registry.api import Registry


class Registries:
    """Makes registries and closes them; whoever asks holds a lock.

    Args:
        policies: By id.
        given: By id, in place of those that their addresses mean; closed with the others.
    """

    def __init__(self, policies: Mapping[str, RegistryPolicy], given: Mapping[str, Registry]) -> None:
        self._policies = policies
        self._named: dict[str, Registry] = dict(given)
        self._own: dict[str, Registry] = {}  # by reference: made of addresses, or merged

    def of(self, policy: ReferencePolicy) -> Registry:
        """Return where the providers of a reference are: one registry, several as one, or its addresses."""
        from callahead.registry import DirectRegistry, MergedRegistry

        if len(policy.registries) == 1:
            return self._get(policy.registries[0])
        registry = self._own.get(policy.id)
        if registry is None:
            if policy.registries:
                registry = MergedRegistry([self._get(name) for name in policy.registries])
            else:
                registry = DirectRegistry.of(policy)
            self._own[policy.id] = registry
        return registry

    def _get(self, name: str) -> Registry:
        from callahead.registry import open_registry

        registry = self._named.get(name)
        if registry is None:
            registry = self._named[name] = open_registry(self._policies[name])
        return registry

    def close(self) -> None:
        """Close them all, those that others give their lists to first."""
        for registry in (*self._own.values(), *self._named.values()):
            registry.close()
