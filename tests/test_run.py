"""Facts of a run, their arithmetic, and the clock: epochs, stages, accumulation."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import etude
from etude import InputError, Run, Stage

RECORDED = Path(__file__).parents[2] / "shared" / "golden"


def test_the_arithmetic_is_shown_with_its_floors_and_ceils():
    run = Run(epochs=10, samples=605, batch_size=20, accumulate=4)
    assert run.arithmetic() == [
        "605 samples / 20 a batch = 31 batches an epoch (ceil of 30.25; with drop_last 30)",
        "31 batches / 4 a step = 8 steps an epoch (ceil of 7.75: the last step of an epoch holds 3; floor would drop it)",
        "10 epochs x 8 steps = 80 steps",
    ]
    assert Run(epochs=1, samples=605, batch_size=20, drop_last=True).arithmetic()[0] == (
        "605 samples / 20 a batch = 30 batches an epoch (floor of 30.25; without drop_last 31)"
    )


def test_whole_numbers_are_written_in_full():
    assert Run(epochs=300, steps_per_epoch=7231).arithmetic()[-1] == "300 epochs x 7231 steps = 2169300 steps"
    assert Run(epochs=0.5, steps_per_epoch=10).arithmetic()[-1] == "0.5 epochs x 10 steps = 5 steps"


@pytest.mark.parametrize(
    ("accumulate", "often", "total"),
    [
        ("constant(4)", "4 batches a step", "2 epochs x 31 batches = 62 batches = 15 steps"),
        (
            'steps(2, at=["31 batches"])',
            'a step every steps(2, at=["31 batches"]) batches',
            "2 epochs x 31 batches = 62 batches = 46 steps",
        ),
    ],
)
def test_an_accumulation_that_is_carried_over_has_its_total(accumulate, often, total):
    run = Run(epochs=2, samples=605, batch_size=20, accumulate=accumulate)
    assert run.arithmetic()[1:] == [f"{often}, carried over the epoch's end", total]
    assert f"= {run.clock('batch').total_steps} steps" in total
    assert Run(epochs=2, accumulate=accumulate).arithmetic() == [f"{often}, carried over the epoch's end"]


def test_an_accumulation_that_takes_long_to_count_has_none():
    moving = 'rounded(linear(1, 4, over="200000 batches"))'
    assert len(Run(epochs=1, samples=200_000, batch_size=1, accumulate=moving).arithmetic()) == 2


@pytest.mark.parametrize(
    ("facts", "total"),
    [
        ({"epochs": 100, "samples": 600, "batch_size": 20}, 3000),
        ({"epochs": 3, "samples": 117_266, "batch_size": 16}, 3 * 7330),
        ({"epochs": 3, "samples": 117_266, "batch_size": 16, "drop_last": True}, 3 * 7329),
        ({"epochs": 1, "samples": 10, "batch_size": 4, "devices": 2}, 3),  # 5 samples a device in batches of 2
        ({"epochs": 1, "samples": 9, "batch_size": 4, "devices": 2, "drop_last": True}, 2),
        ({"steps": 7}, 7),
        ({"epochs": 2, "steps_per_epoch": 5}, 10),
        ({"epochs": 0.5, "steps_per_epoch": 10}, 5),
        ({"steps": 30, "epochs": 3}, 30),
        ({"stages": [Stage(epochs=2, batch_size=40), Stage(epochs=3)], "samples": 605, "batch_size": 20}, 32 + 93),
    ],
)
def test_total_steps(facts, total):
    assert Run(**facts).clock().total == total


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 5))
def test_every_batch_belongs_to_the_step_it_ends_in(batches, accumulate, epochs):
    run = Run(epochs=epochs, samples=batches, batch_size=1, accumulate=accumulate)
    clock = run.clock()
    ends = [clock.batch_of_step(step) for step in range(int(clock.total))]
    assert ends[-1] == batches * epochs - 1
    assert ends == sorted(set(ends))
    for batch in range(batches * epochs):
        step = clock.step_of_batch(batch)
        assert (ends[step - 1] if step else -1) < batch <= ends[step]
    for epoch in range(epochs):
        assert (epoch + 1) * batches - 1 in ends  # no step reaches over an epoch's end


STAGES = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 30)), min_size=1, max_size=4)
SAMPLES = st.sampled_from((30, 49, 98))  # 1 / (1 / 49) is not 49


@given(STAGES, SAMPLES)
def test_epochs_of_stages_follow_each_other(stages, samples):
    run = Run(samples=samples, stages=[Stage(epochs=epochs, batch_size=size) for epochs, size in stages])
    clock = run.clock()
    starts, tick, number = [], 0, 0
    for epochs, size in stages:
        for _ in range(epochs):
            starts.append(tick)
            tick += -(-samples // size)
    for number, start in enumerate(starts):
        assert clock.epoch(float(start)) == number
        assert clock.epoch_start(float(start)) == start
        assert clock.ticks(number, "epochs", 0.0) == start
    assert clock.total == tick
    assert clock.epoch(float(tick + 5)) == number  # past the end it is still the last


@given(STAGES, SAMPLES, st.integers(1, 3))
def test_what_happens_every_so_many_epochs_keeps_to_them_through_stages(stages, samples, many):
    run = Run(samples=samples, stages=[Stage(epochs=epochs, batch_size=size) for epochs, size in stages])
    clock, every = run.clock(), f"{many} epochs"
    epochs = [clock.epoch(float(tick)) for tick in range(int(clock.total))]
    starts = [tick for tick, epoch in enumerate(epochs) if tick == 0 or epoch != epochs[tick - 1]]

    def values(schedule):
        plan = etude.read(schedule).plan(run)
        table = plan.table()["lr"][:, 0]
        assert [plan.at(step=step)["lr"]["all"] for step in range(len(epochs))] == pytest.approx(table.tolist(), rel=1e-15)
        return plan, table

    plan, table = values(etude.steps(0.5, every=every))
    assert table.tolist() == [0.5 ** (epoch // many) for epoch in epochs]
    falls = [change.step for change in plan.changes() if "times" in change.what]
    assert falls == [start for start in starts[1:] if epochs[start] % many == 0]
    line = etude.linear(1, 0.5)
    held = values(line)[1]
    assert values(etude.stairs(line, every))[1].tolist() == [held[starts[int(epoch // many * many)]] for epoch in epochs]
    whole = starts[::many]  # within a length that a stage's end divides, time is counted in ticks
    for schedule, expected in (
        (etude.decay(0.5, per=every), [0.5**k for k in range(len(whole))]),
        (etude.inverse(0.5, per=every), [1 / (1 + 0.5 * k) for k in range(len(whole))]),
        (etude.wave(1, 0.1, half=every), [0.55 + 0.45 * math.cos(math.pi * k) for k in range(len(whole))]),
        (etude.repeat(line, every), [1.0] * len(whole)),
    ):
        assert values(schedule)[1][whole].tolist() == pytest.approx(expected, rel=1e-12)
    assert values(etude.recursion("lr * 0.5", every=every))[1].tolist() == table.tolist()


def test_lengths_beyond_counting_are_refused():
    run = Run(samples=10**7, stages=[Stage(epochs=1, batch_size=1), Stage(epochs=1, batch_size=7)])
    with pytest.raises(
        InputError, match="steps: every: more than 100000 of '14 samples' before the run's last stage, and not all"
    ):
        etude.read(etude.steps(0.5, every="14 samples")).plan(run)
    etude.read(etude.steps(0.5, every="3 steps")).plan(run)  # these are all alike


def test_lengths_are_whole_numbers_of_ticks_where_they_can_be():
    run = Run(epochs=3, samples=49 * 30, batch_size=10, accumulate=3)  # 147 batches and 49 steps an epoch
    assert [run.clock("batch").ticks(n, "steps") for n in (1, 49, 98)] == [3, 147, 294]
    assert [run.clock().ticks(n, "batches") for n in (3, 147, 294)] == [1, 49, 98]
    assert [run.clock().ticks(n, "samples") for n in (30, 49 * 30)] == [1, 49]
    assert Run(steps=100, accumulate=49).clock("batch").ticks(1, "steps") == 49
    assert Run(steps=100, batch_size=10, accumulate=49).clock().ticks(980, "samples") == 2
    uneven = Run(epochs=3, samples=330, batch_size=10, accumulate=4)  # 33 batches and 9 steps an epoch
    assert [uneven.clock("batch").ticks(n, "steps") for n in (9, 18, 27)] == [33, 66, 99]
    assert [uneven.clock().ticks(n, "batches") for n in (33, 66, 99)] == [9, 18, 27]


def test_accumulation_as_a_schedule_carries_over_the_epochs_end():
    run = Run(epochs=3, samples=605, batch_size=20, accumulate=etude.rounded(etude.linear(1, 4, over="40 batches")))
    clock = run.clock("batch")
    assert clock.total == 93
    assert [clock.batch_of_step(step) for step in range(12)] == [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16]
    assert clock.batch_of_step(int(clock.total_steps) - 1) == 92
    with pytest.raises(InputError, match="counted by batch: the recipe needs `clock: batch`"):
        run.clock()


@pytest.mark.skipif(not RECORDED.exists(), reason="recorded traces of the real YOLOv5 are not beside this checkout")
def test_accumulation_is_yolov5s():
    with gzip.open(RECORDED / "yolo.jsonl.gz", "rt") as file:
        records = (json.loads(line) for line in file)
        record = next(one for one in records if one["id"] == "yolov5|Objects365|SGD|linear|bs16|nb500|ep3")
    warmup = etude.parse(f'rounded(linear(1, {64 / 16}, over="{record["settings"]["nw"]} batches"))')
    clock = Run(epochs=3, samples=500 * 16, batch_size=16, accumulate=warmup).clock("batch")
    fired = [batch for batch, steps in enumerate(record["optimizer_steps"]) if steps]
    assert [clock.batch_of_step(step) for step in range(int(clock.total_steps))] == fired


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"epochs": 0}, "epochs must be a number above 0, got 0"),
        ({"steps": -1}, "steps must be a whole number above 0, got -1"),
        ({"samples": 2.5}, "samples must be a whole number above 0, got 2.5"),
        ({"batch_size": True}, "batch_size must be a whole number above 0, got True"),
        ({"batch_size": 5, "devices": 2}, "batch_size must be a multiple of devices, got 5 over 2"),
        ({"samples": 3, "batch_size": 5, "drop_last": True}, "drop_last leaves nothing of 3 samples in batches of 5"),
        ({"steps": 10**30}, "steps must be at most 9007199254740992, got a larger number"),
        ({"stages": [3]}, r"stages must be a list of Stage\(epochs=...\), got \[3\]"),
        (
            {"stages": [Stage(epochs=1, batch_size=20)], "samples": 10, "batch_size": 5, "drop_last": True},
            "leaves nothing of 10 samples",
        ),
        ({"stages": [Stage(epochs=1)], "epochs": 3}, "stages already say how long the run is"),
    ],
)
def test_refused_facts(facts, message):
    with pytest.raises(InputError, match=message):
        Run(**facts)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"epochs": 3}, "3 epochs need steps per epoch: give --steps-per-epoch, or --samples and --batch-size"),
        ({"epochs": 3, "batch_size": 2}, "3 epochs need steps per epoch: give --steps-per-epoch, or --samples$"),
        ({"epochs": 2.5, "steps_per_epoch": 3}, "2.5 epochs of 3 steps are no whole number of steps: give --steps"),
        ({"steps": 31, "epochs": 3}, "31 steps are no whole number in each of 3 epochs"),
        ({"steps": 31, "epochs": 3, "steps_per_epoch": 10}, "steps contradicts epochs: got 31 steps, but 3 epochs of 10"),
    ],
)
def test_facts_that_do_not_make_a_length(facts, message):
    with pytest.raises(InputError, match=message):
        Run(**facts).clock()


@pytest.mark.parametrize(
    ("accumulate", "message"),
    [
        ("constant(-5)", r"accumulate must be at least 1, got -5 at batch 0 from constant\(-5\)"),
        ("formula('1e300 * 1e300')", r"accumulate must be at least 1, got inf"),
        ("constant(5000)", r"the run has no steps: its 60 batches never fill the accumulation constant\(5000\)"),
    ],
)
def test_accumulations_that_make_no_steps(accumulate, message):
    with pytest.raises(InputError, match=message):
        Run(epochs=2, samples=600, batch_size=20, accumulate=accumulate).clock("batch").total_steps  # noqa: B018


@pytest.mark.parametrize(
    ("length", "message"),
    [
        ("3 epochs", "a length in epochs needs steps per epoch: give --steps-per-epoch, or --samples and --batch-size"),
        ("60 samples", "a length in samples needs samples per step: give --batch-size"),
        ("60 tokens", "a length in tokens needs tokens per step: give --batch-size, and tokens_per_sample"),
    ],
)
def test_a_missing_fact_is_asked_for_by_its_flag(length, message):
    with pytest.raises(InputError, match=message):
        etude.read(f"linear(0, 1, over='{length}')").plan(Run(steps=10))


def test_override_replaces_what_would_contradict():
    run = Run(epochs=10, samples=600, batch_size=20)
    assert run.override(steps=50).clock().total == 50
    assert run.override(epochs=2).clock().total == 60
    assert run.override().clock().total == 300
    assert Run(epochs=2, steps_per_epoch=5).override(samples=100, batch_size=10).clock().total == 20


def test_flags_do_not_pass_by_stages_with_values_of_their_own():
    run = Run(samples=100, stages=[Stage(epochs=1, batch_size=10)])
    with pytest.raises(InputError, match="batch_size: the run's stages have their own; change it there"):
        run.override(batch_size=50)
    assert run.override(batch_size=50, epochs=2).clock().total == 4
    with pytest.raises(InputError, match="stages: only the last may end inside an epoch"):
        Run(samples=100, batch_size=10, stages=[Stage(epochs=0.5), Stage(epochs=1)])


def test_an_epochs_samples_are_those_of_its_steps():
    assert Run(epochs=5, samples=600, batch_size=20, steps_per_epoch=10).clock().ticks(600, "samples") == 30


@pytest.mark.parametrize(
    "text",
    [
        "cosine(1, 0.2)",
        "chain(power(0.1, 1, 2, over='3 epochs'), cosine(1, abs(0.01), over='100% - 5 epochs'), constant(abs(0.01)))",
        "chain(phase(linear(1, 0, over='9 epochs'), over='4 epochs'), skip(linear(1, 0, over='9 epochs'), '4 epochs'))",
        "shift(wave(1, 0, half='3 epochs'), '1 epoch', at='2 epochs')",
        "steps(0.5, every='2 epochs') * stairs(decay(0.9, per='1 epoch'), '3 epochs')",
        "repeat(cosine(1, 0), '2 epochs', grow=2)",
        "table([('0 steps', 1), ('7 epochs', 0.5)])",
        "formula('1 / (epoch + 1)')",
    ],
)
def test_what_is_read_per_epoch_counts_epochs_however_long_they_are(text):
    """As a scheduler does that is stepped once an epoch, whatever the epoch's batch size."""
    schedule = etude.per_epoch(etude.parse(text.replace("'", '"')))
    stages = (etude.Stage(epochs=4, batch_size=10), etude.Stage(epochs=8, batch_size=20))
    uneven = etude.read(schedule).plan(Run(samples=40, stages=stages))
    by_epoch = etude.read(schedule).plan(Run(epochs=12, steps_per_epoch=1))
    first = [4 * epoch if epoch < 4 else 16 + 2 * (epoch - 4) for epoch in range(12)]
    for epoch, (start, end) in enumerate(zip(first, [*first[1:], 32], strict=True)):
        for step in range(start, end):
            assert uneven.at(step)["lr"]["all"] == pytest.approx(by_epoch.at(epoch)["lr"]["all"], rel=1e-12, abs=1e-15)
    lr = [value[0] for value in uneven.table(0)["lr"].tolist()]
    assert lr == pytest.approx([uneven.at(step)["lr"]["all"] for step in range(32)], rel=1e-15, abs=0)


def test_a_length_in_steps_is_measured_in_epochs_of_their_own_length():
    stages = (etude.Stage(epochs=2, batch_size=10), etude.Stage(epochs=8, batch_size=20))
    plan = etude.read("per_epoch(linear(0, 1, over='12 steps'))".replace("'", '"')).plan(Run(samples=40, stages=stages))
    # 8 steps fill the first two epochs, the other 4 the two that follow
    assert [plan.at(step)["lr"]["all"] for step in (0, 4, 8, 10, 12, 14)] == pytest.approx([0, 0.25, 0.5, 0.75, 1, 1])
    assert [change.step for change in plan.changes()] == [0, 12]
