"""How Sphinx builds the manual: ``sphinx-build -W -b html docs docs/_build/html``."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from settings_table import expand

project = "callahead"
copyright = "the callahead developers, Apache-2.0"
author = "the callahead developers"
version = release = version_of("callahead")

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
default_role = "py:obj"
highlight_language = "text"

html_theme = "alabaster"
html_theme_options = {"page_width": "72em", "description": "Call ahead; pick the answer up when you need it."}

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
# The docstrings speak of names that are not public, such as `Stage`; they are shown as code and link nowhere.
nitpicky = False


def _expand_tables(_app: object, _page: str, source: list[str]) -> None:
    source[0] = expand(source[0])


def setup(app: object) -> None:
    """Let the pages ask for the tables of the settings."""
    app.connect("source-read", _expand_tables)  # type: ignore[attr-defined]
