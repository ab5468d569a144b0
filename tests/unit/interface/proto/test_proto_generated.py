"""The generated modules in conf/ are those of their .proto files."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

import callahead.conf

CONF = Path(callahead.conf.__file__).parent


def compiled(name: str, folder: Path) -> FileDescriptorProto:
    out = folder / "out.bin"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-Icallahead/conf={CONF}", f"--descriptor_set_out={out}"]
    subprocess.run([*command, f"callahead/conf/{name}.proto"], check=True)
    file = FileDescriptorSet.FromString(out.read_bytes()).file[0]
    for message in file.message_type:
        for field in message.field:
            field.ClearField("json_name")  # generated modules leave it out
    return file


@pytest.mark.parametrize("name", ["foo", "bar"])
def test_the_messages_are_in_step(name: str, tmp_path: Path) -> None:
    """A change of the .proto file without a new generated module fails here."""
    generated = FileDescriptorProto()
    import_module(f"callahead.conf.{name}_pb2").DESCRIPTOR.CopyToProto(generated)
    assert generated == compiled(name, tmp_path)


@pytest.mark.parametrize("name", ["foo", "bar"])
def test_the_stubs_are_in_step(name: str) -> None:
    """The generated stub has exactly the methods of the generated module."""
    from support.policies import tri_policy

    from callahead.config.policy import MethodPolicy
    from callahead.consumer.interface.proto.load import ServiceTypes, load_types

    def load(**source: str) -> ServiceTypes:
        interface = f"com.alibaba.{name}.{name.title()}Service"
        default = MethodPolicy(reference=name, method="*")
        policy = tri_policy(id=name, interface=interface, default=default, **source)
        return load_types(policy, lambda: pytest.fail("no server is asked"))

    by_module = load(module=f"callahead.conf.{name}_pb2").methods
    assert load(stub=f"callahead.conf.{name}_pb2_grpc").methods == by_module


@pytest.mark.parametrize("name", ["foo", "bar"])
def test_the_type_stubs_name_every_message(name: str) -> None:
    """Editors and mypy see each message of the module."""
    text = (CONF / f"{name}_pb2.pyi").read_text()
    messages = import_module(f"callahead.conf.{name}_pb2").DESCRIPTOR.message_types_by_name
    assert [message for message in messages if f"class {message}(" not in text] == []
