"""Method types out of protobuf's own description of a service."""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass

from .service import MethodTypes, ServiceTypes


def service_types(service: ServiceDescriptor, source: str) -> ServiceTypes:
    """Describe every method of *service*; *source* says where it came from, for messages."""
    return ServiceTypes.of(service.full_name, map(_method_types, service.methods), source)


def _method_types(method: MethodDescriptor) -> MethodTypes:
    request: type[Any] = GetMessageClass(method.input_type)
    response: type[Any] = GetMessageClass(method.output_type)
    return MethodTypes(
        name=method.name,
        path=f"/{method.containing_service.full_name}/{method.name}",
        request_class=request,
        response_class=response,
        serialize=request.SerializeToString,
        deserialize=response.FromString,
        client_streaming=method.client_streaming,
        server_streaming=method.server_streaming,
    )
