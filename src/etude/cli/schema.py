"""`etude schema`: the form of a recipe file, for editors."""

from __future__ import annotations

import json

import click

from ..schema import recipe_schema


@click.command()
def schema() -> None:
    """Print the JSON Schema of recipe files, for completion and checks in an editor."""
    click.echo(json.dumps(recipe_schema(), indent=2, ensure_ascii=False))
