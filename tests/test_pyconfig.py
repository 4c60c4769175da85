"""Python configs: what they and their bases come to; every value is what mmcv 1.7.2 or mmengine 0.10.7 makes of the same files."""

from __future__ import annotations

import pytest

from etude import InputError
from etude.dialects.pyconfig import generation, resolve


@pytest.fixture
def tree(tmp_path):
    """Write files below a root that ends there, and return the path of main.py."""
    (tmp_path / ".git").mkdir()

    def written(files):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path / "main.py"

    return written


# -- what both make of it: a file put over its bases -------------------------------------------------------------

NET = "model = dict(type='Net', depth=18, neck=dict(k=1, widths=[8, 16]))\n"
BOTH = {
    "a file alone": ({"main.py": "a = 1\nb = dict(c=[1, 2.5], d=('x', None))\n"}, {"a": 1, "b": {"c": [1, 2.5], "d": ("x", None)}}),
    "a base": ({"main.py": "_base_ = 'b.py'\ny = 2\n", "b.py": "x = 1\n"}, {"x": 1, "y": 2}),
    "bases in a list": ({"main.py": "_base_ = ['b.py', 'd/c.py']\n", "b.py": "x = 1\n", "d/c.py": "y = 2\n"}, {"x": 1, "y": 2}),
    "bases of bases": (
        {"main.py": "_base_ = 'd/b.py'\nz = 3\n", "d/b.py": "_base_ = '../c.py'\ny = 2\n", "c.py": "x = 1\ny = 1\n"},
        {"x": 1, "y": 2, "z": 3},
    ),
    "mappings are merged": (
        {"main.py": "_base_ = 'b.py'\nmodel = dict(depth=50, neck=dict(k=3))\n", "b.py": NET},
        {"model": {"type": "Net", "depth": 50, "neck": {"k": 3, "widths": [8, 16]}}},
    ),
    "lists are replaced": (
        {"main.py": "_base_ = 'b.py'\nx = [dict(a=2)]\n", "b.py": "x = [dict(a=1, b=1), 3]\n"},
        {"x": [{"a": 2}]},
    ),
    "_delete_ replaces a mapping": (
        {"main.py": "_base_ = 'b.py'\nmodel = dict(_delete_=True, depth=50)\n", "b.py": NET},
        {"model": {"depth": 50}},
    ),
    "_delete_ within": (
        {"main.py": "_base_ = 'b.py'\nmodel = dict(neck=dict(_delete_=True, q=1))\n", "b.py": NET},
        {"model": {"type": "Net", "depth": 18, "neck": {"q": 1}}},
    ),
    "_delete_ of False merges": (
        {"main.py": "_base_ = 'b.py'\nx = dict(_delete_=False, b=2)\n", "b.py": "x = dict(a=1)\n"},
        {"x": {"a": 1, "b": 2}},
    ),
    "_delete_ stays where there is nothing to delete": (
        {"main.py": "_base_ = 'b.py'\ny = dict(_delete_=True, b=2)\n", "b.py": "x = 1\n"},
        {"x": 1, "y": {"_delete_": True, "b": 2}},
    ),
    "a base's name in braces": (
        {"main.py": "_base_ = 'b.py'\nd = {{_base_.model.depth}}\nw = [{{ _base_.model.neck.widths }}, dict(n='{}')]\n".replace("'{}'", "{{_base_.model.type}}"), "b.py": NET},
        {"model": {"type": "Net", "depth": 18, "neck": {"k": 1, "widths": [8, 16]}}, "d": 18, "w": [[8, 16], {"n": "Net"}]},
    ),
    "a mapping in braces is merged too": (
        {"main.py": "_base_ = 'b.py'\ny = {{_base_.x}}\n", "b.py": "x = dict(a=1)\ny = dict(b=2)\n"},
        {"x": {"a": 1}, "y": {"b": 2, "a": 1}},
    ),
    "names of the file in braces": (
        {"main.py": "work = './runs/{{ fileBasenameNoExtension }}'\nname = '{{fileBasename}}'\next = '{{fileExtname}}'\n"},
        {"work": "./runs/main", "name": "main.py", "ext": ".py"},
    ),
    "YAML and JSON": (
        {"main.py": "_base_ = ['b.yml', 'c.json']\n", "b.yml": "a: {b: 1e-3, c: 1.0e-3, d: yes}\n", "c.json": '{"e": 1e-3, "f": null}'},
        {"a": {"b": "1e-3", "c": 0.001, "d": True}, "e": 0.001, "f": None},
    ),
    "names that begin with __ and functions are left out": (
        {"main.py": "__a = 2\n_b = __a + 1\ndef f(x):\n    return x\ng = lambda x: x\nimport os\n"},
        {"_b": 3},
    ),
    "_deprecation_": ({"main.py": "_deprecation_ = dict(expected='x')\na = 1\n"}, {"a": 1}),
    "loops and comprehensions": (
        {"main.py": "n = 3\na = [i * n for i in range(4) if i != 2]\nb = {f'{k}_{v:.1f}': v for k, v in dict(p=1, q=2).items()}\nfor c in a:\n    if c > 0:\n        break\nelse:\n    c = 'none'\n"},
        {"n": 3, "a": [0, 3, 9], "b": {"p_1.0": 1, "q_2.0": 2}, "c": 3},
    ),
    "what := binds stays": ({"main.py": "a = [b := i for i in range(3)]\n"}, {"a": [0, 1, 2], "b": 2}),
    "a list changes under its loop": ({"main.py": "a = [1, 1, 2]\nfor i in a:\n    a.remove(i)\n"}, {"a": [1], "i": 2}),
    "a list changes under a loop that counts": (
        {"main.py": "a = [1, 1, 2, 2]\nb = []\nfor i, x in enumerate(a):\n    b.append((i, x))\n    a.remove(x)\n"},
        {"a": [1, 2], "b": [(0, 1), (1, 2)], "i": 1, "x": 2},
    ),
    "two names of one mapping": (
        {"main.py": "a = dict(x=1, y=dict(z=1))\nb = a\nb['x'] = 2\nc = a.copy()\nc['x'] = 3\nc['y']['z'] = 4\n"},
        {"a": {"x": 2, "y": {"z": 4}}, "b": {"x": 2, "y": {"z": 4}}, "c": {"x": 3, "y": {"z": 4}}},
    ),
    "a copy that shares nothing": (
        {"main.py": "import copy\na = dict(y=[1])\nb = copy.deepcopy(a)\nb['y'] += [2]\nc = a['y'] * 2\n"},
        {"a": {"y": [1]}, "b": {"y": [1, 2]}, "c": [1, 1]},
    ),
    "an update of a file's own mapping replaces": (
        {"main.py": "a = dict(x=dict(p=1, q=1))\na.update(x=dict(p=2))\nb = dict(a, y=1)\nc = {**b, 'x': 0} | dict(z=2)\n"},
        {"a": {"x": {"p": 2}}, "b": {"x": {"p": 2}, "y": 1}, "c": {"x": 0, "y": 1, "z": 2}},
    ),
    "slices, unpacking and arithmetic": (
        {"main.py": "a = [1, 2, 3][1:] + [4][::-1]\nb, *c = a\nd = -2 ** 2 / 8\ne = 7 // 2 % 2\nf = 'a' 'b' * 2\ng = 1 < 2 < 3 and not []\n"},
        {"a": [2, 3, 4], "b": 2, "c": [3, 4], "d": -0.5, "e": 1, "f": "abab", "g": True},
    ),
    "texts": (
        {"main.py": "a = 'x/%s_%02d' % ('y', 3)\nb = '{}-{k:>4}'.format(1, k='z')\nc = f'{a!r:>9}|{1.5:.2e}'\nd = ','.join(['p', 'q']).upper().split(',')\n"},
        {"a": "x/y_03", "b": "1-   z", "c": " 'x/y_03'|1.50e+00", "d": ["P", "Q"]},
    ),
    "functions of values": (
        {"main.py": "from math import pi\na = max([1, 5, 2]), min(3, 2), sum([1, 2], 10), round(pi, ndigits=2)\nb = sorted({3, 1}, reverse=True)\nc = list(zip('ab', enumerate('cd', 1)))\ndel pi\n"},
        {"a": (5, 2, 13, 3.14), "b": [3, 1], "c": [("a", (1, "c")), ("b", (2, "d"))]},
    ),
    "keywords may have any name": ({"main.py": "a = dict(budget=1, self=2, value=3)\n"}, {"a": {"budget": 1, "self": 2, "value": 3}}),
}  # fmt: skip


@pytest.mark.parametrize("dialect", ["mmcv", "mmengine"])
@pytest.mark.parametrize("name", BOTH)
def test_both_frameworks_agree_on(name, dialect, tree):
    files, expected = BOTH[name]
    assert resolve(tree(files), dialect=dialect).config == expected


# -- mmengine: bases first, which a file may read and change -------------------------------------------------------

MMENGINE = {
    "a base's values are read": (
        {"main.py": "_base_ = 'b.py'\nd = _base_.model.depth * 2\nw = _base_.model['neck'].widths[1:]\n", "b.py": NET},
        {"model": {"type": "Net", "depth": 18, "neck": {"k": 1, "widths": [8, 16]}}, "d": 36, "w": [16]},
    ),
    "a base's values are changed": (
        {"main.py": "_base_ = 'b.py'\n_base_.model.depth = 50\n_base_.model.neck.widths.append(4)\n_base_.new = dict(a=1)\n", "b.py": NET},
        {"model": {"type": "Net", "depth": 50, "neck": {"k": 1, "widths": [8, 16, 4]}}, "new": {"a": 1}},
    ),
    "update goes into what both hold": (
        {"main.py": "_base_ = 'b.py'\nm = _base_.model\nm.update(dict(neck=dict(k=2)), depth=1)\n", "b.py": NET},
        {name: {"type": "Net", "depth": 1, "neck": {"k": 2, "widths": [8, 16]}} for name in ("model", "m")},
    ),
    "what is put into a base is a copy": (
        {"main.py": "_base_ = 'b.py'\na = dict(x=[1])\n_base_.m.a = a\na['x'].append(2)\n", "b.py": "m = dict()\n"},
        {"a": {"x": [1, 2]}, "m": {"a": {"x": [1]}}},
    ),
    "pop misses nothing": (
        {"main.py": "_base_ = 'b.py'\na = _base_.pop('x')\nb = _base_.m.pop('none')\nc = _base_.m.get('none', default=1)\n", "b.py": "x = 1\nm = dict()\n"},
        {"a": 1, "b": None, "c": 1, "m": {}},
    ),
    "names of a base are deleted": (
        {"main.py": "_base_ = 'b.py'\ndel _base_.model.neck, _base_['x']\n", "b.py": NET + "x = 1\n"},
        {"model": {"type": "Net", "depth": 18}},
    ),
    "| is a new mapping": (
        {"main.py": "_base_ = 'b.py'\na = _base_.m | dict(x=dict(q=2))\na['x']['p'] = 3\n", "b.py": "m = dict(x=dict(p=1))\n"},
        {"m": {"x": {"p": 1}}, "a": {"x": {"p": 3, "q": 2}}},
    ),
    "a variable's default": (
        {"main.py": "a = '{{$ETUDE_NONE:x/y}}/z'\nb = dict(n={{'$ETUDE_NONE_2:80'}})\n"},
        {"a": "x/y/z", "b": {"n": 80}},
    ),
    "_base_ is said where it is needed": (
        {"main.py": "x = 1\n_base_ = ['b' + '.py']\ny = _base_.a\n", "b.py": "a = 2\n"},
        {"a": 2, "x": 1, "y": 2},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MMENGINE)
def test_mmengine_reads_bases_first(name, tree):
    files, expected = MMENGINE[name]
    assert resolve(tree(files), dialect="mmengine").config == expected


READ = "from mmengine.config import read_base\nwith read_base():\n"
LAZY = {
    "all of a base": ({"main.py": READ + "    from .b import *\ny = x + 1\n", "b.py": "x = 1\n"}, {"x": 1, "y": 2}),
    "a name of a base, and another name for it": (
        {"main.py": READ + "    from .d.b import x, m as net\nnet.update(p=dict(q=2))\n", "d/b.py": "x = 1\ny = 2\nm = dict(p=dict(r=1))\n"},
        {"x": 1, "net": {"p": {"r": 1, "q": 2}}},
    ),
    "a base above, of its own bases": (
        {"main.py": READ + "    from .d.b import *\n", "d/b.py": READ + "    from ..c import *\ny = x\n", "c.py": "x = 1\n"},
        {"x": 1, "y": 1},
    ),
    "imported objects are their names": (
        {"main.py": "from torch.optim import SGD as S\nimport torch.nn as nn\nimport torch\na = dict(type=S)\nb = [nn.ReLU, torch.optim.Adam]\n"},
        {"a": {"type": "torch.optim.SGD"}, "b": ["torch.nn.ReLU", "torch.optim.Adam"]},
    ),
    "mappings of its own are replaced, those of a base gone into": (
        {"main.py": READ + "    from .b import *\nn = dict(x=dict(p=1))\nn.update(x=dict(q=2))\nm.update(x=dict(q=2))\nm.x.r = 3\n", "b.py": "m = dict(x=dict(p=1))\n"},
        {"m": {"x": {"p": 1, "q": 2, "r": 3}}, "n": {"x": {"q": 2}}},
    ),
    "bases are there before the first line, and _delete_ means nothing": (
        {"main.py": "y = x\nfrom mmengine.config import read_base\nwith read_base():\n    from .b import *\nm = dict(_delete_=True)\n", "b.py": "x = 1\nm = dict(a=1)\n"},
        {"x": 1, "y": 1, "m": {"_delete_": True}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAZY)
def test_mmengine_takes_bases_for_modules(name, tree):
    files, expected = LAZY[name]
    assert resolve(tree(files), dialect="mmengine").config == expected


# -- what the frameworks refuse ------------------------------------------------------------------------------------

REFUSED = {
    "two bases with one name": ("both", {"main.py": "_base_ = ['b.py', 'c.py']\n", "b.py": "x = 1\n", "c.py": "x = 1\n"}, "the base c.py holds x"),
    "a mapping over another value": ("both", {"main.py": "_base_ = 'b.py'\nx = dict(a=1)\n", "b.py": "x = 1\n"}, "x is a mapping, and a int"),
    "a name in braces that no base has": ("both", {"main.py": "_base_ = 'b.py'\ny = {{_base_.x.z}}\n", "b.py": "x = dict(a=1)\n"}, "names nothing"),
    "a base that is not there": ("both", {"main.py": "_base_ = 'b.py'\n"}, "does not exist"),
    "a reserved name": ("both", {"main.py": "text = 1\n"}, "keeps the name text for itself"),
    "a reserved name of mmengine": ("mmengine", {"main.py": "env_variables = 1\n"}, "keeps the name env_variables for itself"),
    "a name that is not there": ("both", {"main.py": "x = y\n"}, "main.py:1: NameError: name 'y' is not defined"),
    "an attribute of a file's own mapping": ("both", {"main.py": "x = dict(a=1)\ny = x.a\n"}, "main.py:2: AttributeError: 'dict' object"),
    "a mapping that shrinks under its loop": ("both", {"main.py": "x = dict(a=1, b=2)\nfor k in x:\n    x.pop(k)\n"}, "RuntimeError: dictionary changed size"),
    "braces where Python needs another thing": ("both", {"main.py": "x = a.{{fileBasenameNoExtension}}\n"}, "no Python that can be parsed"),
    "an assertion": ("both", {"main.py": "x = 1\nassert x == 2, 'not two'\n"}, "main.py:2: AssertionError: not two"),
    "_base_ in mmcv": ("mmcv", {"main.py": "_base_ = 'b.py'\ny = _base_.x\n", "b.py": "x = 1\n"}, "'str' object has no attribute 'x'"),
    "__file__ in mmengine": ("mmengine", {"main.py": "x = __file__\n"}, "name '__file__' is not defined"),
    "a variable with no default": ("mmengine", {"main.py": "x = '{{$ETUDE_NONE:}}'\n"}, "ETUDE_NONE has no default"),
    "a method taken for a key": ("mmengine", {"main.py": "_base_ = 'b.py'\n_base_.m.freeze = 1\n", "b.py": "m = dict()\n"}, "no attribute 'freeze' to be set"),
    "an imported base in _base_": ("mmengine", {"main.py": "_base_ = 'b.py'\n", "b.py": "from torch.optim import SGD\n"}, "mmengine takes the one or the other"),
    "several modules in one import": ("mmengine", {"main.py": READ + "    from .b import *\nimport os, sys\n", "b.py": ""}, "main.py:4: mmengine takes one module"),
    "a second block with a star": ("mmengine", {"main.py": READ + "    from .b import *\nwith read_base():\n    from .c import *\n", "b.py": "", "c.py": ""}, "import [*] is for bases"),
    "a name that a base lacks": ("mmengine", {"main.py": READ + "    from .b import y\n", "b.py": "x = 1\n"}, "the base .b has no 'y'"),
    "another with": ("mmengine", {"main.py": "from torch import no_grad\nwith no_grad():\n    x = 1\n"}, "only `with read_base"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_framework_refuses_is_told(name, tree):
    whose, files, match = REFUSED[name]
    path = tree(files)
    for dialect in ["mmcv", "mmengine"] if whose == "both" else [whose]:
        with pytest.raises(InputError, match=match) as caught:
            resolve(path, dialect=dialect)
        assert str(caught.value).startswith(str(path))


# -- beside the values ---------------------------------------------------------------------------------------------


def test_what_a_config_holds_tells_whose_it_is(tree):
    assert resolve(tree({"main.py": "optimizer = dict(lr=1)\ntotal_epochs = 3\n"})).dialect == "mmcv"
    assert resolve(tree({"main.py": "optim_wrapper = dict()\n"})).dialect == "mmengine"
    assert resolve(tree({"main.py": "a = 1\n"})).dialect == "mmengine"
    assert generation({"a": 1}) is None


def test_a_config_that_is_each_to_the_other_must_be_named(tree):
    text = "_base_ = ['b.py']\nif len(_base_) == 1:\n    optim_wrapper = 1\nelse:\n    optimizer = 1\n"
    path = tree({"main.py": text, "b.py": "a = 1\nb = 2\n"})
    with pytest.raises(InputError, match="it is mmcv's to mmengine and mmengine's to mmcv"):
        resolve(path)
    assert "optimizer" in resolve(path, dialect="mmengine").config


def test_the_files_that_were_read_are_named(tree, tmp_path):
    path = tree({"main.py": "_base_ = './d/../d/b.py'\n", "d/b.py": "_base_ = '../c.yml'\n", "c.yml": "a: 1\n"})
    assert resolve(path).files == (path, tmp_path / "d" / "b.py", tmp_path / "c.yml")


def test_defaults_of_variables_are_noted_and_the_environment_is_not_read(tree, monkeypatch):
    monkeypatch.setenv("ETUDE_ROOT", "secret")
    found = resolve(tree({"main.py": "a = '{{$ETUDE_ROOT:data}}'\n"}))
    assert (found.config, found.notes) == ({"a": "data"}, ("ETUDE_ROOT is data, its default: the environment is not read",))


def test_a_default_that_mmengine_takes_for_a_pattern_is_refused(tree):
    with pytest.raises(InputError, match=r"the default of X, '\(1,2\)', is taken for a pattern"):
        resolve(tree({"main.py": "a = {{'$X:(1,2)'}}\n"}))


def test_the_root_is_the_repository_or_what_is_given(tree, tmp_path):
    path = tree({"main.py": "", "d/e/main.py": "_base_ = '../../b.py'\n", "b.py": "a = 1\n"}).parent / "d" / "e" / "main.py"
    assert resolve(path).config == {"a": 1}
    with pytest.raises(InputError, match=r"lies outside .*: --root names another folder"):
        resolve(path, root=tmp_path / "d")


def test_bases_of_other_packages_lie_above_and_name_their_scope(tree):
    base = "model = dict(type='Net', head=dict(type='H'))\nitems = [dict(type='A', _scope_='own')]\n"
    files = {"main.py": "_base_ = 'mmdet::a/b.py'\nmodel = dict(k=1)\n", "mmdet/.mim/configs/a/b.py": base}
    assert resolve(tree(files), dialect="mmengine").config == {
        "model": {"type": "Net", "head": {"type": "H"}, "_scope_": "mmdet", "k": 1},
        "items": [{"type": "A", "_scope_": "own"}],
    }


CLONE = {"mmdet/__init__.py": "", "configs/a/b.py": "x = 1\n", "projects/mine/main.py": "_base_ = 'mmdet::a/b.py'\n"}


def test_bases_of_other_packages_lie_in_a_clone(tree):
    path = tree(CLONE).parent / "projects" / "mine" / "main.py"
    assert resolve(path, dialect="mmengine").config == {"x": 1}
    (path.parents[2] / "mmdet" / "__init__.py").unlink()
    with pytest.raises(InputError, match=r"mmdet::a/b.py is neither below .* nor in a package that is installed"):
        resolve(path, dialect="mmengine")


def test_a_clone_s_configs_may_not_lead_out_of_the_root(tree, tmp_path):
    outside = tree({key: text for key, text in CLONE.items() if key != "configs/a/b.py"}).parent / "outside"
    outside.mkdir()
    (outside / "b.py").write_text("x = 1\n")
    root = tmp_path / "root"
    root.mkdir()
    for name in ("mmdet", "projects"):
        (tmp_path / name).rename(root / name)
    (root / "configs").mkdir()
    (root / "configs" / "a").symlink_to(outside)
    with pytest.raises(InputError, match=r"b.py lies outside .*: --root names another folder"):
        resolve(root / "projects" / "mine" / "main.py", root=root, dialect="mmengine")
    inside = "_base_ = 'mmdet::../../outside/b.py'\n"
    (root / "projects" / "mine" / "main.py").write_text(inside)
    with pytest.raises(InputError, match=r"b.py lies outside .*: --root names another folder"):
        resolve(root / "projects" / "mine" / "main.py", root=root, dialect="mmengine")


def test_modules_of_other_packages_lie_above(tree):
    files = {"main.py": READ + "    from mmdet.configs.b import *\n", "mmdet/configs/b.py": "x = 1\n"}
    assert resolve(tree(files), dialect="mmengine").config == {"x": 1}


def test_values_that_no_file_holds_are_told_in_plain_ones(tree):
    text = "a = {2, 1}\nb = range(3)\nc = b'x'\nd = {1: dict(f=len)}\ne = 1 + 2j\n"
    assert resolve(tree({"main.py": text}), dialect="mmcv").config == {
        "a": [1, 2],
        "b": "range(0, 3)",
        "c": "b'x'",
        "d": {"1": {"f": "len"}},
        "e": "(1+2j)",
    }


def test_an_escape_that_python_warns_of_is_no_mistake(tree):
    assert resolve(tree({"main.py": "a = '\\d'\n"})).config == {"a": "\\d"}
