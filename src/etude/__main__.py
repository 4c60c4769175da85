"""`python -m etude` is `etude`."""

from .cli import main

main(prog_name="etude")
