from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class FindBarRequest(_message.Message):
    __slots__ = ("bar_id",)
    BAR_ID_FIELD_NUMBER: _ClassVar[int]
    bar_id: int
    def __init__(self, bar_id: _Optional[int] = ...) -> None: ...

class Bar(_message.Message):
    __slots__ = ("bar_id", "name")
    BAR_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    bar_id: int
    name: str
    def __init__(self, bar_id: _Optional[int] = ..., name: _Optional[str] = ...) -> None: ...

class TouchRequest(_message.Message):
    __slots__ = ("bar_id",)
    BAR_ID_FIELD_NUMBER: _ClassVar[int]
    bar_id: int
    def __init__(self, bar_id: _Optional[int] = ...) -> None: ...

class TouchReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
