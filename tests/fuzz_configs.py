"""A fuzz target of the reader of Python configs: any files become plain values or one clear line, within a second.

    python -m tests.fuzz_configs [SECONDS [SEED]]

mutates the files of `SEEDS`, by bytes and by tokens, and prints what breaks the promise; `target` alone takes bytes of a config.
"""

from __future__ import annotations

import random
import re
import resource
import sys
import tempfile
import time
from pathlib import Path

from etude import InputError
from etude.dialects.pyconfig import resolve

BASES = {
    "base.py": "model = dict(type='Net', depth=2, neck=[dict(type='A', k=1), dict(type='B')])\nlr = 0.1\npair = (1, 'x')\n",
    "more.yml": "data: {root: x/y, batch: 4}\nhooks: [{type: H}]\n",
    "some.json": '{"runner": {"max": 3, "rate": 1e-4}}',
    "parts.py": "from torch.optim import SGD\noptim = dict(type=SGD, lr=0.1)\nlist1 = [optim, 2]\n",
}
SEEDS = [
    "_base_ = ['base.py', 'more.yml', 'some.json']\nmodel = dict(depth=3, neck=[])\nn = {{_base_.model.depth}}\nlr = 0.2\n",
    "_base_ = './base.py'\n_base_.model.neck[0].k += 2\nx = _base_.model.copy()\nx.update(depth=dict(a=1))\n_base_.pop('lr')\n",
    "_base_ = 'base.py'\nmodel = dict(_delete_=True, name=f'{_base_.lr:.3f}_x')\nfor k, v in _base_.model.items():\n    model[k] = [v]\n",
    "from mmengine.config import read_base\nwith read_base():\n    from .parts import *\n    from .base import model as net\nnet.update(depth=5)\noptim.lr = 3\n",
    "import copy\nimport os.path as osp\na = dict(b=[1, 2.5, 'c'], d=(None, True))\ne = copy.deepcopy(a)\ne['b'] *= 2\nf = osp.join('x', '%s_%d' % ('y', 3))\n",
    "n = 5\nsteps = [i * 2 for i in range(n) if i % 2]\nwhile n > 0:\n    n -= 1\n    if n == 2:\n        break\nelse:\n    steps = []\na, *b = steps + [0]\ndel a\n",
    "work = './{{ fileBasenameNoExtension }}'\nroot = '{{$ROOT:data}}'\nnum = {{'$NUM:80'}}\nx = {**dict(a=1), 'b': {1, 2}} | dict(c=max([1, 3]))\n",
    "opts = {str(k): v for k, v in zip(['a', 'b'], [[1], [2]])}\nopts['a'].append((y := 3))\ns = '{}-{:>4}'.format(y, 'q').replace('q', 'zz')\nz = sorted(opts)[::-1]\n",
]
TOKENS = [
    *("(", ")", "[", "]", "{", "}", "{{", "}}", ",", ":", "=", "+=", "|=", "*", "**", "<<", "//", "%", "@", ":=", ".", "\n", "\n    ", "'", '"""'),
    *("0", "-1", "10**9", "1e308", "0x" + "f" * 99, "2**61 - 1", "None", "True", "...", "b'x'", "1j", "f'{x!r:>9}'", "'a' * 10**6", "[0] * 10**5"),
    *("_base_", "_base_.", "model", "x", "__class__", "__file__", "self", "{{_base_.model}}", "{{fileDirname}}", "{{$A:1}}", "_delete_", "type"),
    *(" for a in x", " if 1 else 2", "while 1: ", "for x in x: ", "lambda: ", "not ", "await ", "yield ", "break", "continue", "del ", "import os", "class A: pass"),
    *("dict(", "list(", "str(", "range(10**12)", "sum(", "zip(x, x)", "copy.deepcopy(", ".update(", ".pop(", ".copy()", ".setdefault(", ".items()", ".append(x)"),
    *("'../'", "'/dev/zero'", "'base.py'", "'more.yml'", "'mmdet::a/b.py'", "'a\\0.py'", "'main.py'", "with read_base():\n    from .base import *\n", "\f", "\ufeff", "\u2028"),
]  # fmt: skip
PATIENCE = 1.0  # seconds


def target(data: bytes, folder: Path) -> None:
    """Read bytes as a config beside the bases, as whatever it looks like; AssertionError where a promise is broken."""
    path = folder / "main.py"
    path.write_bytes(data)
    for dialect in (None, "mmcv", "mmengine"):
        modules, begun = set(sys.modules), time.perf_counter()
        try:
            found = resolve(path, folder, dialect).config
        except InputError as error:
            message = str(error)
            assert message.isprintable(), f"more than a line: {message!r}"
            assert message.startswith(str(path)), f"not where: {message!r}"
            assert len(message) < 1_000, f"{len(message)} characters"
        else:
            check_plain(found)
        assert time.perf_counter() - begun < PATIENCE, f"{time.perf_counter() - begun:.1f} s as {dialect}"
        assert not {"base", "main", "parts", "torch", "mmengine"} & (sys.modules.keys() - modules), "imported"


def check_plain(value: object) -> None:
    """Assert that a value is of mappings with texts as keys, lists, tuples and scalars, and nothing else."""
    if isinstance(value, dict):
        assert all(type(key) is str for key in value), f"keys {list(value)[:5]}"
    assert type(value) in (dict, list, tuple, str, int, float, bool, type(None)), f"a {type(value).__name__}"
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        check_plain(inner)


def mutated(seed: str, chance: random.Random) -> bytes:
    """Return a seed with a few things changed in it."""
    text = seed
    for _ in range(chance.randint(1, 5)):
        words = re.findall(r"\w+|\s+|[^\w\s]", text) or [""]
        at, kind = chance.randrange(len(words)), chance.randrange(6)
        if kind == 0:
            words[at] = chance.choice(TOKENS)
        elif kind == 1:
            words.insert(at, chance.choice(TOKENS))
        elif kind == 2:
            words.pop(at)
        elif kind == 3:  # a line of another seed, or the same again
            lines = "".join(words).splitlines(keepends=True)
            lines.insert(chance.randrange(len(lines) + 1), chance.choice(chance.choice(SEEDS).splitlines()) + "\n")
            words = lines
        elif kind == 4:
            other = chance.randrange(len(words))
            words[at], words[other] = words[other], words[at]
        else:
            words[at : at + 3] = words[at : at + 3] * chance.choice([2, 5, 60])
        text = "".join(words)[:20_000]
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    for _ in range(chance.choice([0, 0, 0, 1, 3])):
        at = chance.randrange(len(data) + 1)
        data[at : at + chance.randrange(2)] = bytes([chance.randrange(256)])
    return bytes(data)


def main(seconds: float = 60.0, seed: int = 0) -> int:
    """Mutate until the time is over; return how many inputs broke the promise."""
    chance, broken, tried, end = random.Random(seed), 0, 0, time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < end:
            bases = dict(BASES)
            if chance.random() < 0.3:
                name = chance.choice(list(bases))
                bases[name] = mutated(bases[name], chance).decode("utf-8", "replace")
            for name, text in bases.items():
                (Path(folder) / name).write_text(text, encoding="utf-8")
            data = mutated(chance.choice(SEEDS), chance)
            tried += 1
            try:
                target(data, Path(folder))
            except Exception as error:  # anything is a finding
                broken += 1
                print(f"{type(error).__name__}: {error}\n{data!r}\n{bases}\n")
    print(f"{tried} inputs, {broken} broken, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB at most")
    return broken


if __name__ == "__main__":
    sys.exit(min(main(*map(float, sys.argv[1:2]), *map(int, sys.argv[2:3])), 1))
