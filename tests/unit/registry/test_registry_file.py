"""The watched file: bad edits, disappearance, replacement; every wait is for an event."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.shortage import no_threads

from callahead.config import load_file
from callahead.config.errors import ConfigError
from callahead.config.policy import RegistryPolicy
from callahead.registry import (
    FileRegistry,
    RecordingListener,
    RegistryError,
    RegistryUnavailable,
    ServiceKey,
    Snapshot,
)

KEY = ServiceKey("a.B")
GOOD = "- tri://h:1/a.B\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "providers.yml"
    file.write_text(GOOD)
    return file


@pytest.fixture
def registry(path: Path) -> Iterator[FileRegistry]:
    one = opened(path)
    yield one
    one.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "callahead-registry-main"]


def opened(path: Path, interval: str = "10") -> FileRegistry:
    return FileRegistry(RegistryPolicy(id="main", address=path.as_uri(), parameters={"interval": interval}))


@pytest.fixture
def heard(registry: FileRegistry) -> RecordingListener:
    listener = RecordingListener()
    registry.subscribe(KEY, listener)
    return listener


def test_no_thread_is_left_to_watch_the_file(registry: FileRegistry, path: Path) -> None:
    """Whoever subscribes hears it; the next one begins anew, and hears of changes."""
    listener = RecordingListener()
    with no_threads(), pytest.raises(RegistryUnavailable, match="cannot be watched: can't start new thread"):
        registry.subscribe(KEY, listener)
    registry.subscribe(KEY, listener)
    replace(path, "[]")
    listener.wait_for()


def replace(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    os.replace(new, path)


def is_not_renewed(snapshot: Snapshot) -> bool:
    return "; not renewed: " in snapshot.reason


def test_nothing_is_read_and_no_thread_runs_before_the_first_subscription(path: Path) -> None:
    """Making the registry does no input or output."""
    path.unlink()
    before = threading.active_count()
    opened(path).close()
    assert threading.active_count() == before


@pytest.mark.parametrize("write", [Path.write_text, replace], ids=["in place", "by rename"])
def test_a_new_list_is_told(path: Path, heard: RecordingListener, write: object) -> None:
    """Written in place or replaced by rename, the list is read again."""
    assert callable(write)
    write(path, "- tri://h:2/a.B\n- tri://h:3/a.B\n")
    snapshot = heard.wait_for("h:2", "h:3")
    assert snapshot.reason == f"{path}: 2 providers of a.B"


def test_a_list_of_the_same_size_and_age_is_told(path: Path, heard: RecordingListener) -> None:
    """A second change within the file system's clock tick is not missed."""
    for port in range(2, 6):
        before = path.stat()
        path.write_text(f"- tri://h:{port}/a.B\n")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        heard.wait_for(f"h:{port}")


def test_an_edit_of_an_old_file_is_told(path: Path) -> None:
    """A file whose time is trusted is read again once that time changes."""
    os.utime(path, (1_600_000_000, 1_600_000_000))
    registry, heard = opened(path, "1"), RecordingListener()
    registry.subscribe(KEY, heard)
    path.write_text("- tri://h:2/a.B\n")
    heard.wait_for("h:2")
    registry.close()


def test_a_symbolic_link_that_is_turned_is_followed(tmp_path: Path) -> None:
    """The way in which Kubernetes replaces a mounted configuration."""
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "p.yml").write_text(f"- tri://{version}:1/a.B\n")
    (tmp_path / "data").symlink_to("one")
    registry, heard = opened(tmp_path / "data" / "p.yml"), RecordingListener()
    registry.subscribe(KEY, heard)
    (tmp_path / "next").symlink_to("two")
    os.replace(tmp_path / "next", tmp_path / "data")
    heard.wait_for("two:1")
    registry.close()


def test_a_bad_edit_keeps_the_last_good_list_and_says_why(
    path: Path, registry: FileRegistry, heard: RecordingListener, caplog: pytest.LogCaptureFixture
) -> None:
    """The snapshot's reason, the property and one line in the log name file, line and fault."""
    fault = f'{path}:2: "tri:/h": it has no protocol; write it like tri://host:port'
    with caplog.at_level(logging.WARNING, "callahead.registry"):
        path.write_text("- tri://h:2/a.B\n- tri:/h\n")
        snapshot = heard.wait(is_not_renewed)
    assert heard.addresses == ["h:1"]
    assert snapshot.reason == f"{path}: 1 provider of a.B; not renewed: {fault}"
    assert registry.problem == fault
    assert repr(registry) == f"<FileRegistry {path}: {fault}>"
    assert [record.getMessage() for record in caplog.records] == [
        f"registry main: {fault}; a list with a fault is not taken, so the last good one stays: 1 provider"
    ]


@pytest.mark.parametrize("text", ["- tri://h:2/a.B\n", GOOD], ids=["new", "as before"])
def test_a_mended_file_is_read_again(path: Path, registry: FileRegistry, heard: RecordingListener, text: str) -> None:
    """The problem is gone, whether the list is new or the old one."""
    path.write_text("nonsense")
    heard.wait(is_not_renewed)
    path.write_text(text)
    heard.wait(lambda snapshot: not is_not_renewed(snapshot))
    assert registry.problem is None
    assert heard.addresses == ["h:2" if "h:2" in text else "h:1"]


def test_a_vanished_file_keeps_the_list_and_may_come_back(
    path: Path, registry: FileRegistry, heard: RecordingListener
) -> None:
    """Its return with the old content clears the problem too."""
    path.unlink()
    heard.wait(is_not_renewed)
    assert heard.addresses == ["h:1"]
    assert registry.problem == f"{path}: the file does not exist"
    path.write_text(GOOD)
    heard.wait(lambda snapshot: not is_not_renewed(snapshot))
    assert registry.problem is None


def test_a_folder_in_the_file_s_place_keeps_the_list(
    path: Path, registry: FileRegistry, heard: RecordingListener
) -> None:
    """What is no regular file is never opened."""
    path.unlink()
    path.mkdir()
    heard.wait(lambda snapshot: "it is not a regular file" in snapshot.reason)
    assert heard.addresses == ["h:1"]


def test_an_emptied_file_is_a_bad_edit(path: Path, heard: RecordingListener) -> None:
    """A writer that has only truncated the file so far does not switch every provider off."""
    path.write_text("")
    snapshot = heard.wait(is_not_renewed)
    assert snapshot.reason.endswith("providers.yml:1: it is empty; write [] for no providers")
    assert heard.addresses == ["h:1"]


def test_an_explicitly_empty_list_is_announced(path: Path, heard: RecordingListener) -> None:
    """``[]`` means that there is no provider."""
    path.write_text("[]")
    assert heard.wait_for().reason == f"{path}: no provider of a.B"


def test_a_file_that_says_the_same_of_a_service_tells_its_listeners_nothing(
    path: Path, registry: FileRegistry, heard: RecordingListener
) -> None:
    """Other words, or another service's change, are no news."""
    other = RecordingListener()
    registry.subscribe(ServiceKey("a.C"), other)
    path.write_text(f"# as before\n{GOOD}- tri://h:9/a.C\n")
    other.wait_for("h:9")
    assert len(heard.snapshots) == 1


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (Path.unlink, "{}: the file does not exist"),
        (lambda path: path.write_text(""), "{}:1: it is empty; write [] for no providers"),
        (lambda path: path.write_text("[]\n- x"), None),
        (lambda path: (path.unlink(), path.mkdir()), "{}: it is not a regular file"),
        (make_pipe, "{}: it is not a regular file"),
        (lambda path: (path.unlink(), path.symlink_to(path)), None),
    ],
    ids=["missing", "empty", "not YAML", "folder", "pipe", "link to itself"],
)
def test_a_file_that_cannot_be_read_at_the_start_may_be_later(
    path: Path, registry: FileRegistry, caplog: pytest.LogCaptureFixture, spoil: object, message: str | None
) -> None:
    """Nothing is known until then, which one line in the log and the snapshot say, as of any other registry."""
    assert callable(spoil)
    spoil(path)
    heard = RecordingListener()
    registry.subscribe(KEY, heard)
    (snapshot,) = heard.snapshots
    assert (snapshot.endpoints, snapshot.is_known) == ((), False)
    assert snapshot.reason.startswith(str(path) if message is None else message.format(path))
    assert caplog.messages == [f"registry main: {registry.problem}; nothing is known yet, and it is looked at again"]
    if path.is_dir():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    replace(path, GOOD)
    assert heard.wait_for("h:1").is_known


def test_a_missing_file_is_named_with_the_line_that_named_it(tmp_path: Path) -> None:
    """Who has mistyped the name finds it in the configuration, not in the folder."""
    config, heard = tmp_path / "shop.yml", RecordingListener()
    config.write_text("registries:\n  main:\n    address: file:gone.yml\n")
    with closing(FileRegistry(load_file(config).registries["main"])) as registry:
        registry.subscribe(KEY, heard)
    where = f"(registries.main.address, {config}:3)"
    assert heard.snapshots[0].reason == f"{tmp_path / 'gone.yml'}: the file does not exist {where}"


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that nobody can read, as Linux has")
def test_a_file_that_cannot_be_read_is_named_with_the_system_s_reason() -> None:
    """The message of the system is passed on."""
    heard = RecordingListener()
    with closing(FileRegistry(RegistryPolicy(id="main", address="file:///proc/self/mem"))) as registry:
        registry.subscribe(KEY, heard)
    assert heard.snapshots[0].reason == "/proc/self/mem: the file cannot be read: Input/output error"


def test_a_listener_may_close_the_registry(path: Path, registry: FileRegistry) -> None:
    """On the watching thread close returns without waiting for itself, and the thread then ends."""
    closed = threading.Event()

    def listener(snapshot: Snapshot, /) -> None:
        if snapshot.version == 2:
            registry.close()
            closed.set()

    registry.subscribe(KEY, listener)
    path.write_text("[]")
    assert closed.wait(10)


def test_a_closed_registry_refuses_subscriptions(registry: FileRegistry) -> None:
    """Closed before its first subscription it starts no thread."""
    registry.close()
    with pytest.raises(RegistryError, match=r"^registry main is closed$"):
        registry.subscribe(KEY, RecordingListener())


@pytest.mark.parametrize("form", ["file://{}", "file:{}", "FILE://{}", "file://{}?interval=10"])
def test_every_form_of_the_address_is_understood(path: Path, form: str) -> None:
    """With two slashes or none, and with settings in its query."""
    registry, heard = FileRegistry(RegistryPolicy(id="main", address=form.format(path))), RecordingListener()
    registry.subscribe(KEY, heard)
    registry.close()
    assert heard.addresses == ["h:1"]


def test_a_path_is_percent_decoded(tmp_path: Path) -> None:
    """As the configuration layer and ``Path.as_uri`` write it."""
    path = tmp_path / "my providers é #1?.yml"
    path.write_text(GOOD)
    registry, heard = opened(path), RecordingListener()
    registry.subscribe(KEY, heard)
    registry.close()
    assert heard.addresses == ["h:1"]


@pytest.mark.parametrize(
    ("address", "parameters", "place", "message"),
    [
        ("file://", {}, "3: registries.main.address", '"file://" names no file (write it like file:providers.yml)'),
        (
            "file:p.yml",
            {"intervall": "1"},
            "5: registries.main.parameters.intervall",
            'a file registry has no setting "intervall" (did you mean "interval"?)',
        ),
        (
            "file:p.yml?interval=0",
            {},
            "3: registries.main.address",
            "interval must be from 1 to 2147483647 ms, not 0 ms",
        ),
        (
            "file:p.yml",
            {"interval": "often"},
            "4: registries.main.parameters.interval",
            'must be a duration such as 500, "50ms", "1.5s" or "2m", not "often"',
        ),
    ],
)
def test_a_wrong_setting_is_a_config_error(address: str, parameters: dict[str, str], place: str, message: str) -> None:
    """Found when the registry is made, and named with its line."""
    origins = {"address": "conf/x.yml:3", "interval": "conf/x.yml:4", "intervall": "conf/x.yml:5"}
    policy = RegistryPolicy(id="main", address=address, parameters=parameters, origins=origins)
    with pytest.raises(ConfigError) as caught:
        FileRegistry(policy)
    assert str(caught.value) == f"conf/x.yml:{place}: {message}"


def test_a_text_may_be_watched_before_there_is_a_good_list(tmp_path: Path) -> None:
    """It is told once there is; who wants providers is told at once what is wrong."""
    path = tmp_path / "providers.yml"
    registry = FileRegistry(RegistryPolicy(id="file", address=f"{path.as_uri()}?interval=10"))
    told: list[str | None] = []
    heard = threading.Event()

    def listener(text: str | None, /) -> None:
        told.append(text)
        if text is not None:
            heard.set()

    registry.watch("dubbo", "a.tag-router", listener)
    providers = RecordingListener()
    registry.subscribe(ServiceKey("a.B"), providers)
    path.write_text("a.B: ['tri://h:1']\nrules: {a.tag-router: 'x: 1'}")
    assert heard.wait(20)
    assert told == [None, "x: 1"]
    providers.wait_for("h:1")
    registry.close()
