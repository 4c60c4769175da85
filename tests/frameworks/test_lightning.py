"""Lightning takes the driver as a scheduler: under automatic and manual optimization, accumulating, and from a checkpoint."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import etude
from tests.frameworks import NAMES, PLAN, RECIPE, STEPS, network, planned, recorded

lightning = pytest.importorskip("lightning.pytorch")

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning"),  # Lightning's own use of torch
    pytest.mark.filterwarnings("ignore:.*does not have many workers:UserWarning"),  # advice on speed
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty:UserWarning"),  # it is meant
    pytest.mark.filterwarnings("ignore:.*your dataloader is not resumable:UserWarning"),  # nothing here depends on its data
]


def batches(count):
    return torch.utils.data.DataLoader(torch.zeros(count))


def loss_of(net, epoch, index):
    """A loss whose data follow from the place in the run, so that a resumed run sees the same."""
    data = torch.randn(5, 3, generator=torch.Generator().manual_seed(1000 * epoch + index))
    return net(data).square().mean()


class Automatic(lightning.LightningModule):
    """One optimizer; Lightning calls everything."""

    def __init__(self, recipe=RECIPE, **how):
        super().__init__()
        self.net, self.recipe, self.how = network(), recipe, how or {"interval": "step"}

    def configure_optimizers(self):
        optimizer = etude.torch.build(self.net, self.recipe)
        self.driver = etude.torch.drive(optimizer, self.recipe.plan())
        self.rows = recorded(optimizer)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": self.driver, **self.how}}

    def training_step(self, batch, index):
        return loss_of(self.net, self.current_epoch, index)


def trainer(folder, **arguments):
    return lightning.Trainer(
        accelerator="cpu",
        default_root_dir=folder,
        enable_model_summary=False,
        enable_progress_bar=False,
        logger=False,
        **{"enable_checkpointing": False, "max_steps": STEPS, **arguments},
    )


def weights(module):
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


def test_automatic_optimization(tmp_path):
    module = Automatic()
    trainer(tmp_path).fit(module, batches(25))
    assert module.rows == planned()
    assert module.driver.updates == [STEPS]


def test_accumulation_counts_updates_also_at_an_epochs_incomplete_end(tmp_path):
    module = Automatic()
    trainer(tmp_path, accumulate_grad_batches=4).fit(module, batches(10))  # 3 updates an epoch, the last of 2 batches
    assert module.rows == planned()


def test_lightnings_default_interval_is_the_epoch_and_does_not_matter(tmp_path):
    """Lightning#5631, #6948: a schedule that is built for updates moves once an epoch; here its warmup is not even begun."""

    class Default(Automatic):
        def configure_optimizers(self):
            made = super().configure_optimizers()
            return [made["optimizer"]], [self.driver]

    class Peer(Automatic):
        def configure_optimizers(self):
            optimizer = torch.optim.SGD(self.net.parameters(), lr=0.05, momentum=0.9, weight_decay=0.01)
            self.rows = recorded(optimizer)
            return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=STEPS)]

    module, peer = Default(), Peer()
    for one in (module, peer):
        trainer(tmp_path).fit(one, batches(30))
    assert module.rows == planned()
    rate = [row[0][0] for row in peer.rows]
    assert rate[:30] == [0.05] * 30  # wanted: 0.05 down to 0.026
    assert rate[-1] == pytest.approx(0.05, rel=1e-3)  # wanted: 3.4e-5


@pytest.mark.parametrize("accumulate", [1, 4])
def test_a_checkpoint_in_the_middle_goes_on_as_the_run_that_never_stopped(tmp_path, accumulate):
    def saving():
        return lightning.callbacks.ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=17, save_top_k=-1)

    whole, resumed = Automatic(), Automatic()
    arguments = {"accumulate_grad_batches": accumulate, "enable_checkpointing": True}
    trainer(tmp_path, callbacks=[saving()], **arguments).fit(whole, batches(100))
    state = torch.load(tmp_path / "step=17.ckpt", weights_only=True)
    assert state["lr_schedulers"][0]["updates"] == [17]
    trainer(tmp_path, callbacks=[saving()], **arguments).fit(resumed, batches(100), ckpt_path=tmp_path / "step=17.ckpt")
    assert resumed.rows == planned(17)
    assert resumed.driver.updates == [STEPS]
    assert torch.equal(weights(resumed), weights(whole))


class Manual(lightning.LightningModule):
    """Two optimizers under one driver: the second makes an update in every third batch."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.nets = nn.ModuleList([network(), network()])

    def configure_optimizers(self):
        optimizers = [etude.torch.build(net, RECIPE) for net in self.nets]
        self.driver = etude.torch.drive(optimizers, PLAN)
        self.rows = [recorded(optimizer) for optimizer in optimizers]
        return optimizers, [self.driver]

    def training_step(self, batch, index):
        for net, optimizer in zip(self.nets, self.optimizers(), strict=True):
            if net is self.nets[0] or index % 3 == 0:
                optimizer.zero_grad()
                self.manual_backward(loss_of(net, self.current_epoch, index))
                optimizer.step()
        self.lr_schedulers().step()


def test_manual_optimization_with_two_optimizers(tmp_path):
    whole, resumed = Manual(), Manual()

    class Saving(lightning.Callback):
        def on_train_batch_end(self, trainer, module, outputs, batch, index):
            if index == 23:
                trainer.save_checkpoint(tmp_path / "middle.ckpt")

    trainer(tmp_path, max_steps=-1, max_epochs=1, callbacks=[Saving()]).fit(whole, batches(STEPS))
    assert whole.rows == [planned(), planned(0, 20)]
    assert whole.driver.updates == [60, 20]
    trainer(tmp_path, max_steps=-1, max_epochs=1).fit(resumed, batches(STEPS), ckpt_path=tmp_path / "middle.ckpt")
    assert resumed.rows == [planned(24), planned(8, 20)]
    assert torch.equal(weights(resumed), weights(whole))


def test_a_plateau_gets_what_lightning_monitors(tmp_path):
    class Watching(Automatic):
        def validation_step(self, batch, index):
            self.log("val_loss", 1.0)  # never better than at first

    recipe = etude.read("plateau(0.1, patience=1)").override(lr=0.05, steps=STEPS)
    module = Watching(recipe, interval="epoch", reduce_on_plateau=True, monitor="val_loss")
    trainer(tmp_path, num_sanity_val_steps=0).fit(module, batches(10), batches(1))
    assert [(made, value) for made, _, value in module.driver.metrics] == [([10 * epoch], 1.0) for epoch in range(1, 7)]
    assert [row[0][NAMES.index("lr")] for row in module.rows] == list(map(float, module.driver.plan.table()["lr"][:, 0]))
    assert module.rows[-1][0][0] == pytest.approx(0.0005)
