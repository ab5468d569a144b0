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
    """Run all tests and what is long, too: Java providers, which need a JDK and Maven; benchmarks; the manual."""
    session.install("--editable", ".[full]")
    session.run("python", "-m", "pytest", "--full", *session.posargs)


@nox.session(default=False)
def estate(session: nox.Session) -> None:
    """Run the tests of whole estates, in which providers and registries die, freeze and come back, and tell of it.

    Each Java provider is restarted five times; "-- --rounds 1" is the short form, as CI runs it.
    """
    session.install("--editable", ".[full]")
    long = ("--rounds", "5", "-rP", "--override-ini", "faulthandler_timeout=600")
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
    """Run the quick tests on the built wheel, in a folder where the sources are not."""
    session.install("build")
    built = pathlib.Path(session.create_tmp()) / "dist"
    shutil.rmtree(built, ignore_errors=True)
    session.run("python", "-m", "build", "--wheel", "--outdir", str(built), str(ROOT))
    (found,) = built.glob("*.whl")
    session.install(f"callahead[test] @ {found.resolve().as_uri()}", "--force-reinstall", "--no-deps")
    session.install(f"callahead[test] @ {found.resolve().as_uri()}")
    elsewhere = built.parent / "elsewhere"
    shutil.rmtree(elsewhere, ignore_errors=True)
    elsewhere.mkdir()
    for part in ("tests", "conf", "benchmarks"):
        shutil.copytree(
            ROOT / part, elsewhere / part, ignore=shutil.ignore_patterns("__pycache__", "target", "*.py[co]")
        )
    for part in ("setup.cfg", "README.rst"):
        shutil.copy(ROOT / part, elsewhere)
    session.chdir(elsewhere)
    session.run("python", "-m", "pytest", "-m", "not source and not slow", "--ignore=tests/interop", *session.posargs)


@nox.session
def sdist(session: nox.Session) -> None:
    """Run the quick unit tests of the source distribution where it was unpacked, as whoever downloads it would."""
    session.install("build")
    built = pathlib.Path(session.create_tmp()) / "sdist"
    shutil.rmtree(built, ignore_errors=True)
    session.run("python", "-m", "build", "--sdist", "--outdir", str(built), str(ROOT))
    (found,) = built.glob("*.tar.gz")
    shutil.unpack_archive(found, built, filter="data")
    session.chdir(built / found.name.removesuffix(".tar.gz"))
    session.install("--editable", ".[test]")
    session.run("python", "-m", "pytest", "-m", "not slow", "tests/unit", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the manual; a warning is an error."""
    session.install("--editable", ".[docs]")
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")
