"""Holds the product's scores to a checkout of the validator.

The package drives the validator's own code, with its clock frozen and without a chain or a network, over worlds that
are made from a seed, over pairs of files, and over registries and weights. It compares each figure with what the
product makes of the same input. Equal means equal to the last bit.

A difference is shrunk to the smallest world that still shows it, named by the rule that differs, and written as a case
of the form that worker/parity runs. Nothing of the validator's code is here, and nothing of a checkout is changed.

`python3.12 -m conformance --help` lists the commands. docs/conform.md describes them.
"""

import sys

# The commands need tomllib and datetime.UTC. The validator itself needs a later Python: packages.WANTED.
OLDEST = (3, 11)


def too_old(version):
    """What to say to a Python that cannot run the commands, or nothing. Annotations would be an error of the oldest ones."""
    if tuple(version[:2]) >= OLDEST:
        return ''
    return 'conform: this is Python {}.{}, and the commands need {}.{} or later: make conform PYTHON=PATH'.format(*version[:2], *OLDEST)


# Before anything else is imported: what is missing in an older Python would end it with 1, which means a difference.
if too_old(sys.version_info):
    print(too_old(sys.version_info), file=sys.stderr)
    raise SystemExit(2)
