"""The HF Trainer takes the driver with its optimizer: accumulating, from a checkpoint, and what it logs is what was applied."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import etude
from tests.frameworks import PLAN, RECIPE, STEPS, network, planned, recorded

transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")

ACCUMULATE = 4


class Model(nn.Module):
    """What the Trainer asks of a model: named inputs, and a loss among its outputs."""

    def __init__(self):
        super().__init__()
        self.net = network()

    def forward(self, x, labels):
        return {"loss": (self.net(x).squeeze(1) - labels).square().mean()}


def data(count=90):
    generator = torch.Generator().manual_seed(1)
    return [{"x": torch.randn(3, generator=generator), "labels": torch.randn((), generator=generator)} for _ in range(count)]


def trained(folder, resume=None, **arguments):
    """Return the Trainer after its run, the driver, and the values of every update."""
    settings = {"max_steps": STEPS, "gradient_accumulation_steps": ACCUMULATE, "save_strategy": "no", **arguments}
    settings = transformers.TrainingArguments(
        folder, use_cpu=True, per_device_train_batch_size=2, logging_steps=1, report_to=[], disable_tqdm=True, **settings
    )
    model = Model()
    optimizer = etude.torch.build(model, RECIPE)
    driver = etude.torch.drive(optimizer, PLAN)
    rows = recorded(optimizer)
    trainer = transformers.Trainer(model, settings, train_dataset=data(), optimizers=(optimizer, driver))
    trainer.train(resume_from_checkpoint=resume)
    return trainer, driver, rows


def logged(trainer):
    return [entry["learning_rate"] for entry in trainer.state.log_history if "learning_rate" in entry]


@pytest.mark.parametrize("accumulate", [1, ACCUMULATE])
def test_what_is_applied_and_what_is_logged_is_the_plan(tmp_path, accumulate):
    trainer, driver, rows = trained(tmp_path, gradient_accumulation_steps=accumulate)
    assert rows == planned()
    assert driver.updates == [STEPS]
    assert trainer.lr_scheduler is driver
    assert logged(trainer) == [bias[0] for bias, _ in planned()]  # the Trainer logs the first group


def test_a_checkpoint_in_the_middle_goes_on_as_the_run_that_never_stopped(tmp_path):
    whole, _, _ = trained(tmp_path, save_strategy="steps", save_steps=17)
    state = torch.load(tmp_path / "checkpoint-17" / "scheduler.pt", weights_only=True)
    assert state["updates"] == [17]
    resumed, driver, rows = trained(tmp_path, resume=str(tmp_path / "checkpoint-17"))
    assert rows == planned(17)
    assert driver.updates == [STEPS]
    assert logged(resumed) == logged(whole)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value)
