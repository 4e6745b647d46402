"""What the person at the terminal is told."""

import sys

import click


def say(message: str = "") -> None:
    """Print a line, at once."""
    click.echo(message)
    sys.stdout.flush()


def say_wait(why: str, seconds: float) -> None:
    """Tell of a wait for Shopify that is about to begin."""
    say(f"  {why}; asking again in {seconds:.0f} s …")
