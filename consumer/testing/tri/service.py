"""What a user gives an embedded provider: an interface, its functions, and its certificates."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pool import DescriptorPool

from callahead.config.errors import ConfigError
from callahead.config.policy import MethodPolicy, ReferencePolicy, SslPolicy

from ...interface.proto.descriptors import service_types
from ...interface.proto.load import load_types
from ...interface.proto.service import ServiceTypes
from ...transport.tri.settings import TriSettings
from ..mistake import wrong
from ..script import of_provider


def service_of(
    interface: str, *, stub: str | None, module: str | None, proto: str | None, proto_path: tuple[str, ...]
) -> ServiceTypes:
    """Find the types of *interface* where a reference would, or among the generated modules imported so far.

    Raises:
        ConfigError: They are not there.
    """
    if stub is None and module is None and proto is None:
        try:
            return service_types(descriptor_pool.Default().FindServiceByName(interface), "imported modules")
        except KeyError:
            raise wrong(f'no imported module has the service "{interface}"', "give module=, stub= or proto=") from None
    policy = ReferencePolicy(
        id="",
        interface=interface,
        stub=stub,
        transport=TriSettings(module=module, proto=proto, proto_path=proto_path),
        default=MethodPolicy(reference="", method="*"),
    )
    try:
        return load_types(policy, _no_server)
    except ConfigError as error:
        raise of_provider(error) from error


def _no_server() -> NoReturn:
    raise AssertionError("a provider never asks another one for its types")


def pool_of(types: ServiceTypes) -> DescriptorPool:
    """Find the pool that describes the service, for reflection."""
    for method in types.methods.values():
        if method.request_class is not None:
            pool: DescriptorPool = method.request_class.DESCRIPTOR.file.pool
            return pool
    return descriptor_pool.Default()


def server_credentials(ssl: SslPolicy) -> grpc.ServerCredentials:
    """Make the server's credentials of PEM files.

    Raises:
        ConfigError: ``cert`` or ``key`` is missing, or a file cannot be read.
    """
    if ssl.cert is None or ssl.key is None:
        raise wrong("ssl needs cert and key")
    return grpc.ssl_server_credentials(
        [(_read(ssl.key), _read(ssl.cert))],
        root_certificates=None if ssl.ca is None else _read(ssl.ca),
        require_client_auth=ssl.ca is not None,
    )


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise wrong(f"cannot read {path}: {error.strerror}") from error
