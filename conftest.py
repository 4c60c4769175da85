"""Examples are tests: those of docstrings, of the README and of docs/."""

from __future__ import annotations

import os

import hypothesis
from sybil import Sybil
from sybil.document import PythonDocStringDocument
from sybil.parsers.doctest import DocTestParser
from sybil.parsers.markdown import PythonCodeBlockParser

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# The same examples each time: a red build is this change's fault. A long search: HYPOTHESIS_PROFILE=search pytest
hypothesis.settings.register_profile("default", derandomize=True, deadline=None, max_examples=100)
hypothesis.settings.register_profile("search", deadline=None, max_examples=5_000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def _constructors(namespace: dict[str, object]) -> None:
    """A docstring of a schedule may name every other."""
    from etude.text import families

    namespace.update(families)


pytest_collect_file = (
    Sybil(
        [DocTestParser()],
        path="src",
        patterns=["**/*.py"],
        document_types={".py": PythonDocStringDocument},
        setup=_constructors,
    )
    + Sybil([PythonCodeBlockParser(), DocTestParser()], patterns=["README.md", "docs/*.md"])
).pytest()
