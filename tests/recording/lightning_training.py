"""Small trainings by Lightning; importing it takes seconds, so that only its tests do."""

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.plugins import MixedPrecision
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lca_analysis.recording.lightning import LightningRecorder

__all__ = ["LightningRecorder", "MixedPrecision"]


class Classifier(LightningModule):
    def __init__(self, fail_at=None):
        super().__init__()
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
        self.fail_at = fail_at
        self.seen = []

    def training_step(self, batch, number):
        if self.global_step == self.fail_at:
            raise RuntimeError("the training fails")
        return nn.functional.cross_entropy(self.model(batch[0]), batch[1])

    def optimizer_step(self, *arguments, **keywords):
        """Keep the weights behind every step, by a way of Lightning's own."""
        super().optimizer_step(*arguments, **keywords)
        self.seen.append(copies(self))

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, 3, gamma=0.5)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def copies(module):
    return {name: tensor.detach().numpy().copy() for name, tensor in module.state_dict().items()}


def batches():
    inputs = torch.randn(48, 4, generator=torch.Generator().manual_seed(1))
    return DataLoader(TensorDataset(inputs, (inputs[:, 0] > 0).long()), batch_size=4)


def fit(module, folder, *callbacks, epochs=1, checkpoint=None, **more):
    silent = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    saving = {"enable_checkpointing": False} if "enable_checkpointing" not in more else {}
    trainer = Trainer(max_epochs=epochs, default_root_dir=folder, callbacks=list(callbacks), **silent, **saving, **more)
    trainer.fit(module, batches(), ckpt_path=checkpoint)
    return trainer


class Two(Classifier):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch, number):
        loss = nn.functional.cross_entropy(self.model(batch[0]), batch[1])
        self.manual_backward(loss)
        for optimizer in self.optimizers():
            optimizer.step()
            optimizer.zero_grad()

    def configure_optimizers(self):
        return [torch.optim.SGD(self.model[layer].parameters(), lr=0.1) for layer in (0, 3)]


class Overflowing(Classifier):
    def training_step(self, batch, number):
        return super().training_step(batch, number) * (float("inf") if number == 2 else 1.0)


class Interrupted(Callback):
    def __init__(self, error):
        self.error = error

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == 5:
            raise self.error("stop")


class SavingTheFirstEpoch(Callback):
    def __init__(self, path):
        self.path = path

    def on_train_epoch_end(self, trainer, *_):
        if trainer.current_epoch == 0:
            trainer.save_checkpoint(self.path)
