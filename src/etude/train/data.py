"""Data and models: the embedded digits, and whatever "module:function" names."""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from pathlib import Path
from typing import Any

from ..errors import InputError, need


def digits() -> tuple[Any, Any]:
    """Return scikit-learn's bundled digits: the first 600 to train on, the other 1,197 to test on.

    Images are float32 (3, 16, 16): the 8x8 scans doubled bilinearly, so that a ResNet's stem leaves more than one pixel,
    brought to mean 0 and deviation 1 of the training images, in three equal channels for models made for photographs.
    Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998.
    """
    torch = need("torch")
    scans = need("sklearn.datasets").load_digits()
    images = torch.tensor(scans.images, dtype=torch.float32)[:, None]
    images = torch.nn.functional.interpolate(images, scale_factor=2, mode="bilinear")
    images = ((images - images[:600].mean()) / images[:600].std()).repeat(1, 3, 1, 1)
    labels = torch.tensor(scans.target)
    dataset = torch.utils.data.TensorDataset
    return dataset(images[:600], labels[:600]), dataset(images[600:], labels[600:])


def load_data(name: str) -> tuple[Any, Any]:
    """Return (training set, test set) from "module:function": datasets with a length, of (input, label) pairs."""
    data = _call(name, "data", find(name, "data"))
    if not (
        isinstance(data, tuple | list) and len(data) == 2 and all(hasattr(part, "__getitem__") and len(part) for part in data)
    ):
        raise InputError(f"data {name!r} must return (training set, test set), datasets with a length; got {type(data).__name__}")
    return data[0], data[1]


def load_model(name: str, classes: int | None) -> Any:
    """Return the torch module that "module:function" makes, told the number of classes where it can take it."""
    make = find(name, "model")
    try:
        takes = inspect.signature(make).parameters.values()
    except (TypeError, ValueError):
        takes = ()  # type: ignore[assignment]
    told = any(one.name == "num_classes" or one.kind is one.VAR_KEYWORD for one in takes)
    model = _call(name, "model", make, **({"num_classes": classes} if told and classes else {}))
    if not isinstance(model, need("torch").nn.Module):
        raise InputError(f"model {name!r} must return a torch.nn.Module, got {type(model).__name__}")
    return model


def _call(name: str, what: str, function: Any, **arguments: Any) -> Any:
    """Call a user's function; what it raises is told in one line, with the place."""
    try:
        return function(**arguments)
    except InputError:
        raise
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{frame.filename}:{frame.lineno}"
        raise InputError(f"{what} {name!r} failed: {type(error).__name__}: {error} ({place})") from error


def classes(dataset: Any) -> int | None:
    """Return how many classes a dataset has, where it tells."""
    while hasattr(dataset, "dataset") and not hasattr(dataset, "classes"):
        dataset = dataset.dataset  # a Subset tells what it is a part of
    if hasattr(dataset, "classes"):
        return len(dataset.classes)
    if hasattr(dataset, "tensors"):
        return int(dataset.tensors[1].max()) + 1
    return None


def find(name: str, what: str) -> Any:
    """Import "module:function", also from the current folder; torchvision:resnet18 is torchvision.models:resnet18."""
    home, colon, function = name.partition(":")
    if not (home and colon and function):
        raise InputError(f"{what} must be 'module:function', got {name!r}")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(home)
        if not hasattr(module, function) and home == "torchvision":
            module = importlib.import_module("torchvision.models")
    except (Exception, SystemExit) as error:  # a broken torchvision raises RuntimeError, a user's module anything
        raise InputError(f"{what} {name!r} can't be imported: {type(error).__name__}: {error}") from error
    if not callable(getattr(module, function, None)):
        raise InputError(f"{what} {name!r}: module {home!r} has no function {function!r}")
    return getattr(module, function)
