"""``callahead call`` against a real provider."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callahead.consumer.cli.main import main
from callahead.consumer.testing import EmbeddedProvider, ProviderCall

CARRIERS = ("grpcio", "http2")
CONFIG = """\
references:
  foo:
    interface: com.alibaba.foo.FooService
    url: {url}
    stub: callahead.conf.foo_pb2_grpc:FooServiceStub
    methods:
      findFoo: {{async: true, sent: true}}
  bar:
    interface: com.alibaba.bar.BarService
    url: {url}
    retries: 0
    module: callahead.conf.bar_pb2
    methods:
      touch: {{return: false}}
  reflected: {{interface: com.alibaba.foo.FooService, url: "{url}"}}
  nowhere: {{interface: a.B, registry: empty}}
  hooked:
    interface: com.alibaba.foo.FooService
    url: {url}
    stub: callahead.conf.foo_pb2_grpc:FooServiceStub
    interceptors: [shop_hooks:Refuses]
registries: {{empty: {{address: "memory://test-cli-call"}}}}
consumer: {{carrier: {carrier}}}
"""

HOOKS = """\
class Refuses:
    def intercept(self, invocation, call_next):
        raise ValueError("not on a Sunday")
"""

# A shell that starts CI in the background has its children ignore Ctrl-C, which Python takes over.
MAIN = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from callahead.consumer.cli.main import main; main()"
)


def find_foo(request: object, call: ProviderCall) -> dict[str, object]:
    call.response_attachments["seen"] = call.attachments.get("shop", "nothing")
    return {"foo_id": request.foo_id, "name": "caf\xe9"}  # type: ignore[attr-defined]


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, carrier: str) -> Iterator[EmbeddedProvider]:
    with EmbeddedProvider(reflection=True) as provider:
        provider.serve("com.alibaba.foo.FooService", module="callahead.conf.foo_pb2", find_foo=find_foo)
        provider.serve(
            "com.alibaba.bar.BarService", module="callahead.conf.bar_pb2", find_bar={"bar_id": 2, "name": "b"}, touch={}
        )
        monkeypatch.chdir(tmp_path)
        Path("c.yml").write_text(CONFIG.format(url=provider.url, carrier=carrier), encoding="utf-8")
        Path("shop_hooks.py").write_text(HOOKS, encoding="utf-8")
        yield provider


def run(*args: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["call", *args], input=stdin, catch_exceptions=False)


def document(*args: str) -> tuple[int, dict[str, object]]:
    result = run(*args, "--json")
    assert result.stderr == ""
    return result.exit_code, json.loads(result.stdout)


@pytest.mark.parametrize("reference", ["foo", "reflected"])
def test_the_answer_is_json_on_stdout_and_the_status_on_stderr(provider: EmbeddedProvider, reference: str) -> None:
    """A configuration that says async waits here all the same."""
    result = run("c.yml", reference, "find_foo", '{"foo_id": 5}')
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"foo_id": "5", "name": "caf\xe9"}
    assert result.stderr.startswith(f"ok: {reference}.findFoo, {provider.url}, 1 attempt, ")
    assert result.stderr.endswith(" ms\n")


@pytest.mark.parametrize("given", ["5", '{"fooId": "5"}', '{"foo_id": 5}'])
def test_arguments_are_fields_in_either_spelling_or_positional(provider: EmbeddedProvider, given: str) -> None:
    """Also an answer of this very command, in which 64-bit integers are text, is an argument."""
    assert json.loads(run("c.yml", "foo", "findFoo", given).stdout)["foo_id"] == "5"


def test_arguments_may_come_from_the_standard_input_or_a_file(provider: EmbeddedProvider) -> None:
    """For what is too long for a line."""
    Path("a.json").write_text('{"foo_id": 7}')
    assert json.loads(run("c.yml", "foo", "findFoo", "-", stdin='{"foo_id": 6}\n').stdout)["foo_id"] == "6"
    assert json.loads(run("c.yml", "foo", "findFoo", "@a.json").stdout)["foo_id"] == "7"


def test_the_document_has_provider_attempts_time_and_attachments(provider: EmbeddedProvider) -> None:
    """All in one object; attachments go out and come back."""
    status, found = document("c.yml", "foo", "findFoo", "1", "--attachment", "shop=north=1")
    elapsed = found.pop("elapsed_ms")
    assert status == 0
    assert isinstance(elapsed, float)
    assert elapsed > 0
    assert found == {
        "status": "ok",
        "value": {"foo_id": "1", "name": "caf\xe9"},
        "error": None,
        "provider": provider.url,
        "attempts": 1,
        "response_attachments": {"seen": "north=1"},
    }


def test_a_one_way_method_prints_null(provider: EmbeddedProvider) -> None:
    """It is sent, and has been received when the command ends."""
    result = run("c.yml", "bar", "touch", '{"bar_id": 3}')
    assert (result.exit_code, result.stdout) == (0, "null\n")
    assert provider.count("touch") == 1


def test_the_failure_of_a_one_way_call_is_told_once(provider: EmbeddedProvider) -> None:
    """A program would only log it; whoever types the command is told."""
    provider.script("touch", error=("UNAVAILABLE", "closed today"))
    result = run("c.yml", "bar", "touch")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("closed today") == 1
    assert result.stderr.splitlines()[-1].startswith(f"failed: bar.touch, {provider.url}, 1 attempt, ")


def test_a_failed_call_is_status_1_without_an_answer(provider: EmbeddedProvider) -> None:
    """The error by its class, then the status line."""
    provider.script("find_bar", error=("NOT_FOUND", "no such bar"))
    result = run("c.yml", "bar", "find_bar", "1")
    assert (result.exit_code, result.stdout) == (1, "")
    first, last = result.stderr.splitlines()
    assert first.startswith(f"RemoteError: bar.findBar at {provider.url}: ")
    assert "no such bar" in first
    assert last.startswith(f"failed: bar.findBar, {provider.url}, 1 attempt, ")


def test_timeout_and_retries_are_the_calls_own(provider: EmbeddedProvider) -> None:
    """What the command line says wins over the file."""
    provider.script("find_bar", hang=True)
    status, found = document("c.yml", "bar", "find_bar", "1", "--timeout", "60", "--retries", "1")
    error = found["error"]
    assert isinstance(error, dict)
    assert (status, found["status"], found["value"]) == (1, "failed", None)
    assert (error["type"], error["in_doubt"], error["not_sent"]) == ("CallTimeout", True, False)
    assert isinstance(found["elapsed_ms"], float)
    assert found["elapsed_ms"] >= 50


def test_retries_are_counted_in_the_attempts(provider: EmbeddedProvider) -> None:
    """A refused connection is tried again."""
    provider.kill()
    status, found = document("c.yml", "bar", "find_bar", "1", "--retries", "2", "--timeout", "1.5s")
    assert (status, found["attempts"]) == (1, 3)
    assert isinstance(found["error"], dict)
    assert (found["error"]["type"], found["error"]["not_sent"]) == ("AllAttemptsFailed", True)


def test_a_reference_without_a_provider_is_a_failed_call(provider: EmbeddedProvider) -> None:
    """Nothing is wrong with the file."""
    status, found = document("c.yml", "nowhere", "find")
    assert (status, found["provider"], found["attempts"]) == (1, None, 0)
    assert isinstance(found["error"], dict)
    assert found["error"]["type"] == "NoProviderAvailable"


def test_an_interceptor_of_the_current_folder_is_found_and_its_error_is_no_traceback(
    provider: EmbeddedProvider,
) -> None:
    """Projects are called from their own folder; the path is as it was afterwards."""
    before = list(sys.path)
    result = run("c.yml", "hooked", "find_foo", "1")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == "ValueError: not on a Sunday"
    assert sys.path == before


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["no.yml", "foo", "find_foo"], "no.yml: the file does not exist"),
        (["c.yml", "fo", "find_foo"], 'c.yml: references: there is no reference "fo" (did you mean "foo"?)'),
        (
            ["c.yml", "foo", "find_fo"],
            (
                'c.yml:3: references.foo: com.alibaba.foo.FooService has no method "find_fo" '
                '(stub callahead.conf.foo_pb2_grpc:FooServiceStub); did you mean "findFoo"?'
            ),
        ),
        (
            ["c.yml", "foo", "__class__"],
            (
                'c.yml:3: references.foo: com.alibaba.foo.FooService has no method "__class__" '
                "(stub callahead.conf.foo_pb2_grpc:FooServiceStub); known: findFoo, listFoos"
            ),
        ),
        (
            ["c.yml", "foo", "list_foos"],
            (
                'c.yml:3: references.foo: "list_foos" is a streaming method; '
                "callahead call makes calls of one request and one answer"
            ),
        ),
        (
            ["c.yml", "foo", "find_foo", '{"foo_idd": 1}'],
            'Error: com.alibaba.foo.FindFooRequest has no field "foo_idd" (did you mean "foo_id"?)',
        ),
        (
            ["c.yml", "foo", "find_foo", "1", "2"],
            "Error: the arguments do not fit: com.alibaba.foo.FindFooRequest: expected 1 positional (foo_id), got 2",
        ),
        (["c.yml", "foo", "find_foo", "{"], "Error: argument 1: not JSON: Expecting property name enclosed in double"),
        (
            ["c.yml", "foo", "find_foo", "--timeout", "0"],
            "Error: Invalid value for --timeout: must be from 1 to 2147483647 ms, not 0 ms",
        ),
        (
            ["c.yml", "foo", "find_foo", "--timeout", "5 parsecs"],
            (
                'Error: Invalid value for --timeout: must be a duration such as 500, "50ms", "1.5s" or "2m", '
                'not "5 parsecs" (units: ms, s, m, h)'
            ),
        ),
        (
            ["c.yml", "foo", "find_foo", "--retries", "-1"],
            "Error: Invalid value for --retries: must be from 0 to 1000, not -1",
        ),
        (
            ["c.yml", "foo", "find_foo", "--attachment", "shop"],
            'Error: Invalid value for --attachment: "shop" is not of the form KEY=VALUE',
        ),
        (
            ["c.yml", "foo", "find_foo", "--attachment", "a=1", "--attachment", "a=2"],
            'Error: Invalid value for --attachment: "a" is given twice',
        ),
    ],
)
def test_a_wrong_command_line_or_file_is_status_2(provider: EmbeddedProvider, args: list[str], message: str) -> None:
    """Nothing on stdout, nothing called, and the last line says what is wrong."""
    result = run(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1].startswith(message)
    assert provider.count() == 0


def test_a_field_of_the_wrong_type_is_status_2(provider: EmbeddedProvider) -> None:
    """Protobuf's own words say where."""
    result = run("c.yml", "foo", "find_foo", '{"foo_id": "x"}')
    assert result.exit_code == 2
    assert "Error: the arguments do not fit: com.alibaba.foo.FindFooRequest: " in result.stderr
    assert "foo_id" in result.stderr


def test_ctrl_c_ends_a_call_that_hangs(provider: EmbeddedProvider) -> None:
    """At once, and without a traceback."""
    provider.script("find_bar", hang=True)
    code = MAIN
    command = [sys.executable, "-c", code, "call", "c.yml", "bar", "find_bar", "1", "--timeout", "60s"]
    with subprocess.Popen(
        command, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        provider.wait_for_calls("find_bar", 1, timeout=30)
        process.send_signal(signal.SIGINT)
        printed, errors = process.communicate(timeout=10)
    assert (process.returncode, printed, errors.strip()) == (1, "", "Aborted!")
