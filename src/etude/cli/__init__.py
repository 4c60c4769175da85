"""The command line: `etude COMMAND`. Each command is one small file, imported when it is called."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from .. import __version__
from ..errors import InputError, did_you_mean

COMMANDS = ("show", "table", "plot", "train", "resume", "audit", "schema")


class Commands(click.Group):
    """A group whose commands are imported at their first use, and that turns bad input into one line and exit code 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"etude.cli.{cmd_name}"), cmd_name)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise InputError(f"no command {args[0]!r}{did_you_mean(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **{**kwargs, "standalone_mode": False})
        except InputError as error:
            _tell(str(error))
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message())
            sys.exit(0)
        except click.ClickException as error:
            _tell(error.format_message())
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `etude table ... | head` has what it wanted
            sys.exit(0)
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left in its buffer has no place to go
            _tell(f"the output can't be written: {error.strerror}")


def _tell(message: str) -> None:
    """Print a mistake, a line each, without what would steer the terminal, and leave with exit code 2."""
    for line in message.split("\n"):
        shown = printable(line)
        click.echo(f"etude: {shown if len(shown) <= 600 else shown[:597] + '...'}", err=True)
    sys.exit(2)


def printable(line: str) -> str:
    """Return a line without what would steer the terminal."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="etude")
def main() -> None:
    """etude: the learning-rate schedule as a value.

    RECIPE is a path of a recipe file or of another framework's config (YOLOv5's hyp.yaml, MMDetection's configs, PaddleOCR's,
    timm's and others), the name of a ready recipe (yolov5, cosine, warmup-cosine, wsd, one-cycle), or a schedule
    expression such as 'chain(linear(0, 1, over="5%"), cosine(1, 0))', read as SGD with base value 1 (--lr overrides it).
    """
