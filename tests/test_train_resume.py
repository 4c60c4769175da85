"""`etude resume DIR` with an intent: in place, as a branch, killed in between, and without a schedule state."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from click.testing import CliRunner

import etude
from etude import InputError, Stage, Training
from etude import resume as intents
from etude.cli import main
from etude.recipe_yaml import dumps
from etude.train.branch import change, settled
from etude.train.checkpoint import Checkpoints, write_atomically
from etude.train.log import read_metrics, read_steps
from etude.train.loop import resume, train

RECIPE = replace(
    etude.read("warmup-cosine").override(epochs=3, samples=20, batch_size=5), train=Training(model="mine:net", data="mine:data")
)  # 12 steps


@pytest.fixture
def home(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "import torch\n"
        "def net(): return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 8), torch.nn.LayerNorm(8), torch.nn.Linear(8, 2))\n"
        "def data():\n"
        "    torch.manual_seed(0)\n"
        "    x = torch.randn(24, 4)\n"
        "    both = [(one, int(one.sum() > 0)) for one in x]\n"
        "    return both[:20], both[20:]\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "mine", raising=False)
    return tmp_path


def run(*words):
    result = CliRunner().invoke(main, list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result


def applied(folder):
    return [line["lr"]["decay"] for line in read_steps(folder)]


def planned(folder):
    return etude.read(folder / "recipe.yaml").plan().table()["lr"][:, 1].tolist()


def test_a_finished_run_is_extended_in_place(home):
    train(RECIPE, home / "run", quiet=True)
    result = run("resume", "run", "--extend", "5 epochs")
    assert result.exit_code == 0
    assert "extend to 5 epochs, from step 12 (epoch 3) on, to step 20" in result.output
    assert "lr of no_decay as it was planned" in result.output
    assert (home / "run" / "resumed-at-12.png").stat().st_size > 10_000
    assert applied(home / "run") == planned(home / "run")
    assert read_metrics(home / "run")["step"] == [4, 8, 12, 16, 20]
    state = Checkpoints(home / "run" / "checkpoints").load()
    assert state["driver"]["history"][0]["intent"] == "extend to 5 epochs"
    assert run("resume", "run").output == "run is finished already; nothing to do\n"


def test_several_branches_leave_the_trunk_as_it_is(home):
    constant = replace(RECIPE, schedules={"lr": etude.constant(1)})
    train(constant, home / "trunk", quiet=True)
    files = {path: path.read_bytes() for path in (home / "trunk").rglob("*") if path.is_file()}
    for name, over, steps in (("a", "4 steps", 16), ("b", "25%", 16), ("c", "1 epoch", 16), ("d", "2 steps", 14)):
        assert run("resume", "trunk", "--cooldown", over, "--out", name).exit_code == 0
        assert applied(home / name) == planned(home / name)
        assert len(applied(home / name)) == steps
        assert (home / name / "model.safetensors").is_file()
    assert {path: path.read_bytes() for path in (home / "trunk").rglob("*") if path.is_file()} == files
    a, c = (torch.load(next((home / name / "checkpoints").glob("*16.pt")), weights_only=True)["model"] for name in "ac")
    assert all(torch.equal(value, c[name]) for name, value in a.items())


def test_the_branch_is_the_run_that_was_planned_so_from_the_start(home):
    """The weights of a run that was cooled down on the way are those of one whose recipe said so at once."""
    trunk = replace(RECIPE, schedules={"lr": etude.constant(1)})
    train(trunk, home / "trunk", quiet=True)
    run("resume", "trunk", "--cooldown", "4 steps", "--out", "branch")
    planned_so = etude.parse('chain(constant(1, over="12 steps"), linear(1, 0))')
    train(replace(trunk, schedules={"lr": planned_so}).override(epochs=4), home / "whole", quiet=True)
    one, other = ((home / name / "model.safetensors").read_bytes() for name in ("branch", "whole"))
    assert one == other


def test_an_edited_recipe_needs_an_intent(home):
    train(RECIPE, home / "run", quiet=True)
    (home / "run" / "model.safetensors").unlink()
    edited = RECIPE.override(lr=0.5, epochs=4)
    write_atomically(home / "run" / "recipe.yaml", dumps(edited))
    result = run("resume", "run")
    assert result.exit_code == 2
    assert (
        "of another recipe (there -> here): optimizer.lr: 0.001 -> 0.5; run.epochs: 3 -> 4. Go on with the old" in result.output
    )
    result = run("resume", "run", "--replace")
    assert result.exit_code == 0
    assert "replace, from step 12 (epoch 3) on, to step 16" in result.output
    assert applied(home / "run")[12:] == pytest.approx(edited.plan().table()["lr"][12:, 1].tolist(), rel=1e-12)
    assert applied(home / "run") == planned(home / "run")


def test_another_recipe_over_the_same_data(home):
    train(RECIPE, home / "run", quiet=True)
    other = replace(RECIPE, name="other", schedules={"lr": etude.linear(1, 0)}, run=etude.Run(epochs=6))
    (home / "other.yaml").write_text(dumps(other))
    for name, intent in (("a", "--replace"), ("b", "--restart"), ("c", "--continue-from")):
        result = run("resume", "run", intent, "other.yaml", "--out", name)
        assert result.exit_code == (2 if intent == "--continue-from" else 0), result.output
        if result.exit_code:
            assert "continue_from: lr of group 'no_decay' is 0 at step 12, and would stay so" in result.output
        else:
            assert applied(home / name) == planned(home / name)
            assert len(applied(home / name)) == {"a": 24, "b": 36}[name]


def test_a_new_batch_size_begins_with_the_next_epoch(home, monkeypatch):
    train(RECIPE, home / "run", quiet=True)
    for path in Checkpoints(home / "run" / "checkpoints").paths():
        state = torch.load(path, weights_only=True)
    edited = replace(RECIPE, run=etude.Run(epochs=5, samples=20, batch_size=10))
    resumed = change(home / "run", lambda state: intents.replace(state, edited))
    assert resumed.recipe.run.stages == (
        Stage(epochs=3, batch_size=5, accumulate=1),
        Stage(epochs=2, batch_size=10, accumulate=1),
    )
    resume(home / "run", quiet=True)
    assert len(applied(home / "run")) == 12 + 4
    assert state["step"] == 12


def test_a_change_that_was_killed_before_the_recipe_was_written_is_finished(home):
    train(RECIPE, home / "run", quiet=True)
    before = (home / "run" / "recipe.yaml").read_text()
    change(home / "run", lambda state: intents.extend(state, "5 epochs"))
    after = (home / "run" / "recipe.yaml").read_text()
    (home / "run" / "recipe.yaml").write_text(before)
    state = Checkpoints(home / "run" / "checkpoints").load()
    assert settled(home / "run", state).run.epochs == 5
    assert (home / "run" / "recipe.yaml").read_text() == after
    resume(home / "run", quiet=True)
    assert len(applied(home / "run")) == 20


@pytest.mark.parametrize("name", ["cosine", "edited"])
def test_a_killed_change_of_any_recipe_is_finished(home, name):
    recipe = replace(etude.read("cosine").override(epochs=3, samples=20, batch_size=5), train=RECIPE.train)
    train(recipe, home / "run", quiet=True)
    if name == "edited":
        write_atomically(home / "run" / "recipe.yaml", dumps(recipe.override(epochs=5)))
    before = (home / "run" / "recipe.yaml").read_text()
    edited = etude.read(home / "run" / "recipe.yaml")
    change(home / "run", lambda state: intents.replace(state, edited) if name == "edited" else intents.extend(state, "5 epochs"))
    (home / "run" / "recipe.yaml").write_text(before)
    assert run("resume", "run").exit_code == 0
    assert len(read_steps(home / "run")) == 20


def test_a_recipe_without_schedules_is_drawn_too(home):
    train(replace(RECIPE, schedules={}), home / "run", quiet=True)
    assert run("resume", "run", "--extend", "4 epochs").exit_code == 0
    assert len(applied(home / "run")) == 16


def test_what_is_trained_is_not_changed_by_an_intent(home):
    train(RECIPE, home / "run", quiet=True)
    write_atomically(home / "run" / "recipe.yaml", dumps(replace(RECIPE, train=replace(RECIPE.train, seed=5))))
    result = run("resume", "run", "--extend", "5 epochs")
    assert result.exit_code == 2
    assert "recipe.yaml trains something else than the checkpoint (train.seed: 0 -> 5)" in result.output


def test_a_checkpoint_without_a_schedule_state_is_told_its_step(home):
    train(RECIPE, home / "run", quiet=True)
    (home / "run" / "model.safetensors").unlink()
    path = Checkpoints(home / "run" / "checkpoints").paths()[-1]
    state = torch.load(path, weights_only=True)
    del state["driver"]
    torch.save(state, path)
    result = run("resume", "run")
    assert (result.exit_code, result.output) == (
        2, "etude: the checkpoint has no schedule state: say how many updates were made with --at-step N\n"
    )  # fmt: skip
    assert "has no schedule state: go on with --at-step N alone" in run("resume", "run", "--extend", "5 epochs").output
    assert run("resume", "run", "--at-step", "12").exit_code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--extend", "5 epochs", "--cooldown", "10%"), "one intent at a time: got --extend and --cooldown"),
        (("--out", "b"), "--out is for a run that goes on otherwise: give --cooldown, --extend or another intent with it"),
        (("--extend", "1 epoch"), "extend: 1 epoch is 4 steps, and the run has made 12: ask for more"),
        (("--cooldown", "10"), "cooldown: a unit is missing after 10"),
        (("--cooldown", "10%"), "cooldown: lr is 0 at step 12 already"),
        (("--extend", "5 epochs", "--out", "run"), "run already holds something: name another --out"),
        (("--continue-from", ""), "--continue-from needs a recipe: a path, or the name of a ready one"),
        (("--replace", "short.yaml"), "the run would be over: it has 8 steps then, and 12 are made already"),
        (("--at-step", "11"), "the checkpoint itself counts 12 updates, not 11: leave --at-step out"),
        (("--replace", "nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_what_is_refused_changes_nothing(home, words, message):
    train(RECIPE, home / "run", quiet=True)
    (home / "short.yaml").write_text(dumps(replace(RECIPE, run=etude.Run(epochs=2))))
    if "--at-step" in words:
        (home / "run" / "model.safetensors").unlink()
    files = {path: path.read_bytes() for path in (home / "run").rglob("*") if path.is_file()}
    result = run("resume", "run", *words)
    assert result.exit_code == 2
    assert message in result.output
    assert {path: path.read_bytes() for path in (home / "run").rglob("*") if path.is_file()} == files


def test_without_a_checkpoint_there_is_nothing_to_change(home):
    train(RECIPE, home / "run", quiet=True)
    for path in Checkpoints(home / "run" / "checkpoints").paths():
        path.unlink()
    (home / "run" / "model.safetensors").unlink()
    assert "run has no checkpoint yet, so nothing to go on from" in run("resume", "run", "--extend", "5 epochs").output
    with pytest.raises(InputError, match="--at-step needs a checkpoint, and there is none yet"):
        resume(home / "run", at_step=3, quiet=True)
