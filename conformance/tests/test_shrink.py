import copy
import unittest
from typing import Any

from conformance import worlds
from conformance.shrink import Shrinker


def pulls(case: dict[str, Any]) -> list[Any]:
    """The pull requests that a miner of the case has."""
    people = {m['github_id'] for m in case['miners']}
    return [p for person, items in case['mirror']['pulls'].items() if person in people for p in items]


class TestShrink(unittest.TestCase):
    def test_what_the_difference_needs_is_kept_and_nothing_else(self) -> None:
        case = worlds.case(1)
        before = copy.deepcopy(case)

        def differs(c: dict[str, Any]) -> bool:
            return any(p.get('edited_after_merge') and p.get('linked_issues') for p in pulls(c))

        self.assertTrue(differs(case), 'the world of this seed has no such pull request: take another seed')
        small = Shrinker(case, differs).shrink()
        self.assertEqual(case, before, 'the case itself is not changed')
        self.assertEqual([len(small['miners']), len(small['registry']), len(small['rounds'])], [1, 0, 1])
        self.assertEqual([len(pulls(small)), len(pulls(small)[0]['linked_issues']), len(pulls(small)[0]['labels'])], [1, 1, 0])
        self.assertEqual(small['mirror']['files'], {})

    def test_a_later_round_keeps_what_is_in_force(self) -> None:
        case = worlds.case(2)
        case['rounds'] = [{'as_of': 'a'}, {'as_of': 'b', 'registry': {'x/y': {}}}, {'as_of': 'c'}]
        small = Shrinker(
            case, lambda c: c['rounds'][-1]['as_of'] == 'c' and 'x/y' in c['registry'] | c['rounds'][-1].get('registry', {})
        ).shrink()
        self.assertEqual(small['registry'], {'x/y': {}})
        self.assertEqual(len(small['rounds']), 1)

    def test_it_ends_in_time_with_the_smallest_so_far(self) -> None:
        case = worlds.case(3)
        small = Shrinker(case, lambda _: True, seconds=0).shrink()
        self.assertEqual(small, case)
