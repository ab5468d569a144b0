from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class FindFooRequest(_message.Message):
    __slots__ = ("foo_id",)
    FOO_ID_FIELD_NUMBER: _ClassVar[int]
    foo_id: int
    def __init__(self, foo_id: _Optional[int] = ...) -> None: ...

class Foo(_message.Message):
    __slots__ = ("foo_id", "name")
    FOO_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    foo_id: int
    name: str
    def __init__(self, foo_id: _Optional[int] = ..., name: _Optional[str] = ...) -> None: ...

class ListFoosRequest(_message.Message):
    __slots__ = ("foo_ids",)
    FOO_IDS_FIELD_NUMBER: _ClassVar[int]
    foo_ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, foo_ids: _Optional[_Iterable[int]] = ...) -> None: ...
