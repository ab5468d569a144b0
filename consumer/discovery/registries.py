"""Which registry a reference asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from callahead.config.policy import ConsumerConfig, ReferencePolicy, RegistryPolicy, SslPolicy
from callahead.registry.api import ApplicationRegistry, Registry
from callahead.registry.models import Origin

if TYPE_CHECKING:
    from callahead.registry.cached.store import ListStore
    from callahead.registry.discovery.discovery import Discovery
    from callahead.registry.discovery.metadata import MetadataSource


class Registries:
    """The registries of one consumer, each opened when a reference first asks for it; not for several threads at once.

    Args:
        config: Names and describes them.
        given: By id, in place of those that their addresses mean; closed with the others.
        source: Makes what asks instances of applications for their metadata, over the TLS of a reference.
    """

    def __init__(
        self,
        config: ConsumerConfig,
        given: Mapping[str, Registry],
        source: Callable[[SslPolicy | None], MetadataSource],
    ) -> None:
        self._config = config
        self._source = source
        self._named = dict(given)
        self._discoveries: dict[tuple[str, SslPolicy | None], Discovery] = {}
        self._stores: dict[str, ListStore] = {}
        self._own: dict[str, Registry] = {}  # by reference: made of addresses, or what it sees of those that are named

    def know(self, config: ConsumerConfig) -> None:
        """Name and describe by *config* those that are opened from now on."""
        self._config = config

    def of(self, policy: ReferencePolicy) -> Registry:
        """Give the registry of the reference of *policy*, the same each time.

        Raises:
            ConfigError: It cannot be opened, or knows no applications where the reference wants just those.
        """
        registry = self._own.get(policy.id)
        if registry is None:
            registry = self._own[policy.id] = self._made(policy)
        return registry

    def readdressed(self, policy: ReferencePolicy) -> Callable[[], None]:
        """Read the addresses that *policy* gives a reference in use; what is returned lets it have these.

        Raises:
            ConfigError: One cannot be understood.
        """
        from callahead.registry import DirectRegistry

        registry = self._own[policy.id]
        assert isinstance(registry, DirectRegistry)  # nobody else has addresses
        return partial(registry.adopt, DirectRegistry.of(policy))

    def close(self) -> None:
        """Close them all. Idempotent."""
        for registry in (*self._own.values(), *self._named.values()):
            registry.close()
        for discovery in self._discoveries.values():
            discovery.close()
        for store in self._stores.values():
            store.close()

    def _made(self, policy: ReferencePolicy) -> Registry:
        from callahead.registry import DirectRegistry, MergedRegistry

        if not policy.registries:
            return DirectRegistry.of(policy)
        seen = [self.seen(name, policy) for name in policy.registries]
        if len(seen) == 1:
            return seen[0]
        return MergedRegistry(seen, [_origin(self._config.registries[name]) for name in policy.registries])

    def seen(self, name: str, policy: ReferencePolicy) -> Registry:
        """Give what the reference of *policy* sees of the registry called *name*; a file in its place, if need be.

        Raises:
            ConfigError: As for `of`.
        """
        registry, described = self._found(name, policy), self._config.registries.get(name)
        if described is None or not described.file:  # who hands one in need not describe it
            return registry
        from callahead.registry.cached.registry import cached
        from callahead.registry.cached.store import ListStore

        if name not in self._stores:
            self._stores[name] = ListStore(name, described.file)
        return cached(registry, self._stores[name])

    def _found(self, name: str, policy: ReferencePolicy) -> Registry:
        registry = self._opened(name)
        if not isinstance(registry, ApplicationRegistry):
            _require_interfaces(policy, name)
            return registry
        return registry if policy.migration_step == "FORCE_INTERFACE" else self._discovering(registry, name, policy)

    def _discovering(self, registry: ApplicationRegistry, name: str, policy: ReferencePolicy) -> Registry:
        from callahead.registry.discovery.discovery import Discovery
        from callahead.registry.discovery.registry import DiscoveringRegistry

        discovery = self._discoveries.get((name, policy.ssl))
        if discovery is None:
            discovery = self._discoveries[name, policy.ssl] = Discovery(name, registry, self._source(policy.ssl))
        return DiscoveringRegistry(registry, discovery, step=policy.migration_step, provided_by=policy.provided_by)

    def _opened(self, name: str) -> Registry:
        from callahead.registry import open_registry

        registry = self._named.get(name)
        if registry is None:
            registry = self._named[name] = open_registry(self._config.registries[name])
        return registry


def _origin(policy: RegistryPolicy) -> Origin:
    return Origin(policy.id, policy.preferred, policy.zone, policy.weight)


def _require_interfaces(policy: ReferencePolicy, name: str) -> None:
    """Refuse to look for applications in a registry that knows none."""
    text = f'registry "{name}" knows no applications'
    if policy.migration_step == "FORCE_APPLICATION":
        raise policy.error("migration_step", f"{text}, which FORCE_APPLICATION asks for alone")
    if policy.provided_by:
        raise policy.error("provided_by", f"{text}, which this asks for", "remove it")
