import unittest
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from conformance.checkout import constants_in
from conformance.compare import ABSENT, Difference
from conformance.naming import RULES, Namer, rule_of

PULL = ('0', 'miners', '7', 'pull_requests', 'a/b#1')


def namer(constants: dict[str, Any] | None = None, pinned: dict[str, str] | None = None) -> Namer:
    checkout: Any = SimpleNamespace(constants=lambda: constants or {}, pinned=lambda: pinned or {}, digest=lambda _: None)
    return Namer(checkout, {'constants': {'TIME_DECAY_GRACE_PERIOD_HOURS': 12}, 'packages': {'tree-sitter': '0.24.0'}, 'files': {}})


class TestNaming(unittest.TestCase):
    def test_the_first_figure_of_the_first_round_names_the_rule(self) -> None:
        decay = Difference((*PULL, 'time_decay_multiplier'), 0.98, 1.0)
        total = Difference(('0', 'miners', '7', 'total_score'), 3.1, 3.2)
        later = Difference(('1', 'windows', 'pulls', 'a/b'), 'x', 'y')
        self.assertEqual(rule_of([total, later, decay]), ('time decay', decay))
        self.assertEqual(rule_of([Difference(('0', 'rewards', '7'), 1, 2), total])[0], 'sums of a miner')
        self.assertEqual(rule_of([Difference((*PULL[:4], 'a/b#2'), ABSENT, {})])[0], 'merge gate')

    def test_a_changed_constant_is_named_with_both_values(self) -> None:
        d = [Difference((*PULL, 'time_decay_multiplier'), 0.98, 1.0)]
        self.assertEqual(str(namer({'TIME_DECAY_GRACE_PERIOD_HOURS': 24}).name(d)), 'time decay: grace period 12 → 24')

    def test_rounding_and_order_of_sums_are_told_from_the_numbers(self) -> None:
        same = {'TIME_DECAY_GRACE_PERIOD_HOURS': 12}
        self.assertEqual(str(namer(same).name([Difference((*PULL, 'time_decay_multiplier'), 0.98, 0.976)])), 'time decay: rounding')
        self.assertEqual(str(namer(same).name([Difference((*PULL, 'time_decay_multiplier'), 0.0031, 0.0)])), 'time decay')
        last = [Difference(('0', 'miners', '7', 'total_score'), 0.1 + 0.2, 0.3)]
        self.assertEqual(str(namer(same).name(last)), 'sums of a miner: order of sums')

    def test_a_parser_is_named_by_its_package(self) -> None:
        d = [Difference(('0', 'files', 'a/b#1', 'file list', 'x.py', 'nodes'), 7, 8)]
        said = str(namer({'TIME_DECAY_GRACE_PERIOD_HOURS': 12}, {'tree-sitter': '0.25.0'}).name(d))
        self.assertIn('tree diff: tree-sitter 0.24.0 → 0.25.0', said)

    def test_a_gate_is_named_by_the_products_reason(self) -> None:
        dropped = [{'repository': 'a/b', 'number': 1, 'reason': {'code': 'self-merged-without-approval'}}]
        ours = [{'outcome': {'miners': {'7': {'dropped': dropped}}}}]
        said = namer({'TIME_DECAY_GRACE_PERIOD_HOURS': 12}).name([Difference(PULL, ABSENT, {})], ours)
        self.assertEqual(str(said), 'merge gate: self-merged-without-approval')

    def test_each_rule_is_one_of_the_documents(self) -> None:
        page = (Path(__file__).resolve().parents[2] / 'docs/conform.md').read_text()
        for _, _, rule in RULES:
            self.assertIn(f'| {rule} |', page)

    def test_constants_are_read_without_being_run(self) -> None:
        source = (
            'import os\nA = 1\nB = 2 * 3\nC = frozenset({"y", "x"})\nD = os.sep\nE: int = 24 * (60 - 1)\nF: float\nG = 1 / 0\nH = 2 * A\n'
        )
        self.assertEqual(constants_in(source), {'A': 1, 'B': 6, 'C': ['x', 'y'], 'E': 1416})
