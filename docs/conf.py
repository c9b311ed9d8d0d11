"""Configuration of the site that `make docs` builds from docs/."""

from __future__ import annotations

import muscle_mem

project = "muscle_mem"
copyright = "the muscle_mem authors"
version = release = muscle_mem.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click", "sphinx_copybutton"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
default_role = "code"  # Docstrings are written with single backticks.
nitpicky = False
smartquotes = False  # It would change the -- and the quotes of commands, which then cannot be copied.

autodoc_default_options = {"members": True, "member-order": "bysource", "show-inheritance": True}
autodoc_typehints = "signature"
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # Otherwise attributes are described a second time as members.
napoleon_use_param = False  # Otherwise names that share a description are listed one by one.
napoleon_use_rtype = False
autodoc_class_signature = "separated"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 90
python_use_unqualified_type_names = True
add_module_names = False

html_theme = "furo"
html_title = f"muscle_mem {release}"
html_show_sourcelink = False
html_show_sphinx = False
html_favicon = "images/favicon.svg"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#1f5fbf", "color-brand-content": "#1f5fbf"},
    "dark_css_variables": {"color-brand-primary": "#7fb0ff", "color-brand-content": "#7fb0ff"},
}
copybutton_prompt_text = r"\$ "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True
