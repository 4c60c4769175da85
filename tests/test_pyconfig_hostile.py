"""Python configs of strangers: whatever they hold, one line says no, soon and within little memory, and nothing of them runs."""

from __future__ import annotations

import os
import random
import sys
import time
import tracemalloc
from contextlib import suppress

import pytest

from etude import InputError
from etude.dialects.pyconfig import resolve
from tests import fuzz_configs

PATIENCE = 3.0  # seconds, on a machine that is busy; one in ten is the rule
ROOM = 150 * 2**20  # bytes
UNWANTED = {"a", "b", "main", "subprocess", "pickle", "torch", "mmengine", "mmcv"}

# What is refused because it would never end, or fill the memory.
BOMBS = {
    "text times": ("x = 'a' * 10**9", "1500000 characters"),
    "list times": ("x = [0] * 10**9", "1500000 characters"),
    "tuple times": ("x = 10**9 * (0,)", "1500000 characters"),
    "list times itself": ("x = [0]\nwhile 1:\n    x *= 2", "1500000 characters"),
    "tower of powers": ("x = 10**10**10", "4096 bits"),
    "shift": ("x = 1 << 10**9", "4096 bits"),
    "squares": ("x = 3\nwhile True:\n    x *= x", "4096 bits"),
    "hexadecimal literal": ("x = 0x" + "f" * 90_000, "4096 bits"),
    "decimal literal": ("x = " + "9" * 90_000, "4300 digits"),
    "digits of a text": ("x = int('9' * 10**5)", "4300 digits"),
    "digits of base 16": ("x = int('f' * 10**5, 16)", "4096 bits"),
    "round": ("x = round(1, -10**9)", "a round to -1000000000 digits"),
    "width by %": ("x = '%1000000000d' % 1", "a width of more than 1000"),
    "width by star": ("x = '%*d' % (10**9, 1)", "a text's % with"),
    "width by f-string": ("x = f'{1:1000000000}'", "a width of more than 1000"),
    "width by nested f-string": ("n = 10**9\nx = f'{1:{n}}'", "a width of more than 1000"),
    "width by format": ("x = '{:1000000000}'.format(1)", "a width of more than 1000"),
    "width by nested format": ("x = '{:{}}'.format(1, 10**9)", "a format within"),
    "precision": ("x = f'{1.5:.1000000000f}'", "a width of more than 1000"),
    "zfill": ("x = ''.zfill(10**9)", "a width of more than 1000"),
    "replace": ("x = 'x'\nwhile 1:\n    x = x.replace('', 'y' * 10**5)", "1500000 characters"),
    "join": ("x = ('y' * 10**5).join(['a'] * 10**5)", "1500000 characters"),
    "format again": ("x = ('{0}' * 10**4).format([0] * 10**4)", "1500000 characters"),
    "% again": ("x = ('%(a)s' * 10**4) % {'a': [0] * 10**4}", "1500000 characters"),
    "text of texts": ("x = f\"{['a' * 10**5] * 10**4}\"", "1500000 characters"),
    "bytes shown": ("x = [b'a' * 10**5] * 10**3", "1500000 characters"),
    "strip": ("x = ('a' * 10**5).strip('b' * 10**5)", "1500000 characters"),
    "doubling text": ("x = 'a'\nwhile 1:\n    x += x", "1500000 characters"),
    "doubling text by f-string": ("x = 'a'\nwhile 1:\n    x = f'{x}{x}'", "1500000 characters"),
    "doubling list": ("x = [1]\nwhile 1:\n    x += x", "1500000 characters"),
    "doubling list by extend": ("x = [1]\nwhile 1:\n    x.extend(x)", "1500000 characters"),
    "doubling list by slice": ("x = [1]\nwhile 1:\n    x[:0] = x", "1500000 characters"),
    "doubling mapping": ("x = {'a': 1}\nwhile 1:\n    x = {**x, **{k + 'a': 1 for k in x}}", "operations|characters"),
    "list in a loop over itself": ("x = [1]\nfor y in x:\n    x.append(y)", "operations|characters"),
    "while": ("while True:\n    pass", "50000 operations"),
    "while with continue": ("while True:\n    continue", "50000 operations"),
    "loops in loops": ("for a in range(1000):\n  for b in range(1000):\n    for c in range(1000):\n      x = a", "50000 operations"),
    "comprehension": ("x = [0 for a in range(1000) for b in range(1000) for c in range(1000)]", "operations|characters"),
    "generator": ("x = sum(1 for a in range(10**12))", "operations|characters"),
    "set of a comprehension": ("x = {(a, b) for a in range(10**6) for b in range(10**6)}", "operations|characters"),
    "list of a range": ("x = list(range(10**12))", "1500000 characters"),
    "sum of a range": ("x = sum(range(10**12))", "1500000 characters"),
    "sorted range": ("x = sorted(range(10**12))", "1500000 characters"),
    "least of a range": ("x = min(range(10**12))", "1500000 characters"),
    "range unpacked": ("x = [*range(10**12)]", "1500000 characters"),
    "range in names": ("a, *b = range(10**12)", "1500000 characters"),
    "range as arguments": ("x = max(*range(10**12))", "1500000 characters"),
    "a half in a range": ("x = 0.5 in range(10**12)", "1500000 characters"),
    "length of a long range": ("x = len(range(10**30))", "OverflowError"),
    "slices of a list": ("x = [0] * 10**5\nwhile 1:\n    y = x[:]", "1500000 characters"),
    "inserts": ("x = [0] * 10**6\nwhile 1:\n    x.insert(0, 1)", "1500000 characters"),
    "deletes": ("x = [0] * 10**6\nfor i in range(10**5):\n    del x[0]", "1500000 characters"),
    "zipped": ("x = list(zip(*[range(10**6)] * 10))", "1500000 characters"),
    "enumerated": ("x = list(enumerate([0] * 10**6))", "1500000 characters"),
    "split": ("x = (',' * 10**6).split(',')", "1500000 characters"),
    "lists held twice, shown": ("x = []\nfor i in range(50):\n    x = [x, x]\ny = str(x)", "1500000 characters"),
    "lists held twice, kept": ("x = []\nfor i in range(50):\n    x = [x, x]", "1500000 characters"),
    "lists held twice, compared": ("x = y = []\nfor i in range(50):\n    x, y = [x, x], [y, y]\nz = x == y", "1500000 characters"),
    "lists held twice, sought": ("x = y = []\nfor i in range(50):\n    x, y = [x, x], [y, y]\nz = x in [y]", "1500000 characters"),
    "lists held twice, sorted": ("x = []\nfor i in range(50):\n    x = [x, x]\nz = sorted([x, [x, x]])", "1500000 characters"),
    "lists held twice, copied": ("import copy\nx = []\nfor i in range(50):\n    x = [x, x]\ny = copy.deepcopy(x)", "1500000 characters"),
    "lists held twice, asserted": ("x = []\nfor i in range(50):\n    x = [x, x]\nassert 0, x", "1500000 characters"),
    "lists held twice, sought by index": ("x = []\nfor i in range(50):\n    x = [x, x]\n[].index(x)", "1500000 characters"),
    "lists held twice, in %": ("x = []\nfor i in range(50):\n    x = [x, x]\ny = '%s' % (x,)", "1500000 characters"),
    "lists held twice, in keywords": ("x = []\nfor i in range(50):\n    x = dict(a=x, b=x)", "1500000 characters"),
    "tuples held twice, hashed": ("x = ()\nfor i in range(50):\n    x = (x, x)\ny = {x: 1}", "1500000 characters"),
    "tuples held twice, in a set": ("x = ()\nfor i in range(50):\n    x = (x, x)\ny = {x}", "1500000 characters"),
    "tuples held twice, looked up": ("x = ()\nfor i in range(50):\n    x = (x, x)\ny = {}[x]", "1500000 characters"),
    "long texts, compared": ("x, y = ['a' * 10**5] * 10**4, ['a' * 10**5] * 10**4\nz = x == y", "1500000 characters"),
    "iterators in each other": ("x = 1\nfor i in range(10**4):\n    x = (x for j in [0])", "operations|characters"),
    "loops in each other": ("x = [1]\nwhile 1:\n    x = enumerate(zip(reversed([x])))", "operations|characters"),
    "a list in itself": ("x = []\nx.append(x)", "100 levels"),
    "a mapping in itself": ("x = {}\nx['x'] = x", "100 levels"),
    "a list in itself, shown": ("x = []\nx.append(x)\ny = str(x)", "100 levels"),
    "lists in each other": ("x = []\nfor i in range(10**4):\n    x = [x]", "100 levels"),
    "colliding numbers": ("x = set(range(0, (2**61 - 1) * 10**5, 2**61 - 1))", "1500000 characters"),
    "colliding keys": ("x = {i * (2**61 - 1): 0 for i in range(10**4)}", "1500000 characters"),
    "colliding tuples": ("a = [-1, -2] * 2**12\nx = set(zip(a, a, a, a))", "1500000 characters"),
    "colliding pairs": ("x = dict(zip(range(0, (2**61 - 1) * 10**4, 2**61 - 1), 'a' * 10**4))", "1500000 characters"),
}  # fmt: skip

# What is no value of values: it would run something, or look where nobody looks.
INTRUDERS = {
    "eval": ("x = eval('1')", "eval, a name of Python's, is not evaluated"),
    "exec": ("exec('1')", "exec, a name of Python's, is not evaluated"),
    "open": ("x = open('/etc/passwd').read()", "open, a name of Python's, is not evaluated"),
    "import by name": ("x = __import__('os').system('true')", "__import__, a name of Python's, is not evaluated"),
    "builtins": ("x = __builtins__", "name '__builtins__' is not defined"),
    "globals": ("x = globals()", "globals, a name of Python's, is not evaluated"),
    "getattr": ("x = getattr('', '__class__')", "getattr, a name of Python's, is not evaluated"),
    "type": ("x = type('X', (), {})", "type, a name of Python's, is not evaluated"),
    "setattr by name": ("import copy\ncopy.deepcopy = 1", "no attribute 'deepcopy' to be set"),
    "class of a text": ("x = ''.__class__.__mro__", "the attribute __class__"),
    "subclasses": ("x = ().__class__.__base__.__subclasses__()", "the attribute __class__|the method __subclasses__"),
    "method by its dunder": ("x = [].__len__()", "the method __len__ of a list"),
    "class in a format": ("x = '{0.__class__}'.format(1)", r"the field \{0.__class__\}"),
    "item in a format": ("x = '{0[a]}'.format({})", r"the field \{0\[a\]\}"),
    "format_map": ("x = '{a.b}'.format_map({})", "the method format_map of a str"),
    "a module's system": ("import os\nx = os.system('true')", "a call of os.system"),
    "a module's modules": ("import os\nx = os.sys.modules['os'].system('true')", "'Opaque' object is not subscriptable"),
    "a module's environment": ("import os\nx = os.environ['HOME']", "'Opaque' object is not subscriptable"),
    "an import's call": ("import subprocess as copy\nx = copy.run('true')", "a call of subprocess.run"),
    "a copy's other name": ("from pickle import loads as deepcopy\nx = deepcopy(b'')", "a call of pickle.loads"),
    "import of all": ("from os import *\nx = 1", "import [*] is for bases"),
    "a module's text": ("import os\nx = str(os)", "os as a text"),
    "function called": ("def f():\n    return 1\nx = f()", "a call of the function f"),
    "lambda called": ("x = (lambda: 1)()", "a call of a lambda"),
    "key function": ("x = sorted([1], key=lambda x: x)", "key= here"),
    "key function of max": ("x = max([1], key=len)", "key= here"),
    "sort by a key": ("x = [1]\nx.sort(key=len)", "a sort by a key"),
    "decorator": ("@print\ndef f():\n    pass", "a decorated function"),
    "class": ("class A:\n    x = 1", "a ClassDef statement"),
    "async": ("async def f():\n    pass", "a AsyncFunctionDef statement"),
    "match": ("match 1:\n    case 1:\n        pass", "a Match statement"),
    "try": ("try:\n    x = 1\nexcept Exception:\n    pass", "a Try statement"),
    "raise": ("raise SystemExit", "a Raise statement"),
    "global": ("global x\nx = 1", "a Global statement"),
    "return": ("return 1", "a Return statement|outside function"),
    "yield": ("x = yield 1", "a Yield expression"),
    "await": ("x = await y", "a Await expression"),
    "break": ("if 1:\n    break", "outside a loop"),
    "matrix product": ("x = 1 @ 2", "the operator MatMult"),
    "another with": ("with open('x') as f:\n    x = 1", "read_base"),
    "attribute set": ("x = {}\nx.a = 1", "no attribute 'a' to be set"),
    "method replaced": ("_base_ = 'b.yml'\n_base_.update = 1", "no attribute 'update' to be set"),
    "iterator kept": ("x = zip([1])", "a zip as a value"),
    "view kept": ("x = {}.items()", "a dict_items as a value"),
    "number as a key": ("_base_ = 'b.yml'\n_base_[3] = 1", "keys are texts, got 3"),
}  # fmt: skip

N = 90_000
DEEP = {
    "parentheses": "x = " + "(" * N,
    "lists": "x = " + "[" * 150 + "]" * 150,
    "minus": "x = " + "-" * N + "1",
    "few minus": "x = " + "-" * 150 + "1",
    "not": "x = " + "not " * (N // 4) + "1",
    "sum": "x = 1" + " + 1" * (N // 4),
    "short sum": "x = 1" + " + 1" * 700,
    "texts": "x = 'a'" + " + 'a'" * (N // 6),
    "power": "x = 1" + "**1" * (N // 3),
    "attributes": "x = a" + ".a" * (N // 2),
    "subscripts": "x = a" + "[0]" * (N // 3),
    "calls": "x = dict" + "()" * (N // 2),
    "methods": "x = ''" + ".lower()" * (N // 8),
    "lambdas": "x = " + "lambda: " * (N // 8) + "1",
    "conditions": "x = 1" + " if 1 else 1" * (N // 12),
    "comparisons": "x = (" + "1 <" * 60 + " (" * 60 + "1",
    "comprehensions": "x = " + "[" * 199 + "1" + " for a in [1]]" * 199,
    "walrus": "x = " + "(a := " * 150 + "1" + ")" * 150,
    "f-strings": "x = " + "f'{" * 60 + "1" + "}'" * 60,
    "elif": "if 0:\n    x = 1\n" + "elif 0:\n    x = 1\n" * (N // 18),
    "some elif": "if 0:\n    x = 1\n" + "elif 0:\n    x = 1\n" * 150,
    "if": "".join(" " * depth + "if 1:\n" for depth in range(300)) + " " * 300 + "x = 1\n",
    "targets": "(" * 190 + "x" + ",)" * 190 + " = 1",
    "slices": "x = [0]" + "[:]" * 150,
    "unpacked": "x = [" + "*[" * 150 + "]" * 151,
}


@pytest.fixture
def config(tmp_path):
    """Write files into a root, and return the path of the first."""
    (tmp_path / "root" / ".git").mkdir(parents=True)

    def written(text, **others):
        for name, content in {"main.py": text, "b.yml": "a: {b: 1}\n", **others}.items():
            path = tmp_path / "root" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / "root" / "main.py"

    return written


def refused(path, match):
    """Assert that a config is refused as it must be; nothing may be imported meanwhile but what reading YAML takes."""
    modules = set(sys.modules)
    begun = time.perf_counter()
    with pytest.raises(InputError, match=match) as caught:
        resolve(path)
    assert time.perf_counter() - begun < PATIENCE
    message = str(caught.value)
    assert message.startswith(str(path).replace("\0", "\\x00"))
    assert message.isprintable()
    assert len(message) < 1_000
    assert not UNWANTED & (sys.modules.keys() - modules)


@pytest.mark.parametrize("name", BOMBS)
def test_what_would_never_end_is_refused(name, config):
    refused(config(BOMBS[name][0]), BOMBS[name][1])


@pytest.mark.parametrize("name", INTRUDERS)
def test_what_would_run_something_is_refused(name, config):
    refused(config(INTRUDERS[name][0]), INTRUDERS[name][1])


@pytest.mark.parametrize("name", DEEP)
def test_what_is_nested_without_end_is_refused(name, config):
    refused(config(DEEP[name]), "levels deep|no Python that can be parsed|not defined|a loop over a int")


# -- files ------------------------------------------------------------------------------------------------------

BASES = {
    "above the root": ("'../out.py'", "lies outside"),
    "far above": ("'" + "../" * 50 + "etc/passwd'", "lies outside"),
    "absolute": ("'/etc/passwd'", "lies outside"),
    "device": ("'/dev/zero'", "lies outside"),
    "process": ("'/proc/self/environ'", "lies outside"),
    "home": ("'~/.ssh/config.py'", "does not exist"),
    "null byte": (r"'a\0b.py'", "does not exist"),
    "surrogate": (r"'\ud800.py'", "does not exist"),
    "control characters": (r"'\x1b[31m\n\u202e.py'", "does not exist"),
    "long name": ("'a' * 5000 + '.py'", "does not exist"),
    "long path": ("'a/' * 5000 + 'x.py'", "does not exist"),
    "folder": ("'folder.py'", "is no file"),
    "root": ("'.'", "is no file"),
    "pipe": ("'pipe.py'", "is no file"),
    "linked file": ("'link.py'", "lies outside"),
    "linked folder": ("'linked/out.py'", "lies outside"),
    "linked device": ("'zero.py'", "lies outside"),
    "linked to itself": ("'loop.py'", "does not exist"),
    "huge": ("'huge.py'", "holds more than 98304 bytes"),
    "text": ("'notes.txt'", "configs are .py"),
    "number": ("3", "must be a path or a list of paths, got int"),
    "numbers": ("[3]", "must be a path or a list of paths, got int"),
    "tuple": ("('b.yml',)", "must be a path or a list of paths, got tuple"),
    "itself": ("'main.py'", "based on itself"),
    "in a circle": ("'circle.py'", "based on itself"),
    "without end": ("['empty.py'] * 400", "more than 300 bases"),
    "other package": ("'nope::a/b.py'", "there is no package nope"),
    "out of a package": ("'mmdet::../../../../out.py'", "neither below"),
    "long name in a package": ("'mmdet::' + 'a' * 5000", "neither below"),
    "twice": ("['b.yml', 'b.yml']", "holds a, as one before it does"),
    "many twice": ("['many.py', 'many.py']", "only one may"),
}


@pytest.mark.parametrize("name", BASES)
def test_only_plain_files_below_the_root_are_opened(name, config, tmp_path):
    path = config(
        f"_base_ = {BASES[name][0]}\n",
        **{"empty.py": "", "circle.py": "_base_ = 'main.py'", "notes.txt": "", "huge.py": ""},
        **{"many.py": "".join(f"name{number} = 1\n" for number in range(4_000))},
    )
    root = path.parent
    (tmp_path / "out.py").write_text("secret = 1\n")
    (root / "folder.py").mkdir()
    os.mkfifo(root / "pipe.py")
    os.truncate(root / "huge.py", 2**40)
    for link, to in (("link.py", tmp_path / "out.py"), ("linked", tmp_path), ("zero.py", "/dev/zero"), ("loop.py", "loop.py")):
        (root / link).symlink_to(to)
    refused(path, BASES[name][1])


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("from ..out import *", "lies outside"),
        ("from ....out import x", "lies outside|does not exist"),
        ("from .main import *", "based on itself"),
        ("from .nothing import *", "does not exist"),
        ("from os import *", "neither below"),
        ("from torch.optim import SGD", "neither below"),
        ("import torch", "only `from"),
        ("from . import b", "only `from"),
        ("x = 1", "only `from"),
    ],
)
def test_modules_that_a_config_imports_lie_below_the_root(text, match, config, tmp_path):
    (tmp_path / "out.py").write_text("secret = 1\n")
    refused(config(f"from mmengine.config import read_base\nwith read_base():\n    {text}\n"), match)


@pytest.mark.parametrize("kind", ["missing.py", "folder.py", "pipe.py", "link.py", "notes.txt"])
def test_the_file_itself_may_be_anything(kind, config, tmp_path):
    root = config("").parent
    (root / "folder.py").mkdir()
    os.mkfifo(root / "pipe.py")
    (tmp_path / "out.py").write_text("secret = 1\n")
    (root / "link.py").symlink_to(tmp_path / "out.py")
    (root / "notes.txt").write_text("")
    refused(root / kind, "does not exist|is no file|lies outside|configs are .py")


def test_a_path_that_no_file_can_have_is_told(tmp_path):
    refused(tmp_path / ("a" * 300) / "main.py", "can't be read")
    refused(tmp_path / "a\0b.py", "does not exist")


def test_a_long_chain_of_bases_ends(config):
    chain = {f"c{number}.py": f"_base_ = 'c{number + 1}.py'" for number in range(290)}
    refused(config("_base_ = 'c0.py'", **chain), "recursion|does not exist")


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"x = '\xff'", "can't be read"),
        ("\ufeffx = 1".encode(), "no Python that can be parsed"),
        ("x = 1".encode("utf-16"), "can't be read"),
        (b"x = 1\x00", "null bytes"),
        (b"x = dict(a=[1, 2", "never closed"),
        (b"x = '''a", "unterminated"),
        (b"x = 1\n  y = 2", "unexpected indent"),
        (b"if 1:\n\tx = 1\n        y = 2", "inconsistent use of tabs|unindent"),
        (b"x = " + b"\\\n" * 40_000, "lines"),
        (b"f'" + b"{x}" * 30_000 + b"'", "braces"),
        (b"\n" * 98_000, "lines"),
        (b"x = 1 # " + b"a" * 10**5, "holds more than"),
    ],
)
def test_bytes_that_are_no_config_are_told(data, match, config):
    refused(config(data), match)


BRACES = [
    *("{{$X:" * 15_000, "{{$X:" + " " * 90_000 + "x x", "{{" + " " * 90_000, "{{ _base_." + "a." * 40_000),
    *("{{$" + "X" * 90_000, "{{$X:" + "a" * 90_000, "{{'$X:" * 1_900, ("{{$X:" + "a" * 40) * 1_900),
]


@pytest.mark.parametrize("text", BRACES, ids=lambda text: text[:12])
def test_what_stands_in_braces_is_looked_for_once(text, config):
    refused(config(f"x = '''{text}'''\ny = 1 +"), "no Python that can be parsed|braces")


def test_names_of_files_are_not_put_in_without_end(config):
    long = "a" * 200
    text = "x = '" + "{{fileDirname}}" * 1_500 + "'"
    refused(config("", **{f"{long}/{long}.py": text}).parent / long / f"{long}.py", "put in it holds more")


LAUGHS = "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
DOCUMENTS = {
    "laughs.yml": ("a: &a [x, x]\n" + LAUGHS, "more than 10000 values"),
    "deep.yml": ("a: " + "[" * 1_000, "nested deeper|nesting depth"),
    "python.yml": ("a: !!python/object/apply:os.system ['true']", "the tag"),
    "number.yml": ("a: " + "9" * 5_000, "a number of 5000 characters"),
    "list.yml": ("[1]", "must be a mapping"),
    "nothing.yml": ("", "must be a mapping"),
    "deep.json": ('{"a": ' + "[" * 90_000, "malformed JSON"),
    "nested.json": ('{"a": ' + "[" * 50 + "]" * 50 + "}", "nested deeper"),
    "number.json": ('{"a": ' + "9" * 5_000 + "}", "malformed JSON"),
    "list.json": ("[1]", "must be a mapping"),
    "many.json": ('{"a": [' + "1," * 20_000 + "1]}", "more than 10000 values"),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_are_read_within_bounds(name, config):
    refused(config(f"_base_ = {name!r}", **{name: DOCUMENTS[name][0]}), DOCUMENTS[name][1])


# -- memory -----------------------------------------------------------------------------------------------------

HEAVY = [
    *("x = ['a' * 10**6]", "x = list(range(10**5))", "a;" * 9_000),
    *("x = [" + "[]," * 30_000 + "]", "x = {" + "1:1," * 23_000 + "}", "x = [" + "f(a.b)," * 12_000 + "]"),
]


@pytest.mark.parametrize("text", HEAVY, ids=lambda text: text[:12])
def test_little_memory_is_taken(text, config):
    path = config(text)
    tracemalloc.start()
    try:
        with suppress(InputError):
            resolve(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < ROOM


def test_mutated_configs_become_plain_values_or_one_line(tmp_path):
    chance = random.Random(1)
    for name, text in fuzz_configs.BASES.items():
        (tmp_path / name).write_text(text)
    for _ in range(300):
        fuzz_configs.target(fuzz_configs.mutated(chance.choice(fuzz_configs.SEEDS), chance), tmp_path)
