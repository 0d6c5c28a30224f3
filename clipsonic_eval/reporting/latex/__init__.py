"""Tables in LaTeX that compile as they are: escaped text, numbers aligned by their points, floats that fit the page."""

from __future__ import annotations
