"""Where gRPC method types come from: stubs, modules and .proto files, and what each says of bad input."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.policies import tri_policy

from callahead.config import load_text
from callahead.config.errors import ConfigError
from callahead.config.policy import MethodPolicy, ReferencePolicy
from callahead.consumer.interface.proto.load import MethodTypes, ServiceTypes, check_methods, load_types

PROTOS = Path(__file__).parents[3] / "support" / "protos"
FOO = "com.alibaba.foo.FooService"
LINES = {"interface": "x.yml:3", "stub": "x.yml:4", "module": "x.yml:5", "proto": "x.yml:6"}


def policy(interface: str = FOO, **values: object) -> ReferencePolicy:
    default = MethodPolicy(reference="foo", method="*", origins={"is_async": "x.yml:1"})
    return tri_policy(id="foo", interface=interface, default=default, origins=LINES, **values)


def load(interface: str = FOO, **values: object) -> ServiceTypes:
    return load_types(policy(interface, **values), lambda: pytest.fail("no server is asked"))


def message_of(interface: str = FOO, **values: object) -> str:
    with pytest.raises(ConfigError) as caught:
        load(interface, **values)
    return str(caught.value)


@pytest.fixture
def importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to put modules in, forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(PROTOS))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


SOURCES = [
    {"stub": "callahead.conf.foo_pb2_grpc:FooServiceStub"},
    {"stub": "callahead.conf.foo_pb2_grpc"},
    {"module": "callahead.conf.foo_pb2"},
    {"proto": "conf/foo.proto"},
]


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_every_source_gives_the_same_methods(source: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths, streaming kinds and bytes do not depend on where the types come from."""
    import callahead.conf

    monkeypatch.chdir(Path(callahead.conf.__file__).resolve().parent.parent)
    types = load(**source)
    find, listed = types.methods["findFoo"], types.methods["listFoos"]
    assert list(types.methods) == ["findFoo", "listFoos"]
    assert (find.path, find.streaming) == ("/com.alibaba.foo.FooService/findFoo", False)
    assert (listed.client_streaming, listed.server_streaming) == (False, True)
    assert find.request_class is not None
    assert find.serialize(find.request_class(foo_id=300)) == b"\x08\xac\x02"
    assert find.deserialize(b"\x08\x05").foo_id == 5


@pytest.mark.parametrize("spelt", ["findFoo", "find_foo", "FindFoo", "findfoo", "FIND_FOO"])
def test_find_takes_any_mix_of_case_and_underscores(spelt: str) -> None:
    """Python's and the service's spelling find the same method."""
    found = load(module="callahead.conf.foo_pb2").find(spelt)
    assert found is not None
    assert found.name == "findFoo"


def test_find_gives_nothing_where_two_methods_fit() -> None:
    """echo_twice and EchoTwice are told apart only by their exact names."""
    types = load("callahead.tests.Kinds", proto=str(PROTOS / "kinds.proto"))
    exact = [types.find("echo_twice"), types.find("EchoTwice")]
    assert [None if method is None else method.name for method in exact] == ["echo_twice", "EchoTwice"]
    assert types.find("echoTwice") is None
    assert types.nearest("echoTwice") == "one of: echo_twice, EchoTwice"


def test_find_gives_nothing_for_an_unknown_name() -> None:
    """An unknown name is not found, and the hint names the nearest method."""
    types = load(module="callahead.conf.foo_pb2")
    assert types.find("findFooo") is None
    assert types.nearest("findFooo") == 'did you mean "findFoo"?'


def test_a_stub_shows_all_four_streaming_kinds(importable: Path) -> None:
    """The recording channel tells unary from client, server and bidirectional streams."""
    types = load("helloworld.Greeter", stub="helloworld_pb2_grpc:GreeterStub")
    kinds = {name: (m.client_streaming, m.server_streaming) for name, m in types.methods.items()}
    assert kinds == {
        "SayHello": (False, False),
        "SpellHello": (False, True),
        "GatherHellos": (True, False),
        "ChatHello": (True, True),
    }


def test_a_stub_of_another_generator_needs_no_descriptor(importable: Path) -> None:
    """A hand-written stub with its own serializers works; its message classes are unknown."""
    (importable / "hand_written.py").write_text(
        "class EchoStub:\n"
        "    def __init__(self, channel):\n"
        "        self.Say = channel.unary_unary('/hand.Echo/Say', request_serializer=str.encode,\n"
        "                                       response_deserializer=bytes.decode)\n"
        "        self.Raw = channel.unary_unary('/hand.Echo/Raw')\n"
    )
    types = load("hand.Echo", stub="hand_written:EchoStub")
    say, raw = types.methods["Say"], types.methods["Raw"]
    assert (say.request_class, say.serialize("hé"), say.deserialize(b"ok")) == (None, b"h\xc3\xa9", "ok")
    assert raw.serialize(b"as it is") == b"as it is"


def test_a_module_with_two_stubs_gives_the_one_of_the_interface(importable: Path) -> None:
    """Where a module holds several stubs the interface decides."""
    (importable / "both.py").write_text(
        "from callahead.conf.bar_pb2_grpc import BarServiceStub\n"
        "from callahead.conf.foo_pb2_grpc import FooServiceStub\n"
    )
    assert load("com.alibaba.bar.BarService", stub="both").interface == "com.alibaba.bar.BarService"


def test_two_protos_that_clash_are_kept_apart() -> None:
    """Each .proto has its own pool, so one name may mean two things."""
    first = load("callahead.tests.Kinds", proto=str(PROTOS / "kinds.proto")).methods["Echo"].request_class
    second = load("callahead.tests.Kinds", proto=str(PROTOS / "clash" / "kinds.proto")).methods["Echo"].request_class
    assert first is not None
    assert second is not None
    assert len(first.DESCRIPTOR.fields) == 26
    assert [field.name for field in second.DESCRIPTOR.fields] == ["only"]


def test_a_proto_finds_its_imports_in_its_own_folder() -> None:
    """Imports are found without proto_path where they lie beside the file."""
    types = load("callahead.tests.old.Old", proto=str(PROTOS / "required.proto"))
    assert list(types.methods) == ["Ask"]


def test_a_proto_finds_its_imports_in_proto_path(tmp_path: Path) -> None:
    """A file elsewhere is compiled with the folders of proto_path."""
    copy = tmp_path / "moved.proto"
    copy.write_text((PROTOS / "required.proto").read_text())
    types = load("callahead.tests.old.Old", proto=str(copy), proto_path=(str(PROTOS),))
    assert list(types.methods) == ["Ask"]


def test_a_stub_that_does_not_exist_names_the_nearest() -> None:
    """A misspelt class gets the line of the setting and a hint."""
    assert message_of(stub="callahead.conf.foo_pb2_grpc:FooServiceStb") == (
        'x.yml:4: references.foo.stub: "callahead.conf.foo_pb2_grpc:FooServiceStb": callahead.conf.foo_pb2_grpc has no '
        '"FooServiceStb"; did you mean "FooServiceStub"?'
    )


def test_a_module_that_cannot_be_imported_says_why() -> None:
    """The import's own error is in the message."""
    assert message_of(module="no_such_module_anywhere") == (
        'x.yml:5: references.foo.module: cannot import "no_such_module_anywhere": '
        "ModuleNotFoundError: No module named 'no_such_module_anywhere'"
    )


def test_a_module_that_raises_is_no_foreign_error(importable: Path) -> None:
    """Whatever the user's module raises becomes a ConfigError."""
    (importable / "raises.py").write_text("raise RuntimeError('not today')\n")
    assert message_of(stub="raises") == (
        'x.yml:4: references.foo.stub: cannot import "raises": RuntimeError: not today'
    )


def test_a_module_without_a_descriptor_is_refused() -> None:
    """A module of stubs in place of a module of messages is told."""
    assert message_of(module="callahead.conf.foo_pb2_grpc") == (
        'x.yml:5: references.foo.module: "callahead.conf.foo_pb2_grpc" is not a module generated by protoc '
        '(give "package.foo_pb2")'
    )


def test_a_module_without_stubs_is_refused() -> None:
    """A module of messages in place of a module of stubs is told."""
    assert message_of(stub="callahead.conf.foo_pb2") == (
        'x.yml:4: references.foo.stub: "callahead.conf.foo_pb2" has no stub class (give "package.foo_pb2_grpc:FooStub")'
    )


def test_a_class_that_is_no_stub_is_refused() -> None:
    """A class that cannot be made on a channel says what it raised."""
    assert message_of(stub="builtins:list") == (
        'x.yml:4: references.foo.stub: "builtins:list" cannot be made on a grpc.Channel: '
        "TypeError: 'RecordingChannel' object is not iterable"
    )


def test_a_function_is_no_stub() -> None:
    """Only classes are stubs."""
    assert message_of(stub="builtins:repr") == (
        'x.yml:4: references.foo.stub: "builtins:repr" has no stub class (give "package.foo_pb2_grpc:FooStub")'
    )


def test_a_class_that_asks_for_no_method_is_refused() -> None:
    """A class that takes a channel and does nothing with it is no stub."""
    assert message_of(stub="builtins:bool") == (
        'x.yml:4: references.foo.stub: "builtins:bool" declares the methods of 0 services instead of one'
    )


@pytest.mark.parametrize(
    ("source", "origin"),
    [
        ({"stub": "callahead.conf.foo_pb2_grpc"}, '"callahead.conf.foo_pb2_grpc" has no stub of the interface'),
        ({"module": "callahead.conf.foo_pb2"}, '"callahead.conf.foo_pb2" has no service'),
    ],
)
def test_an_interface_that_is_not_there_names_the_nearest(source: dict[str, str], origin: str) -> None:
    """A misspelt interface gets its own line and the nearest service."""
    assert message_of("com.alibaba.foo.FooServise", **source) == (
        f'x.yml:3: references.foo.interface: {origin} "com.alibaba.foo.FooServise" '
        '(did you mean "com.alibaba.foo.FooService"?)'
    )


def test_an_interface_that_is_not_in_a_proto_names_the_nearest() -> None:
    """A .proto's services are compared by their full names."""
    path = str(PROTOS / "helloworld.proto")
    assert message_of("helloworld.Greter", proto=path) == (
        f'x.yml:3: references.foo.interface: "{path}" has no service "helloworld.Greter" '
        '(did you mean "helloworld.Greeter"?)'
    )


def test_a_proto_that_does_not_compile_carries_the_compilers_lines(tmp_path: Path) -> None:
    """The error of protoc arrives with its file, line and column."""
    bad = tmp_path / "bad.proto"
    bad.write_text('syntax = "proto3";\nmessage X {\n  int32 a = 1\n}\n')
    assert message_of(proto=str(bad)) == (
        f'x.yml:6: references.foo.proto: "{bad}" does not compile:\n{bad}:4:1: Expected ";".'
    )


def test_a_proto_whose_import_is_missing_says_so(tmp_path: Path) -> None:
    """A missing import is protoc's to tell."""
    bad = tmp_path / "bad.proto"
    bad.write_text('syntax = "proto3";\nimport "gone.proto";\n')
    message = message_of(proto=str(bad))
    assert message.startswith(f'x.yml:6: references.foo.proto: "{bad}" does not compile:\n')
    assert "gone.proto: File not found." in message


def test_a_proto_that_is_not_there_says_so() -> None:
    """A path to nothing is told before any compiler runs."""
    assert message_of(proto="/nowhere/foo.proto") == (
        'x.yml:6: references.foo.proto: there is no file "/nowhere/foo.proto"'
    )


def test_a_proto_without_grpcio_tools_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the package is missing, the message says what to install."""
    monkeypatch.setitem(sys.modules, "grpc_tools", None)
    assert message_of(proto="conf/foo.proto") == (
        "x.yml:6: references.foo.proto: a .proto file needs the package grpcio-tools, which is not installed "
        "(pip install callahead[proto])"
    )


# check_methods


def method(name: str, **values: object) -> MethodPolicy:
    origins = {"method": "x.yml:10", **{attribute: f"x.yml:{11 + i}" for i, attribute in enumerate(values)}}
    return MethodPolicy(reference="foo", method=name, origins=origins, **values)


def problems(*methods: MethodPolicy) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        check_methods(policy(methods={one.method: one for one in methods}), load(module="callahead.conf.foo_pb2"))
    return [str(problem) for problem in caught.value.problems]


def test_methods_that_exist_pass() -> None:
    """Either spelling of a unary method may be asynchronous; a streaming one may have a timeout."""
    methods = {
        "find_foo": method("find_foo", is_async=True, sent=True, returns=False),
        "listFoos": method("listFoos", timeout_ms=5),
    }
    check_methods(policy(methods=methods), load(module="callahead.conf.foo_pb2"))


def test_a_method_that_the_service_lacks_names_the_nearest() -> None:
    """A misspelt method is refused at its line."""
    text = 'the interface "com.alibaba.foo.FooService" has no method "findFo" (did you mean "findFoo"?)'
    assert problems(method("findFo")) == [f"x.yml:10: references.foo.methods.findFo: {text}"]


def test_a_wrong_method_of_a_file_is_found_at_the_line_that_names_it() -> None:
    """And not at that of its first setting, or of the interface."""
    config = load_text(
        f"""references:
  foo:
    interface: {FOO}
    url: tri://127.0.0.1:50051
    methods:
      findFo:
        async: true
      listFo:
""",
        "x.yml",
    )
    with pytest.raises(ConfigError) as caught:
        check_methods(config.references["foo"], load(module="callahead.conf.foo_pb2"))
    assert [(problem.line, problem.key) for problem in caught.value.problems] == [
        (6, "references.foo.methods.findFo"),
        (8, "references.foo.methods.listFo"),
    ]


def test_a_method_named_twice_is_refused() -> None:
    """Two spellings of one method would leave it open which settings win."""
    text = '"find_foo" and "findFoo" are one method, "findFoo" (keep one of them)'
    assert problems(method("findFoo"), method("find_foo")) == [f"x.yml:10: references.foo.methods.find_foo: {text}"]


def test_a_streaming_method_takes_no_return_mode() -> None:
    """async, return and sent on a streaming method are refused, all at once, each at its own line."""
    assert problems(method("listFoos", is_async=True, returns=False, sent=True)) == [
        'x.yml:11: references.foo.methods.listFoos.async: a streaming method cannot have "async: true" (remove it)',
        'x.yml:12: references.foo.methods.listFoos.return: a streaming method cannot have "return: false" (remove it)',
        'x.yml:13: references.foo.methods.listFoos.sent: a streaming method cannot have "sent: true" (remove it)',
    ]


def test_a_streaming_method_is_not_lazy() -> None:
    """The mode is named as the YAML has it."""
    assert problems(method("listFoos", is_async="lazy")) == [
        'x.yml:11: references.foo.methods.listFoos.async: a streaming method cannot have "async: lazy" (remove it)'
    ]


def test_a_streaming_method_may_inherit_a_return_mode() -> None:
    """What the reference or the consumer says for all methods does not make a streaming method an error."""
    inherited = MethodPolicy(reference="foo", method="listFoos", is_async=True, origins={"is_async": "x.yml:1"})
    check_methods(policy(methods={"listFoos": inherited}), load(module="callahead.conf.foo_pb2"))


def test_method_types_know_whether_they_stream() -> None:
    """Either side streaming makes a method a streaming one."""
    kinds = [(False, False), (False, True), (True, False), (True, True)]
    made = [
        MethodTypes(
            name="m",
            path="/s/m",
            request_class=None,
            response_class=None,
            serialize=bytes,
            deserialize=bytes,
            client_streaming=client,
            server_streaming=server,
        )
        for client, server in kinds
    ]
    assert [one.streaming for one in made] == [False, True, True, True]


@pytest.mark.parametrize("name", ["-x.proto", "--version", "--python_out=.", "@x.proto", "a b.proto", "-I"])
def test_a_file_whose_name_looks_like_an_option_is_a_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else is told to protoc by it."""
    monkeypatch.chdir(tmp_path)
    text = 'syntax = "proto3"; package p; message M {} service S { rpc call(M) returns (M); }'
    Path(name).write_text(text, "utf-8")
    assert list(load("p.S", proto=name).methods) == ["call"]
    assert [path.name for path in tmp_path.iterdir()] == [name]
