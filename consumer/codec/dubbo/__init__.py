"""Bodies of the classic dubbo protocol in hessian2: requests, answers, and what an answer's errors mean.

A method's `ArgumentsEncoder` is made once, of a `Signature`, and once for each provider the `Envelope` around the
arguments; `decode_response`, `status_error` and `error_of_thrown` read what comes back. The other direction, for a
provider, is `decode_request`, `encode_response` and `make_throwable`.
"""

from .descriptor import (
    JavaType,
    parse_type,
    type_of_class_name,
    types_of_descriptor,
)
from .errors import error_of_thrown, status_error
from .generic import (
    ECHO,
    INVOKE,
    INVOKE_ATTACHMENTS,
    invoke_arguments,
    to_generic,
)
from .request import (
    NO_VERSION,
    PROTOCOL_VERSION,
    ArgumentsEncoder,
    Envelope,
    RequestBody,
    decode_request,
    encode_text_body,
)
from .response import EXCEPTION, NULL, VALUE, decode_response, encode_response
from .signature import Signature
from .throwable import make_throwable, throwable_of

__all__ = [
    "ECHO",
    "EXCEPTION",
    "INVOKE",
    "INVOKE_ATTACHMENTS",
    "NO_VERSION",
    "NULL",
    "PROTOCOL_VERSION",
    "VALUE",
    "ArgumentsEncoder",
    "Envelope",
    "JavaType",
    "RequestBody",
    "Signature",
    "decode_request",
    "decode_response",
    "encode_response",
    "encode_text_body",
    "error_of_thrown",
    "invoke_arguments",
    "make_throwable",
    "parse_type",
    "status_error",
    "throwable_of",
    "to_generic",
    "type_of_class_name",
    "types_of_descriptor",
]
