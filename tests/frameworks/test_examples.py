"""docs/frameworks.md: each example runs where its library is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "frameworks.md").read_text()
TITLES = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
EXAMPLES = dict(zip(TITLES, re.findall(r"^```py\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL), strict=True))
LIBRARIES = {"Lightning": ["lightning.pytorch"], "HF Trainer": ["transformers", "accelerate"], "Accelerate": ["accelerate"]}

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning"),  # Lightning's own use of torch
    pytest.mark.filterwarnings("ignore:.*does not have many workers:UserWarning"),  # advice on speed
]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example(name, tmp_path, monkeypatch):
    for library in LIBRARIES[name]:
        pytest.importorskip(library)
    monkeypatch.chdir(tmp_path)
    exec(EXAMPLES[name], {"__name__": "example"})
