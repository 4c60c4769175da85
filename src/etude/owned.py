"""Values that move as tensors: one buffer that the driver owns, written in place, so that a compiled step stays one graph.

torch.compile takes a number in a parameter group for a constant, and compiles anew for each new one: up to eight times, and then
never again, without a word. A tensor is read where it lies. `lr` and `betas` may be tensors; `weight_decay` and `momentum`
are compared with 0 first, which no graph can hold for a tensor: they are `Moving`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .errors import need
from .plan import BLOCK, Plan

CHUNK = 1_024
"""Steps whose values are brought to the buffer's device at a time."""


class Moving:
    """A number that lies in a tensor and is never 0 to a comparison, so that no step has to wait for it.

    Only what optimizers do with a weight decay or a momentum is defined: compare it with 0, multiply by it, add with it as alpha.
    """

    def __init__(self, tensor: Any) -> None:
        self.tensor = tensor

    def __repr__(self) -> str:
        return f"{float(self):g}"

    def __float__(self) -> float:
        return float(self.tensor)

    def __ne__(self, other: object) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return False

    def __gt__(self, other: object) -> bool:
        return True

    __hash__ = object.__hash__

    def __mul__(self, other: Any) -> Any:
        return self.tensor * other

    def __rmul__(self, other: Any) -> Any:
        return other * self.tensor

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        plain = [one.tensor if isinstance(one, Moving) else one for one in args]
        if isinstance(kwargs.get("alpha"), Moving):  # a + alpha b, whose alpha must be a number
            alpha = kwargs.pop("alpha").tensor
            plain[1] = [one * alpha for one in plain[1]] if isinstance(plain[1], list | tuple) else plain[1] * alpha
        return function(*plain, **kwargs)


class Place(NamedTuple):
    """Where a value goes, a parameter group's key; and where it comes from, a curve of the plan and what multiplies it."""

    group: dict[str, Any]
    key: str
    curve: int
    base: float


class Owned:
    """The buffer of one optimizer's values on one device.

    Args:
        places: Where they go.
        device: Where the buffer lies.
    """

    def __init__(self, places: Sequence[Place], device: Any) -> None:
        torch = need("torch")
        self.device, self.places = device, places
        self.buffer = torch.zeros(len(places), dtype=torch.float32, device=device)
        self.held = [self._held(place, self.buffer[index]) for index, place in enumerate(places)]
        self.first = self.size = 0

    def fits(self, places: Sequence[Place], device: Any) -> bool:
        """Whether the same values lie here: then a step that was compiled or captured goes on reading this buffer."""
        here, there = ([(place.key, place.group.get("name")) for place in ones] for ones in (self.places, places))
        return bool(device == self.device and here == there)

    def tie(self, plan: Plan, places: Sequence[Place]) -> None:
        """Have groups hold the values of the buffer, which follow a plan from now on."""
        self.plan, self.places = plan, places
        self.first = self.size = 0
        for place, value in zip(places, self.held, strict=True):
            if place.key == "betas":
                for held, number in zip(value[1:], place.group["betas"][1:], strict=True):
                    held.fill_(float(number))
            place.group[place.key] = value

    def _held(self, place: Place, view: Any) -> Any:
        """Return what a group holds for a value."""
        if place.key == "betas":
            torch = need("torch")
            others = [torch.tensor(float(one), dtype=torch.float32, device=self.device) for one in place.group["betas"][1:]]
            return (view, *others)
        return view if place.key == "lr" else Moving(view)

    def write(self, updates: int) -> None:
        """Bring the values of an update into the buffer: one copy on its device."""
        if not 0 <= updates - self.first < self.size:
            self._load(updates)
        self.buffer.copy_(self.rows[updates - self.first])

    def _load(self, updates: int) -> None:
        torch = need("torch")
        np = need("numpy")
        if updates >= self.plan.total:  # held from the run's end on
            levels = self.plan.levels(self.plan.tick(updates))
            rows = np.array([[place.base * levels[place.curve] for place in self.places]])
            self.first = updates
        else:
            number, inside = divmod(updates, BLOCK)
            start = inside - inside % CHUNK
            curves = self.plan.block(number)
            rows = np.stack([place.base * curves[place.curve][start : start + CHUNK] for place in self.places], axis=1)
            self.first = number * BLOCK + start
        self.size = len(rows)
        self.rows = torch.from_numpy(rows.astype(np.float32)).to(self.device)

    def release(self) -> None:
        """Leave the values in the groups as numbers."""
        for place, value in zip(self.places, self.held, strict=True):
            if place.group[place.key] is value:  # and not another driver's by now
                place.group[place.key] = _number(value)

    def changed(self) -> tuple[Place, Any] | None:
        """Return a place in which something else was put, and what belongs there; None where all is as it was."""
        for place, value in zip(self.places, self.held, strict=True):
            if place.group[place.key] is not value:
                return place, value
        return None


def numbers(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return an optimizer's state with numbers in place of the tensors of a driver: what any checkpoint can hold."""
    groups = [{key: _number(value) if key in _KEYS else value for key, value in group.items()} for group in state["param_groups"]]
    return {**state, "param_groups": groups}


_KEYS = ("lr", "momentum", "betas", "weight_decay")


def _number(value: Any) -> Any:
    return tuple(map(float, value)) if isinstance(value, tuple) else float(value)
