"""How the pages of docs/ are built into a site: `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path

import muscle_mem

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "muscle_mem"
copyright = "the muscle_mem authors"
version = release = muscle_mem.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click", "docstrings"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "_ext"]
default_role = "code"  # docstrings are written with single backticks
nitpicky = False
smartquotes = False  # it would turn the -- of options and the quotes of commands into what no shell understands

autodoc_default_options = {"members": True, "member-order": "bysource", "show-inheritance": True}
autodoc_typehints = "signature"
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True  # Attributes as a list, because autodoc describes some of them again.
autodoc_class_signature = "separated"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 90
python_use_unqualified_type_names = True
add_module_names = False

html_theme = "furo"
html_title = f"muscle_mem {release}"
html_show_sourcelink = False
html_show_sphinx = False
