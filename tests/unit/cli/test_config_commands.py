"""``callahead check``, ``explain`` and ``schema``."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callahead.consumer.cli.main import COMMANDS, main

CONFIG = """\
application: {name: shop}
consumer: {timeout: 2s, parameters: {channel: web, token: hunter2}}
references:
  foo:
    interface: a.Foo
    url: tri://me:hunter2@127.0.0.1:50051
    retries: 0
    methods:
      findFoo: {async: true, interceptors: [shop.a:A]}
  bar: {interface: a.Bar, url: "tri://127.0.0.1:50051"}
"""


@pytest.fixture(autouse=True)
def _config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.yml").write_text(CONFIG)


def run(*args: str, columns: str | None = None) -> Result:
    return CliRunner(env={"COLUMNS": columns}).invoke(main, args)


def test_help_lists_the_commands_and_imports_nothing_heavy() -> None:
    """The help is quick: no command's work is imported for it."""
    heavy = "{'pydantic', 'yaml', 'grpc', 'rich', 'asyncio'}"
    code = (
        "import sys\nfrom callahead.consumer.cli.main import main\n"
        f"try: main(['--help'])\nexcept SystemExit: print('heavy:', {heavy} & sys.modules.keys())"
    )
    printed = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert all(f"\n  {name} " in printed for name in COMMANDS)
    assert printed.endswith("heavy: set()\n")


def test_no_line_of_the_help_is_cut_short() -> None:
    """On a terminal of 80 columns each command is described in a whole sentence."""
    lines = run("--help").stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in lines] == sorted(COMMANDS)
    assert [line for line in lines if not line.endswith(".") or line.endswith("...")] == []


def test_an_unknown_command_is_a_usage_error() -> None:
    """Click's own words and status are kept."""
    result = run("chek")
    assert result.exit_code == 2
    assert "No such command 'chek'" in result.stderr


def test_check_of_a_good_file_counts_what_is_in_it() -> None:
    """One line on stdout and status 0."""
    result = run("check", "c.yml")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "c.yml: ok, 2 references, 1 method\n", "")


def test_check_of_a_bad_file_prints_each_problem_on_a_line_of_stderr() -> None:
    """Status 2, nothing on stdout, every problem at once."""
    Path("bad.yml").write_text("consumer: {timeout: 0}\nreferences:\n  foo: {interface: a.Foo, urll: x}\n")
    result = run("check", "bad.yml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        "bad.yml:1: consumer.timeout: must be from 1 to 2147483647 ms, not 0 ms",
        'bad.yml:3: references.foo.urll: unknown key (did you mean "url"?)',
        "bad.yml:3: references.foo: needs url or registry (no registry is configured)",
    ]


def test_check_asks_the_registries_about_their_own_settings() -> None:
    """What only a registry knows to be wrong is found too, without connecting to one."""
    Path("bad.yml").write_text("registries: {main: {address: 'memory://shop', parameters: {intervall: 5}}}\n")
    result = run("check", "bad.yml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "bad.yml:1: registries.main" in result.stderr
    assert "intervall" in result.stderr


def test_check_refuses_the_address_of_a_file_without_a_path() -> None:
    """It is not taken for the folder of the configuration."""
    Path("bad.yml").write_text("registries: {main: {address: 'file:'}}\n")
    result = run("check", "bad.yml")
    assert (result.exit_code, result.stderr) == (
        2,
        'bad.yml:1: registries.main.address: "file:" names no file (write it like file:providers.yml)\n',
    )


def test_check_of_a_missing_file_has_the_same_form() -> None:
    """A file that is not there is one more problem."""
    result = run("check", "no.yml")
    assert (result.exit_code, result.stderr) == (2, "no.yml: the file does not exist\n")


def test_explain_shows_value_and_origin_of_each_setting() -> None:
    """The table has the YAML's keys, units and the line of each value."""
    result = run("explain", "c.yml", "foo", "findFoo")
    rows = [tuple(cell.strip() for cell in line.split("│")[1:-1]) for line in result.stdout.splitlines() if "│" in line]
    assert result.exit_code == 0
    assert {
        ("async", "true", "c.yml:9"),
        ("timeout", "2000 ms", "c.yml:2"),
        ("total_timeout", "2000 ms", "built-in"),
        ("retries", "0", "c.yml:7"),
        ("interceptors", "shop.a:A", "c.yml:9"),
        ("max_request_bytes", "8388608 bytes", "built-in"),
        ("group", '""', "built-in"),
        ("onreturn", "-", "built-in"),
    } <= set(rows)


@pytest.mark.parametrize("columns", ["60", "80"])
def test_explain_cuts_no_key_and_no_line_in_a_narrow_terminal(columns: str) -> None:
    """Where three columns have no room, the line stands below the value."""
    long = "a_name_as_long_as_folder"
    Path(f"{long}.yml").write_text("references: {foo: {interface: com.alibaba.foo.FooService, url: 'tri://h:1'}}\n")
    result = run("explain", f"{long}.yml", "foo", columns=columns)
    assert max(map(len, result.stdout.splitlines())) <= int(columns)
    cells = {cell.strip() for line in result.stdout.splitlines() for cell in line.split("│")}
    assert {"max_response_bytes", "com.alibaba.foo.FooService", f"{long}.yml:1"} <= cells


@pytest.mark.parametrize(
    ("protocol", "known"),
    [
        ("tri", "by http2 once it has left; by grpcio where sent is true, else with the answer"),
        ("dubbo", "once the system has taken its last byte"),
    ],
)
def test_explain_says_when_a_request_is_known_to_be_written(protocol: str, known: str) -> None:
    """Protocols differ in it, and nobody can set it."""
    Path("sent.yml").write_text(f"references: {{foo: {{interface: a.Foo, url: '{protocol}://h:1'}}}}\n")
    shown = run("explain", "sent.yml", "foo", columns="120").stdout
    assert shown.splitlines()[-1] == f"a request is known to be written {known}"


def test_explain_folds_a_long_value_alone() -> None:
    """The other rows keep the line beside the value."""
    Path("c.yml").write_text(f"references: {{foo: {{interface: a.{'b' * 80}, url: 'tri://h:1'}}}}\n")
    rows = [line.split("│")[1:-1] for line in run("explain", "c.yml", "foo", columns="80").stdout.splitlines()]
    assert ["url", "tri://h:1", "c.yml:1"] in [[cell.strip() for cell in row] for row in rows]


def test_explain_can_show_what_is_set_alone() -> None:
    """Built-in values are left out, and what the protocol does not honour."""
    shown = json.loads(run("explain", "c.yml", "foo", "findFoo", "--set", "--json").stdout)["settings"]
    everything = json.loads(run("explain", "c.yml", "foo", "findFoo", "--json").stdout)["settings"]
    assert shown == {key: one for key, one in everything.items() if one["origin"] not in ("", "built-in")}
    assert "interface" in shown
    assert "cluster" not in shown


def test_explain_shows_what_the_protocol_does_not_honour() -> None:
    """Such a setting has no value, whatever the consumer says for all, and names the protocol that honours it."""
    Path("both.yml").write_text(
        "consumer: {heartbeat: 5s}\n"
        "references:\n"
        "  foo: {interface: a.Foo, url: 'tri://127.0.0.1:50051', keepalive: 1s}\n"
        "  bar: {interface: a.Bar, url: 'dubbo://127.0.0.1:20880'}\n"
    )
    shown = {name: json.loads(run("explain", "both.yml", name, "--json").stdout)["settings"] for name in ("foo", "bar")}
    assert shown["foo"]["heartbeat"] == {"value": None, "unit": "", "origin": "", "only": "dubbo"}
    assert shown["bar"]["heartbeat"] == {"value": 5000, "unit": "ms", "origin": "both.yml:1", "only": "dubbo"}
    assert shown["foo"]["keepalive"] == {"value": 1000, "unit": "ms", "origin": "both.yml:3", "only": "tri"}
    rows = [line.split("│")[1:-1] for line in run("explain", "both.yml", "foo").stdout.splitlines()]
    assert ["heartbeat", "-", "only dubbo"] in [[cell.strip() for cell in row] for row in rows]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_explain_masks_secrets(form: list[str]) -> None:
    """Neither a token among the parameters nor a password in an address is printed."""
    result = run("explain", "c.yml", "foo", *form)
    assert "hunter2" not in result.stdout
    assert "tri://***@127.0.0.1:50051" in result.stdout


def test_explain_of_an_undeclared_method_shows_the_references_default_and_says_so() -> None:
    """A method that the YAML does not name has the settings of its reference; a near name is offered."""
    result = run("explain", "c.yml", "foo", "findFo")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == (
        'c.yml does not name findFo: these are the settings of foo (did you mean "findFoo"?)'
    )


def test_explain_as_json_is_for_scripts() -> None:
    """JSON keeps the types of the values, and says whether the method is declared."""
    declared = json.loads(run("explain", "c.yml", "foo", "findFoo", "--json").stdout)
    default = json.loads(run("explain", "c.yml", "foo", "other", "--json").stdout)
    assert (declared["declared"], default["declared"]) == (True, False)
    assert declared["settings"]["async"] == {"value": True, "unit": "", "origin": "c.yml:9"}
    assert default["settings"]["timeout"] == {"value": 2000, "unit": "ms", "origin": "c.yml:2"}


def test_explain_of_an_unknown_reference_names_the_nearest() -> None:
    """Status 2 and the name that was probably meant."""
    result = run("explain", "c.yml", "fooo")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == 'c.yml: references: no reference "fooo" (did you mean "foo"?)\n'


def test_schema_prints_json() -> None:
    """The schema is a JSON document on stdout."""
    schema = json.loads(run("schema").stdout)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


RULED = """\
registries: {main: {address: "file:providers.yml"}}
references:
  foo: {interface: a.Foo, registry: main, methods: {findFoo: {retries: 1}}}
"""
LISTED = """\
a.Foo:
  - tri://h1:1?weight=7
  - tri://h2:2?dubbo.tag=gray
rules:
  a.Foo::.condition-router:
    force: true
    conditions: ["method=findFoo => port=2", "method=touch => "]
  a.Foo::.configurators:
    configs: [{side: consumer, parameters: {timeout: 3000, findFoo.retries: 4}}]
"""


@pytest.fixture
def ruled() -> None:
    Path("ruled.yml").write_text(RULED)
    Path("providers.yml").write_text(LISTED)


@pytest.mark.usefixtures("ruled")
def test_explain_live_shows_the_rule_that_set_a_value() -> None:
    """And without it what the file says alone."""
    shown = run("explain", "ruled.yml", "foo", "findFoo", "--set", "--live").stdout
    assert re.search(r"timeout +│ 3000 ms +│ a.Foo::.configurators:1 ", shown)
    assert re.search(r"retries +│ 4 +│ a.Foo::.configurators:1 ", shown)
    other = json.loads(run("explain", "ruled.yml", "foo", "--live", "--json").stdout)["settings"]
    assert (other["timeout"]["value"], other["retries"]["value"]) == (3000, 2)
    assert "configurators" not in run("explain", "ruled.yml", "foo", "findFoo", "--set").stdout


@pytest.mark.usefixtures("ruled")
def test_providers_shows_who_is_kept_away_by_which_rule() -> None:
    """For a call of the method, with its attachments."""
    shown = run("providers", "ruled.yml", "foo", "findFoo", "--attachment", "dubbo.tag=gray").stdout
    assert re.search(r"tri://h1:1 +│ 7 +│ ok +│ 0 +│ tags of providers ", shown)
    assert re.search(r"tri://h2:2 +│ 100 +│ ok +│ 0 +│ - ", shown)
    result = run("providers", "ruled.yml", "foo", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "reference": "foo",
        "reason": f"{Path.cwd()}/providers.yml: 2 providers of a.Foo",
        "problems": [],
        "providers": [
            {"provider": "tri://h1:1", "weight": 7, "health": "ok", "running": 0, "dropped_by": ""},
            {
                "provider": "tri://h2:2",
                "weight": 100,
                "health": "ok",
                "running": 0,
                "dropped_by": "tags of providers",
            },
        ],
    }


@pytest.mark.usefixtures("ruled")
def test_providers_fails_where_calls_have_nowhere_to_go() -> None:
    """By a rule, or since nobody is there."""
    result = run("providers", "ruled.yml", "foo", "touch")
    assert result.exit_code == 1
    assert "condition method=touch => (a.Foo::.condition-router)" in result.stdout
    Path("providers.yml").write_text("[]")
    assert run("providers", "ruled.yml", "foo").exit_code == 1


@pytest.mark.usefixtures("ruled")
def test_providers_tells_of_rules_that_are_not_obeyed(caplog: pytest.LogCaptureFixture) -> None:
    """Once, by the log, with the rule and the line; JSON has it, too."""
    Path("providers.yml").write_text(
        "a.Foo: ['tri://h1:1']\nrules: {a.Foo::.condition-router: {conditions: ['=> a=']}}"
    )
    result = run("providers", "ruled.yml", "foo", "--json")
    problem = 'a.Foo::.condition-router:1: conditions[0]: "a=" ends with "="'
    assert (result.exit_code, result.stderr, json.loads(result.stdout)["problems"]) == (0, "", [problem])
    rule = "registry main: rule a.Foo::.condition-router"
    assert caplog.messages == [f"{rule}: it cannot be understood, so none is obeyed: {problem}"]


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (("ruled.yml", "fo"), 2, 'there is no reference "fo" (did you mean "foo"?)'),
        (("ruled.yml", "foo", "--attachment", "x"), 2, '"x" is not of the form KEY=VALUE'),
        (("gone.yml", "foo"), 2, "gone.yml: the file does not exist"),
    ],
)
@pytest.mark.usefixtures("ruled")
def test_providers_says_what_is_wrong_with_what_it_is_given(args: tuple[str, ...], status: int, said: str) -> None:
    """As the other commands do."""
    result = run("providers", *args)
    assert result.exit_code == status
    assert said in result.stderr


@pytest.mark.usefixtures("ruled")
def test_providers_says_that_a_registry_cannot_be_read() -> None:
    """With status 1, for the configuration is all right."""
    Path("providers.yml").unlink()
    result = run("providers", "ruled.yml", "foo")
    assert result.exit_code == 1
    assert "providers.yml:thefiledoesnotexist" in "".join(result.stdout.split())  # which a long folder breaks anywhere
