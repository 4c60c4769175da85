"""From the settings of a golden record to what its framework's user would hand to `etude.read`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import etude
from etude import Group


@dataclass
class Case:
    """What is read to recreate a record.

    Args:
        description: The recipe in the framework's own terms.
        dialect: The framework to insist on, where the content doesn't tell.
        facts: Facts of the run that the framework takes from elsewhere.
        first: The index of the first recorded step.
        stride: How many steps lie between two that were recorded.
        metrics: (updates made, value) of what a plateau was fed.
        groups: Parameter groups that were recorded, in place of those that the description makes.
    """

    description: Any
    dialect: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    first: int = 0
    stride: int = 1
    metrics: Sequence[tuple[int, float]] = ()
    groups: dict[str, Group] = field(default_factory=dict)


Record = Mapping[str, Any]


def _fed(metrics: Sequence[float]) -> list[tuple[int, float]]:
    return [(update + 1, value) for update, value in enumerate(metrics)]


def _torch(record: Record) -> Case:
    settings = record["settings"]
    kept = {key: settings[key] for key in ("scheduler", "optimizer", "initial_lr", "step_argument") if key in settings}
    return Case({**kept, "run": {"steps": settings["n_steps"]}}, metrics=_fed(settings.get("metrics", [])))


def _keras(record: Record) -> Case:
    settings = dict(record["settings"])
    stride = settings.pop("iteration_stride", settings.pop("global_step_stride", 1))
    metrics = settings.pop("metrics", [])
    for about in ("version", "call", "x0", "monitor"):
        settings.pop(about, None)
    if "callback" in settings:
        run = {"epochs": record["total_steps"], "steps_per_epoch": 1}
        return Case({**settings, "run": run}, metrics=_fed(metrics))
    run = {"steps": settings.pop("n_steps") * stride}
    return Case({**settings, "precision": "float32", "run": run}, stride=stride)


def _batches(record: Record, size: int) -> dict[str, Any]:
    """Return the facts of a run of so many batches."""
    return {"epochs": record["epochs"], "batch_size": size, "samples": record["iters_per_epoch"] * size}


def _yolov5(record: Record) -> Case:
    settings = record["settings"]
    kept = {key: settings[key] for key in ("hyp", "cos_lr", "nbs", "optimizer", "resume_epoch")}
    return Case(kept, "yolov5", _batches(record, settings["batch_size"]), first=settings["first_ni"])


def _yolov5_classify(record: Record) -> Case:
    kept = {key: value for key, value in record["settings"].items() if key != "scheduler_step"}
    return Case(kept, "yolov5", _batches(record, 1))


def _yolov5_tutorial(record: Record) -> Case:
    settings = record["settings"]
    kept = {key: value for key, value in settings.items() if key not in ("warmup_condition", "last_epoch_set", "first_ni", "lf")}
    return Case(
        {**kept, "loop": "tutorial", "cos_lr": "cos" in settings["lf"]}, "yolov5", _batches(record, settings["batch_size"])
    )


def _ultralytics(record: Record) -> Case:
    about = ("nb", "nw", "after_build", "optimizer_class", "build_iterations", "scheduler_step", "batch_size")
    settings = record["settings"]
    kept = {key: value for key, value in settings.items() if key not in about}
    if settings["version"] == "8.3.40":
        kept["nc"] = 10  # it asks the model, and the one that was recorded has no nc: then it takes 10
    return Case(kept, "ultralytics", _batches(record, settings["batch_size"]))


def _yolox(record: Record) -> Case:
    settings = {key: value for key, value in record["settings"].items() if key not in ("index_note", "exp", "lr", "note")}
    if "basic_lr_per_img" in settings:
        return Case(settings, "yolox", {"steps_per_epoch": record["iters_per_epoch"]})
    return Case({**settings, "lr": record["settings"]["lr"]}, "yolox")


def _bubbliiiing(record: Record) -> Case:
    about = ("use", "lr_limits", "fit_from_epoch", "epoch_step_runs")
    return Case({key: value for key, value in record["settings"].items() if key not in about}, "bubbliiiing")


def _paddleocr(record: Record) -> Case:
    settings = record["settings"]
    view = {"view": "tutorial"} if settings.get("mode") == "tutorial" else {}
    optimizer = settings.get("optimizer", {"name": "Adam"})  # where it refused, the rate alone is recorded
    config = {"Global": {"epoch_num": settings["epochs"]}, "Optimizer": {**optimizer, "lr": settings["lr"]}, **view}
    return Case(config, "paddleocr", {"steps_per_epoch": settings["step_each_epoch"]})


def _paddle(record: Record) -> Case:
    settings = record["settings"]
    run = {"steps": settings["n_steps"]}
    return Case({"scheduler": settings["scheduler"], "run": run}, "paddle", metrics=_fed(settings.get("metrics", [])))


def _timm(record: Record) -> Case:
    about = ("num_epochs_returned", "timm", "call", "metrics")
    kept = {key: value for key, value in record["settings"].items() if key not in about}
    kept["optimizer"] = {"momentum": record["momentum_constant"][0], "weight_decay": record["weight_decay"][0]}
    each = record["iters_per_epoch"] or 1
    fed = [((epoch + 1) * each, value) for epoch, value in enumerate(record["settings"].get("metrics", []))]
    return Case(kept, "timm", metrics=fed)


def _transformers(record: Record) -> Case:
    settings = {key: value for key, value in record["settings"].items() if key not in ("transformers", "call")}
    optimizer = {"name": "AdamW", "betas": [0.9, 0.999]}
    description = {**settings, "weight_decay": record["weight_decay"], "optimizer": optimizer}
    return Case(description, "transformers", metrics=_fed(settings.get("metrics", [])))


def _mm(record: Record, config: dict[str, Any]) -> Case:
    """Return a config of OpenMMLab for the run and the groups that were recorded; of what was refused there are none."""
    facts = {"steps_per_epoch": record["iters_per_epoch"]}
    if scale := record.get("auto_scale"):
        config["auto_scale_lr"] = {"enable": True, "base_batch_size": scale["base_batch_size"]}
        facts["batch_size"] = scale["world_size"] * scale["batch_size"]
    groups = {
        group["name"]: Group(pattern=group["name"], lr=group["lr0"], momentum=group.get("momentum0"))
        for group in record.get("groups", [])
    }
    return Case(config, facts=facts, groups=groups)


def _mmcv(record: Record) -> Case:
    config = {key: value for key, value in record["schedule"].items() if value is not None}
    for key in ("lr_config", "momentum_config"):  # what JSON made a list of was a tuple
        if isinstance(config.get(key), dict) and isinstance(config[key].get("target_ratio"), list):
            config[key] = {**config[key], "target_ratio": tuple(config[key]["target_ratio"])}
    case = _mm(record, {"lr_config": None, "optimizer": record["optimizer"], **config})
    tops = config.get("lr_config", {}).get("max_lr")
    if isinstance(tops, list):  # one for each group
        each = [{**case.description, "lr_config": {**config["lr_config"], "max_lr": top}} for top in tops]
        case.description, names = each[0], list(case.groups)
        for name, one in zip(names, each, strict=True):
            curve = etude.read(one).override(**case.facts).schedules["lr"]
            case.groups[name] = replace(case.groups[name], schedules={"lr": curve})
    return case


def _mmengine(record: Record) -> Case:
    if "schedule" in record:
        return _mm(record, {"optim_wrapper": {"optimizer": record["optimizer"]}, **record["schedule"]})
    settings = record["settings"]
    config = {
        "optim_wrapper": {
            "optimizer": {"type": settings["optimizer"], "lr": settings["lr"][0], "momentum": settings["momentum"]}
        },
        "param_scheduler": settings["schedulers"],
        "train_cfg": {"by_epoch": True, "max_epochs": settings["epochs"]},
    }
    fed = [((epoch + 1) * settings["iters"], value) for epoch, value in enumerate(settings.get("metrics", []))]
    groups = {f"group{index}": Group(pattern=f"group{index}.*", lr=lr) for index, lr in enumerate(settings["lr"])}
    return Case(config, facts={"steps_per_epoch": settings["iters"]}, metrics=fed, groups=groups)


CASES: dict[str, Callable[[Record], Case]] = {
    "torch": _torch,
    "keras": _keras,
    "tf1": _keras,
    "tf": _keras,
    "yolov5": _yolov5,
    "yolov5-classify": _yolov5_classify,
    "yolov5-tutorial": _yolov5_tutorial,
    "ultralytics": _ultralytics,
    "yolox": _yolox,
    "bubbliiiing": _bubbliiiing,
    "paddleocr": _paddleocr,
    "paddle": _paddle,
    "timm": _timm,
    "hf": _transformers,
    "mmcv1": _mmcv,
    "mmengine": _mmengine,
}
