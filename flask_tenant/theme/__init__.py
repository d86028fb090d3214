"""How it looks: themes per tenant, as checked design tokens.

tokens.py     what a theme may say, and of what kind
colours.py    colours and their contrast
scheme.py     which colours meet, in the light and the dark mode
reading.py    from what was written to typed tokens
yaml_files.py theme files, with positions
svg.py        whether a logo is only a drawing
assets.py     logos and fonts
composing.py  default, plan, tenant, rule: one theme of several layers
sheet.py      a theme as CSS
store.py      where themes come from
serve.py      stylesheets, logos and fonts over HTTP
look.py       what templates call ``theme``
templates.py  templates in place of the application's own
babel.py      language and time zone for Flask-Babel
theming.py    all of it for one application
"""

from __future__ import annotations

from .composing import Theme
from .theming import Theming

__all__ = ["Theme", "Theming"]
