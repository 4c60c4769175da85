"""Recipes that were read from a framework's own settings, and are read again for another run.

What a framework makes of its settings may follow from the run: YOLOv5 scales the weight decay by the batch size, Ultralytics
picks an optimizer by the number of updates. So a recipe keeps where it comes from, and where facts of the run are missing it
is a draft.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .errors import InputError, MissingFactError, told
from .recipe import Recipe, Training
from .run import Facts, Run, given_facts

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
    """

    read: Callable[[Facts], Recipe]
    where: str = "recipe"
    name: str | None = None
    facts: Facts = field(default_factory=dict)

    def recipe(self) -> Recipe:
        """Return the recipe, or a draft of it while facts are missing."""
        try:
            recipe = self.read(self.facts)
        except MissingFactError as error:
            return Draft(self, MissingFactError(f"{self.where}: {error}"))
        except Exception as error:  # a file may hold anything
            raise told(error, self.where) from error
        return replace(recipe, name=self.name or recipe.name, origin=self)

    def override(self, recipe: Recipe, lr: float | None, facts: Facts) -> Recipe:
        """Return `recipe`, read from here, with other facts of its run; what else follows from its rate is its framework's."""
        if lr is not None:
            raise InputError(
                f"{self.where}: --lr is for recipes of etude; say it in this one's own words, as in --set KEY={lr:g}"
            )
        given = given_facts(facts)
        if not given and not isinstance(recipe, Draft):
            return recipe
        return self._again(recipe, {name: fact for name, fact in {**self.facts, **given}.items() if fact not in (None, ())})

    def plan(self, recipe: Recipe, run: Run | None) -> Plan:
        """Return the plan of `recipe`, read from here, for a run; its own by default."""
        from .plan import Plan

        if run is not None and run != recipe.run:
            recipe = self._again(recipe, self._given(recipe.run, run))
        if isinstance(recipe, Draft):
            raise recipe.missing
        try:
            return Plan(recipe, recipe.run)
        except InputError as error:
            raise told(error, self.where) from None

    def _given(self, own: Run, run: Run) -> dict[str, Any]:
        """Return the facts to read with for a run: those given before, and those in which it differs from the recipe's own."""
        changed = {name: fact for name, fact in run.to_facts().items() if fact != getattr(own, name)}
        return {name: fact for name, fact in {**self.facts, **given_facts(changed)}.items() if fact not in (None, ())}

    def _again(self, recipe: Recipe, facts: Facts) -> Recipe:
        if not isinstance(recipe, Draft) and recipe != self.recipe():
            raise InputError(
                f"{recipe.name} was changed since it was read for another run, from whose facts its values follow: "
                "give the run first, as in etude.read(...).override(epochs=...)"
            )
        return replace(self, facts=facts).recipe()


class Draft(Recipe):
    """A foreign recipe that still waits for facts of its run: `override` or `plan` gives them, all else asks for them."""

    missing: MissingFactError

    def __init__(self, origin: Origin, missing: MissingFactError) -> None:
        known = {"name": origin.name or origin.where, "run": Run().override(**origin.facts), "train": Training()}
        for name, value in {**known, "origin": origin, "missing": missing}.items():
            object.__setattr__(self, name, value)

    def __getattribute__(self, name: str) -> Any:
        if name in ("optimizer", "groups", "schedules", "clock", "notes"):
            raise self.missing
        return object.__getattribute__(self, name)

    def __repr__(self) -> str:
        return f"<draft: {self.missing}>"

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__
