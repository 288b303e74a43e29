import unittest

from conformance.compare import ABSENT, Comparison, compare_rounds, instant


def differ(ours: object, theirs: object, key: str = 'x') -> list[tuple[str, object, object]]:
    c = Comparison()
    c.compare(('0', key), ours, theirs)
    return [('.'.join(d.path), d.ours, d.theirs) for d in c.differences]


class TestCompare(unittest.TestCase):
    def test_equal_means_to_the_last_bit(self) -> None:
        self.assertEqual(differ(0.1 + 0.2, 0.3), [('0.x', 0.1 + 0.2, 0.3)])
        self.assertEqual(differ(1, 1.0), [])
        self.assertEqual(differ(True, 1), [('0.x', True, 1)])

    def test_the_product_may_say_more_but_not_of_data(self) -> None:
        self.assertEqual(differ({'a': 1, 'more': 2}, {'a': 1}), [])
        self.assertEqual(differ({'1': 1, '2': 2}, {'1': 1}, 'rewards'), [('0.rewards.2', 2, ABSENT)])
        self.assertEqual(differ({}, {'a': 1}), [('0.x.a', ABSENT, 1)])

    def test_things_with_names_are_compared_by_name(self) -> None:
        one, two = {'repository': 'a/b', 'number': 1, 'v': 1}, {'repository': 'a/b', 'number': 2, 'v': 2}
        self.assertEqual(differ([two], [one, two], 'pull_requests'), [('0.pull_requests.a/b#1', ABSENT, one)])
        self.assertEqual(differ([one, two], [two, one], 'pull_requests')[0][0], '0.pull_requests.order')
        self.assertEqual(differ([one, one], [one, one], 'pull_requests'), [])

    def test_windows_are_instants(self) -> None:
        self.assertEqual(instant('2026-06-01T00:00:00Z'), instant('2026-06-01T00:00:00+00:00'))
        self.assertEqual(instant('2026-06-01T00:00:00.25Z'), instant('2026-06-01T00:00:00.250000+00:00'))
        ours = [{'windows': {'a/b': '2026-06-01T00:00:00Z'}, 'files': {}, 'outcome': {}}]

        def path(*windows: tuple[str, str, object]) -> list[tuple[str, ...]]:
            theirs = [{'windows': windows, 'files': {}, 'outcome': {}}]
            return [d.path for d in compare_rounds(ours, theirs).differences]

        same = {'a/b': '2026-06-01T00:00:00+00:00'}
        self.assertEqual(path(('7', 'pulls', same), ('7', 'issues', same)), [])
        self.assertEqual(
            path(('7', 'issues', {'a/b': '2026-06-01T01:00:00+00:00'}), ('8', 'issues', same)), [('0', 'windows', '7', 'issues', 'a/b')]
        )
        self.assertEqual(path(('7', 'pulls', {})), [('0', 'windows', '7', 'pulls', 'a/b')], 'a repository that only we ask for')
        self.assertEqual(path(('7', 'pulls', {**same, 'c/d': same['a/b']})), [('0', 'windows', '7', 'pulls', 'c/d')])
        self.assertEqual(path(('7', 'pulls', ABSENT)), [('0', 'windows', '7', 'pulls')], 'a list that only we ask for')
