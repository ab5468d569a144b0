"""What a developer runs before a commit: ``nox`` for everything, ``nox -s lint`` for one part."""

from __future__ import annotations

import configparser
import pathlib
import shutil

import nox

ROOT = pathlib.Path(__file__).parent
nox.options.error_on_missing_interpreters = False
nox.options.reuse_existing_virtualenvs = True


def supported() -> list[str]:
    """Read the supported versions of Python from the classifiers in setup.cfg."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    prefix = "Programming Language :: Python :: 3."
    lines = setup["metadata"]["classifiers"].splitlines()
    return [f"3.{line.removeprefix(prefix)}" for line in lines if line.startswith(prefix)]


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install("ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def typing(session: nox.Session) -> None:
    """Check types; mypy sees the package through links, since it cannot see package_dir."""
    session.install("--editable", ".[test]")
    links = ROOT / ".types" / "callahead"
    links.mkdir(parents=True, exist_ok=True)
    for part in ("config", "registry", "consumer", "conf", "package/__init__.py", "package/__main__.py"):
        link = links / pathlib.Path(part).name
        if not link.is_symlink():
            link.symlink_to(pathlib.Path("../..") / part)
    modules = ("-m", "callahead", "-m", "callahead.__main__")
    session.run("mypy", *modules, "-p", "callahead.config", "-p", "callahead.registry", "-p", "callahead.consumer")


@nox.session(python=supported())
def tests(session: nox.Session) -> None:
    """Run the tests from the checkout, without what is long."""
    session.install("--editable", ".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def full(session: nox.Session) -> None:
    """Run all tests and what is long, too: Java providers, which need a JDK and Maven; benchmarks; the manual.

    The experiments of the ledger are judged by the clock, and so have the machine for themselves.
    """
    session.install("--editable", ".[full]")
    parts = [session.posargs] if session.posargs else [["--ignore=tests/ledger"], ["-n", "0", "tests/ledger"]]
    for part in parts:
        session.run("python", "-m", "pytest", "--full", *part)


@nox.session(default=False)
def estate(session: nox.Session) -> None:
    """Run the tests of whole estates, in which providers and registries die, freeze and come back, and tell of it.

    Each Java provider is restarted five times; "-- --rounds 1" is the short form, as CI runs it.
    """
    session.install("--editable", ".[full]")
    long = ("--rounds", "5", "-n", "0", "-rP", "--override-ini", "faulthandler_timeout=600")
    session.run("python", "-m", "pytest", "--full", *long, "tests/estate", *session.posargs)


@nox.session(default=False)
def ledger(session: nox.Session) -> None:
    """Make every fault of tests/ledger for a minute over each transport; "-- 4 8 --over tri" for some of it."""
    _run_of_the_ledger(session, "ledger.run", "--long")


@nox.session(default=False)
def soak(session: nox.Session) -> None:
    """Make faults at random for eight hours; "-- --minutes 10 --seed 7" for another time and the same chance."""
    _run_of_the_ledger(session, "ledger.soak")


def _run_of_the_ledger(session: nox.Session, module: str, *arguments: str) -> None:
    session.install("--editable", ".[test]")
    session.run("python", "-m", module, *arguments, *session.posargs, env={"PYTHONPATH": str(ROOT / "tests")})


@nox.session
def wheel(session: nox.Session) -> None:
    """Run the quick tests on the built wheel, in a folder where the sources are not.

    The wheel is built from the source distribution, and the tests are those that are in it: both are whole, or this
    fails. What looks at the sources is left to the session ``sdist``.
    """
    unpacked = _unpacked_sdist(session)
    built = unpacked.parent
    session.run("python", "-m", "build", "--wheel", "--outdir", str(built), str(unpacked))
    (found,) = built.glob("*.whl")
    session.install(f"callahead[test] @ {found.resolve().as_uri()}", "--force-reinstall", "--no-deps")
    session.install(f"callahead[test] @ {found.resolve().as_uri()}")
    elsewhere = built.parent / "elsewhere"
    shutil.rmtree(elsewhere, ignore_errors=True)
    elsewhere.mkdir()
    for part in ("tests", "conf", "benchmarks"):
        shutil.copytree(unpacked / part, elsewhere / part)
    for part in ("setup.cfg", "README.rst"):
        shutil.copy(unpacked / part, elsewhere)
    session.chdir(elsewhere)
    kept = ("--override-ini", f"cache_dir={built.parent / 'cache'}")  # for "-- --last-failed"
    quick = ("-m", "not source and not slow", "--ignore=tests/interop")
    session.run("python", "-m", "pytest", *kept, *quick, *session.posargs)


@nox.session
def sdist(session: nox.Session) -> None:
    """Run the quick unit tests of the source distribution where it was unpacked, as whoever downloads it would.

    "-- -m source" runs only those that look at the sources, which the session ``wheel`` cannot; it runs the others.
    """
    session.chdir(_unpacked_sdist(session))
    session.install("--editable", ".[test]")
    session.run("python", "-m", "pytest", "-m", "not slow", "tests/unit", *session.posargs)


def _unpacked_sdist(session: nox.Session) -> pathlib.Path:
    """Build the source distribution into an empty folder, and give that in which it was unpacked there."""
    session.install("build")
    built = pathlib.Path(session.create_tmp()).resolve() / "dist"
    shutil.rmtree(built, ignore_errors=True)
    session.run("python", "-m", "build", "--sdist", "--outdir", str(built), str(ROOT))
    (found,) = built.glob("*.tar.gz")
    shutil.unpack_archive(found, built, filter="data")
    return built / found.name.removesuffix(".tar.gz")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the manual; a warning is an error."""
    session.install("--editable", ".[docs]")
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")
