"""Recipes that were read from a framework's own settings, and are read again for another run.

What a framework makes of its settings may follow from the run: YOLOv5 scales the weight decay by the batch size, Ultralytics
picks an optimizer by the number of updates. So a recipe keeps where it comes from, and where facts of the run are missing it
is a draft.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .errors import InputError, MissingFactError
from .recipe import Recipe
from .run import Run

if TYPE_CHECKING:
    from .plan import Plan


@dataclass(frozen=True)
class Origin:
    """Where a foreign recipe was read from.

    Args:
        read: Reads it for the facts of a run, which fill in or override the file's own.
        where: The file, or what else it is, for messages.
        name: The name of the recipe; what `read` calls it where there is none.
        facts: The facts that were given beside the file.
        lr: A base learning rate that was given beside the file.
    """

    read: Callable[[Run], Recipe]
    where: str = "recipe"
    name: str | None = None
    facts: Run = field(default_factory=Run)
    lr: float | None = None

    def recipe(self) -> Recipe:
        """Return the recipe, or a draft of it while facts are missing."""
        try:
            recipe = self.read(self.facts)
        except MissingFactError as error:
            return Draft(self, MissingFactError(f"{self.where}: {error}"))
        except InputError as error:
            raise InputError(f"{self.where}: {error}") from None
        except Exception as error:  # a file may hold anything
            problem = " ".join(str(error).split())[:200]
            raise InputError(f"{self.where} can't be read: {type(error).__name__}: {problem}") from error
        if self.lr is not None:
            recipe = replace(recipe, optimizer=replace(recipe.optimizer, lr=self.lr))
        return replace(recipe, name=self.name or recipe.name, origin=self)

    def override(self, recipe: Recipe, lr: float | None, facts: Mapping[str, Any]) -> Recipe:
        """Return `recipe`, read from here, with another base learning rate or other facts of its run."""
        lr = self.lr if lr is None else lr
        if isinstance(recipe, Draft) or any(value is not None for value in facts.values()):
            return self._again(recipe, self.facts.override(**facts), lr)
        if lr is None or lr == self.lr:
            return recipe
        return replace(recipe, optimizer=replace(recipe.optimizer, lr=lr), origin=replace(self, lr=lr))

    def fitted(self, recipe: Recipe, run: Run | None) -> Recipe:
        """Return `recipe`, read from here, for a run; its own by default."""
        if run is None or run == recipe.run:
            return recipe
        found = self._again(recipe, run, self.lr)
        if isinstance(found, Draft):
            raise found.missing
        return found

    def _again(self, recipe: Recipe, facts: Run, lr: float | None) -> Recipe:
        if not isinstance(recipe, Draft) and recipe != self.recipe():
            raise InputError(
                f"{recipe.name} was changed since it was read for another run, from whose facts its values follow: "
                "give the run first, as in etude.read(...).override(epochs=...)"
            )
        return replace(self, facts=facts, lr=lr).recipe()


class Draft(Recipe):
    """A foreign recipe that still waits for facts of its run: `override` or `plan` gives them, all else asks for them."""

    missing: MissingFactError

    def __init__(self, origin: Origin, missing: MissingFactError) -> None:
        for name, value in (
            ("origin", origin),
            ("name", origin.name or origin.where),
            ("run", origin.facts),
            ("missing", missing),
        ):
            object.__setattr__(self, name, value)

    def __getattribute__(self, name: str) -> Any:
        if name in ("optimizer", "groups", "schedules", "clock", "train", "notes"):
            raise self.missing
        return object.__getattribute__(self, name)

    def __repr__(self) -> str:
        return f"<draft: {self.missing}>"

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    def plan(self, run: Run | None = None) -> Plan:
        """Return the plan of a run that has the missing facts."""
        if run is None:
            raise self.missing
        return super().plan(run)
