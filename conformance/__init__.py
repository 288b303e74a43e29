"""Holds the product's scores to a checkout of the validator.

The package drives the validator's own code, with its clock frozen and without a chain or a network, over worlds that
are made from a seed, over pairs of files, and over registries and weights. It compares each figure with what the
product makes of the same input. Equal means equal to the last bit.

A difference is shrunk to the smallest world that still shows it, named by the rule that differs, and written as a case
of the form that worker/parity runs. Nothing of the validator's code is here, and nothing of a checkout is changed.

`python3.12 -m conformance --help` lists the commands. docs/conform.md describes them.
"""
