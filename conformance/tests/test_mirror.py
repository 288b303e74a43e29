import unittest
from types import SimpleNamespace
from typing import Any
from unittest import mock

from conformance.checkout import ConformanceError
from conformance.mirror import Mirror, cut_off

WINDOWS = {'since_by_repo': {'a/b': '2026-06-01T00:00:00+00:00'}}


class Failed(Exception):
    pass


class TestMirror(unittest.TestCase):
    def setUp(self) -> None:
        answers = {
            'pulls': {'7': [{'pr_number': 1}]},
            'issues': {'7': [{'number': 2}]},
            'open_issues': {'7': [{'number': 3}]},
            'files': {'A/b#1': {'files': []}},
            'maintainers': {'a/B': [{'login': 'm'}]},
        }
        self.noted: list[str] = []
        self.mirror = Mirror(answers, {'pulls:8', 'maintainers:c/d'}, Failed, self.noted)

    def test_it_answers_what_it_knows_and_keeps_the_windows(self) -> None:
        ask = self.mirror.answer
        self.assertEqual(ask('POST', '/api/v1/miners/7/pulls', json_body=WINDOWS)['pull_requests'], [{'pr_number': 1}])
        self.assertEqual(ask('POST', '/api/v1/miners/7/issues', json_body=WINDOWS)['issues'], [{'number': 2}])
        self.assertEqual(ask('GET', '/api/v1/miners/7/issues', params=None)['issues'], [{'number': 3}])
        self.assertEqual(ask('GET', '/api/v1/miners/9/pulls')['pull_requests'], [])
        self.assertEqual(ask('GET', '/api/v1/pulls/a/B/1/files'), {'files': []})
        self.assertEqual(ask('GET', '/api/v1/repos/A/b/maintainers')['maintainers'], [{'login': 'm'}])
        windows = WINDOWS['since_by_repo']
        self.assertEqual(self.mirror.windows, [('7', 'pulls', windows), ('7', 'issues', windows), ('9', 'pulls', {})])
        for path in ('/api/v1/miners/8/pulls', '/api/v1/pulls/a/b/2/files', '/api/v1/repos/c/d/maintainers'):
            with self.assertRaises(Failed):
                ask('GET', path)
        self.assertEqual(self.noted, [])

    def test_what_it_does_not_know_is_kept_by_name(self) -> None:
        for method, path, also in (
            ('GET', '/api/v2/miners/7/pulls', {}),
            ('DELETE', '/api/v1/pulls/a/b/1/files', {}),
            ('GET', '/api/v1/repos/a/b/labels', {}),
            ('GET', '/api/v1/miners/7/issues', {'params': {'page': 2}}),
            ('POST', '/api/v1/miners/7/pulls', {'json_body': {**WINDOWS, 'limit': 9}}),
            ('GET', '/api/v1/miners/7/pulls', {'budget': 1}),
        ):
            with self.assertRaises(ConformanceError):
                self.mirror.answer(method, path, **also)
        self.assertEqual(len(self.noted), 6)
        for i, name in enumerate(('/api/v2/miners/7/pulls', 'DELETE', 'labels', 'page', 'limit', 'budget')):
            self.assertIn(name, self.noted[i])

    def test_there_is_no_network(self) -> None:
        session: Any = type('Session', (), {})
        noted: list[str] = []
        with mock.patch('conformance.mirror.socket', SimpleNamespace(socket=type('socket', (), {}))) as sockets:
            cut_off(session, noted)
        for reach in (
            lambda: session().request('GET', 'https://a.example'),
            lambda: session().send(SimpleNamespace(method='GET', url='https://b.example')),
            lambda: sockets.socket().connect(('c.example', 443)),
        ):
            with self.assertRaises(ConformanceError):
                reach()
        self.assertEqual([said.split()[-1] for said in noted], ['https://a.example', 'https://b.example', '443)'])
