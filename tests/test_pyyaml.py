"""Foreign files by PyYAML's rules, held against PyYAML itself; and the bounds that keep any file within a second."""

from __future__ import annotations

import time
import tracemalloc

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from etude import InputError
from etude.dialects import pyyaml

plain = st.one_of(
    st.sampled_from(
        [
            "5e-5",
            "5.0e-5",
            "1.0e5",
            "1e5",
            ".5",
            "5.",
            "1_000",
            "0x1F",
            "010",
            "0o10",
            "0b11",
            "1:30",
            "190:20:30.15",
            "yes",
            "No",
            "ON",
            "~",
        ]
    ),
    st.sampled_from([".inf", "-.INF", ".NaN", "+1", "-0.0", "1.5e+3", "0x", "a b", "'5'", '"on"', "08", "1e400", ""]),
    st.from_regex(r"[-+]?[0-9_]{1,6}(\.[0-9_]{0,4})?([eE][-+]?[0-9]{1,2})?", fullmatch=True),
)


@given(st.lists(plain, min_size=1, max_size=8))
def test_scalars_are_what_pyyaml_takes_them_for(words):
    text = "".join(f"k{index}: {word}\n" for index, word in enumerate(words))
    try:
        theirs = yaml.safe_load(text)
    except ValueError:
        return  # PyYAML itself trips over 0o9 and the like
    assert repr(pyyaml.load(text, "a.yaml")) == repr(theirs)


def test_collections_anchors_and_merges_are_pyyamls():
    text = """
base: &base {lr: 0.1, steps: [1, 2.5, on], 3: three}
more: {<<: *base, lr: 0.2}
many: {<<: [{a: 1}, {a: 2, b: 3}], b: 4}
again: *base
text: |
  two
  lines
"""
    assert pyyaml.load(text.replace("3: three", "x: y"), "a.yaml") == yaml.safe_load(text.replace("3: three", "x: y"))
    assert pyyaml.load("3: three\non: off\n", "a.yaml") == {"3": "three", "on": False}  # keys stay as they are written


def test_a_text_alone_is_a_value():
    assert [pyyaml.scalar(text) for text in ("5", "0.1", "true", "a", "[1, 2]", "", "5e-5")] == [
        5,
        0.1,
        True,
        "a",
        [1, 2],
        None,
        "5e-5",
    ]


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (BOMB, "it holds more than 10000 values"),
        ("a: &x [*x]", "f.yaml:1:8: the alias \\*x names nothing before it"),
        ("a: *x", "the alias \\*x names nothing before it"),
        ("a: !!python/object/apply:os.system [ls]", "the tag tag:yaml.org,2002:python/object/apply:os.system can't be read"),
        ("a: !include b.yaml", "the tag !include can't be read: only plain values are"),
        ("a: " + "[" * 100_000, "longer than 65536 characters"),
        ("a: " + "[" * 1000, "nested deeper than 20|maximum nesting depth"),
        ("- " * 1000 + "a", "nested deeper than 20|maximum nesting depth"),
        ("? " * 1000 + "a", "nested deeper than 20|maximum nesting depth"),
        ("a:\n" + "".join(" " * depth + "b:\n" for depth in range(1, 200)), "nested deeper than 20"),
        ("a: " + "9" * 5000, "a number of 5000 characters is none that a recipe holds"),
        ("a: 0x" + "f" * 5000, "a number of 5002 characters"),
        ("a: '" + "x" * 10_000_000 + "'", "longer than 65536 characters"),
        ("a: b\n" * 14_000, "longer than 65536"),
        ("a,\n" * 10_001 + "a: 1", "malformed YAML|more than 10000 values"),
        ("[" + "1," * 20_000 + "]", "more than 10000 values"),
        ("a: [1, 2", "f.yaml:2:1: malformed YAML: "),
        ("a: 1\n b: 2", "f.yaml:2:3: malformed YAML: mapping values are not allowed"),
        ("a: \x00", "malformed YAML: unacceptable character"),
        ("a: \ud800", "malformed YAML"),
        ("a: 1\n---\nb: 2", "it holds more than one YAML document"),
        ("- 1", "it must be a mapping of keys to values"),
        ("", "it must be a mapping of keys to values"),
        ("{[1]: 2}", "a key must be a text, got"),
        ("<<: 3", "<< merges mappings, got '3'"),
    ],
)
def test_files_beyond_the_bounds_are_refused_at_once(text, problem):
    tracemalloc.start()
    begun = time.perf_counter()
    with pytest.raises(InputError, match=problem) as caught:
        pyyaml.load(text, "f.yaml")
    spent, peak = time.perf_counter() - begun, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
    assert spent < 1
    assert peak < 200e6


def test_aliases_count_for_what_they_repeat():
    row = f"[{','.join(['1'] * 99)}]"
    assert len(pyyaml.load(f"a: &a {row}\n" + "".join(f"k{i}: *a\n" for i in range(90)), "f")) == 91
    with pytest.raises(InputError, match="more than 10000 values"):
        pyyaml.load(f"a: &a {row}\n" + "".join(f"k{i}: *a\n" for i in range(101)), "f")


def test_the_parser_in_python_reads_the_same(monkeypatch):
    text = "a: {b: [1, 5e-5, on], <<: {c: 2.0e-3}}\n"
    fast = pyyaml.load(text, "f")
    monkeypatch.setattr(pyyaml, "_yaml", lambda: (yaml, yaml.SafeLoader))
    assert pyyaml.load(text, "f") == fast == yaml.safe_load(text)
