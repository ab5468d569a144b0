"""How Sphinx builds the manual: ``sphinx-build -W -b html docs docs/_build/html``."""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import plots
import settings_table
from sphinx.application import Sphinx

project = "callahead"
copyright = "the callahead developers, Apache-2.0"
author = "the callahead developers"
version = release = version_of("callahead")

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build"]
default_role = "py:obj"
highlight_language = "text"

html_theme = "furo"
html_title = f"callahead {version}"
html_static_path = ["_static"]
html_css_files = ["callahead.css"]
html_copy_source = False
html_show_sourcelink = False
# Long signatures have a line for each parameter, and the contents of a page are short.
maximum_signature_line_length = 72
add_module_names = False
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"
copybutton_exclude = ".linenos, .gp, .go"

smartquotes = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
# The docstrings speak of names that are not public, such as `Stage`; they are shown as code and link nowhere.
nitpicky = False


def _expand(_app: object, _page: str, source: list[str]) -> None:
    source[0] = plots.expand(settings_table.expand(source[0]))


def _keep_sentence(_app: object, what: str, _name: str, _of: object, _options: object, lines: list[str]) -> None:
    """Let napoleon not take what stands before a colon in the first line of a property for its type."""
    if what == "property":
        lines.insert(0, "")


def setup(app: Sphinx) -> None:
    """Let the pages ask for the tables of the settings, and for plots of their listings."""
    app.connect("source-read", _expand)
    app.connect("autodoc-process-docstring", _keep_sentence, priority=400)  # before napoleon's 500
