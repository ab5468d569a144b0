"""An application registry inside this process, that a test fills, breaks and looks at."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from callahead.registry.api import NotifyListener, Subscription
from callahead.registry.catalogue import Catalogue, Providers
from callahead.registry.errors import RegistryError, RegistryUnavailable
from callahead.registry.instance import Instances, ServiceInstance
from callahead.registry.models import Endpoint, ServiceKey
from callahead.registry.notify import NotifyQueue
from callahead.registry.serial import UNKNOWN, SerialQueue


def metadata_of(
    revision: str, *, remote: bool = False, asked_over: str = "", timestamp: int = 0, **ports: int
) -> dict[str, str]:
    """What an instance says of itself that speaks a protocol on each of *ports*."""
    endpoints = [{"port": port, "protocol": protocol} for protocol, port in ports.items()]
    found = {
        "dubbo.endpoints": json.dumps(endpoints),
        "dubbo.metadata.revision": revision,
        "dubbo.metadata.storage-type": "remote" if remote else "local",
        "timestamp": str(timestamp),
    }
    if asked_over:
        asked = {"protocol": asked_over, "port": str(ports[asked_over]), "version": "1.0.0"}
        found["dubbo.metadata-service.url-params"] = json.dumps(asked)
    return found


def described(revision: str, *services: tuple[str, str, int], **params: str) -> dict[str, Any]:
    """What a revision provides: each an interface, a protocol and a port."""
    return {
        "app": "shop",
        "revision": revision,
        "services": {
            f"{name}:{protocol}": {
                "name": name,
                "protocol": protocol,
                "port": port,
                "path": name,
                "params": {"side": "provider", **params},
            }
            for name, protocol, port in services
        },
    }


class NobodyIsAsked:
    """A `MetadataSource` for instances whose metadata are with the registry."""

    def ask(self, instance: ServiceInstance, /) -> dict[str, Any]:
        """Fail the test."""
        raise AssertionError(instance)

    def close(self) -> None:
        """Do nothing."""


class Asked:
    """A `MetadataSource` that answers what a test says, by revision, and fails for addresses that it names.

    Attributes:
        answers: By revision.
        deaf: Addresses of instances that do not answer.
        asked: The address of each instance that was asked, in order.
        closed: It was closed.
    """

    def __init__(self, **answers: dict[str, Any]) -> None:
        self.answers = answers
        self.deaf: set[str] = set()
        self.asked: list[str] = []
        self.closed = False

    def ask(self, instance: ServiceInstance, /) -> dict[str, Any]:
        """As `MetadataSource.ask`."""
        self.asked.append(instance.address)
        if instance.address in self.deaf or instance.revision not in self.answers:
            raise RegistryUnavailable(f"{instance} does not answer")
        return self.answers[instance.revision]

    def close(self) -> None:
        """As `MetadataSource.close`."""
        self.closed = True


class Applications:
    """A `Registry` and `ApplicationRegistry` whose content is what a test says.

    Attributes:
        reads: How often the metadata of each ``application/revision`` were read.
        down: Metadata cannot be read, and nothing that is not known already.
    """

    def __init__(self) -> None:
        self.reads: Counter[str] = Counter()
        self.down = False
        self._providers: dict[ServiceKey, tuple[Endpoint, ...]] = {}
        self._texts: dict[tuple[str, str], str | None] = {}
        self._instances: dict[str, Instances] = {}
        self._metadata: dict[str, str] = {}
        self._queue = NotifyQueue("applications", self._find)
        self._texts_queue: SerialQueue[tuple[str, str], str | None] = SerialQueue("applications", self._text)
        self._instances_queue: SerialQueue[str, Instances] = SerialQueue("applications", self._known)
        self._closed = False

    def put_providers(self, interface: str, *endpoints: Endpoint) -> None:
        """Make *endpoints* those that are registered by interface."""
        self._providers[ServiceKey(interface)] = endpoints
        self._queue.announce()

    def put_text(self, group: str, key: str, text: str | None) -> None:
        """Make *text* what the configuration centre holds."""
        self._texts[group, key] = text
        self._texts_queue.announce()

    def put_instances(self, application: str, *instances: tuple[str, dict[str, str]]) -> None:
        """Make *instances*, each ``host:port`` and what it says of itself, those of *application*."""
        found = tuple(_instance(application, address, said) for address, said in instances)
        self._instances[application] = Instances(found, f"test: {len(found)} instances of {application}")
        self._instances_queue.announce()

    def put_metadata(self, application: str, revision: str, text: str) -> None:
        """Make *text* what is known of *revision*."""
        self._metadata[f"{application}/{revision}"] = text

    def subscribe(self, key: ServiceKey, listener: NotifyListener) -> Subscription:
        """As `Registry.subscribe`."""
        return self._queue.subscribe(key, listener)

    def watch(self, group: str, key: str, listener: Callable[[str | None], None], /) -> Subscription:
        """As `ConfigurationCentre.watch`."""
        return self._texts_queue.subscribe((group, key), listener)

    def watch_application(self, application: str, listener: Callable[[Instances], None], /) -> Subscription:
        """As `ApplicationRegistry.watch_application`."""
        return self._instances_queue.subscribe(application, listener)

    def read_metadata(self, application: str, revision: str, /) -> str | None:
        """As `ApplicationRegistry.read_metadata`."""
        self.reads[f"{application}/{revision}"] += 1
        if self._closed:
            raise RegistryError("registry applications is closed")
        if self.down:
            raise RegistryUnavailable("test: it is down")
        return self._metadata.get(f"{application}/{revision}")

    def close(self) -> None:
        """As `Registry.close`."""
        self._closed = True
        self._queue.close()
        self._texts_queue.close()
        self._instances_queue.close()

    def _find(self, key: ServiceKey) -> Providers:
        return Catalogue("test", self._providers).find(key)

    def _text(self, place: tuple[str, str]) -> Any:
        return UNKNOWN if self.down and place not in self._texts else self._texts.get(place)

    def _known(self, application: str) -> Any:
        nothing = Instances((), f"test: no instance of {application}")
        return self._instances.get(application, UNKNOWN if self.down else nothing)


def _instance(application: str, address: str, said: dict[str, str]) -> ServiceInstance:
    host, _, port = address.rpartition(":")
    return ServiceInstance.of(application, host.strip("[]"), int(port), said)
