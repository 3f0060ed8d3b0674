"""`aipg password`: turn a password into the hash that the configuration holds."""

from __future__ import annotations

import argparse
import getpass
import sys

from aipg_plugin.errors import UsageError
from aipg_plugin.passwords import hashed
from aipg_plugin.settings.rules import SHORTEST_PASSWORD


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `aipg password`."""
    parser.epilog = ("The password is asked for, or read from the first line of standard input. Put the hash in the "
                     "configuration as web.password or web.users.<name>.password, in single quotes.")


def run(_options: argparse.Namespace) -> int:
    """Print the argon2id hash of a password."""
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != password:
            raise UsageError("the two passwords differ", cure="Type the same password twice")
    else:
        password = sys.stdin.readline().rstrip("\n")
    if len(password) < SHORTEST_PASSWORD:
        raise UsageError("the password is shorter than {length} characters", length=SHORTEST_PASSWORD,
                         cure="Use a longer one")
    print(hashed(password))
    return 0
