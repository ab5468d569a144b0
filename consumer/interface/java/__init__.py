"""Java interfaces without protobuf: which methods there are, which overload a call means, what its values become.

`load_interface` makes the `JavaInterface` of a reference; `JavaMethod.select` turns a call's arguments into what
hessian2 encodes, and `convert_answer` an answer into what the stub declares. For stubs: `JavaName` and `java_method`.
"""

from .annotations import JavaName
from .interface import ECHO_METHOD, JavaInterface
from .load import load_interface
from .method import JavaMethod
from .signature import JavaSignature, convert_answer
from .stub import java_method

__all__ = [
    "ECHO_METHOD",
    "JavaInterface",
    "JavaMethod",
    "JavaName",
    "JavaSignature",
    "convert_answer",
    "java_method",
    "load_interface",
]
