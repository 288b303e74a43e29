"""Changes, each planted in a copy of a checkout.

One of a rule is found, by a world of at most three miners, and named. One that the driver does not fit any more ends the
comparison with 2, and is named too. This takes minutes and a checkout: make conform-planted VALIDATOR=DIR. PLANT=WORDS
chooses some by their kind. The other tests of this folder need neither.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import NamedTuple

from conformance.checkout import Checkout, ConformanceError
from conformance.work import ROOT

CLIENT = 'gittensor/utils/mirror/client.py'
SCORING = 'gittensor/validator/oss_contributions/mirror/scoring.py'


class Plant(NamedTuple):
    """A change: in a file, a pattern and what takes its place. The report must name the rule, and what has changed."""

    kind: str
    file: str
    pattern: str
    instead: str
    named: str
    worlds: int = 60
    files: int = 0


PLANTS = [
    Plant('a constant', 'gittensor/constants.py', r'(TIME_DECAY_GRACE_PERIOD_HOURS) = 12', r'\1 = 24', 'time decay: grace period 12 → 24'),
    Plant(
        'a comparison',
        'gittensor/validator/utils/datetime_utils.py',
        r'(hours_since_merge) < ',
        r'\1 <= ',
        'time decay: at the end of the grace period',
    ),
    Plant('a rounding', SCORING, r'(scoring_cfg\.time_decay\)), 2\)', r'\1, 3)', 'time decay: rounding'),
    Plant(
        'an order of summation',
        'gittensor/validator/utils/tree_sitter_scoring.py',
        r'(for signature, count in) (added\.items\(\)):',
        r'\1 reversed(\2):',
        'weights of files: order of sums',
    ),
    Plant('a dropped gate', SCORING, r'(approved_count) == 0', r'\1 < 0', 'merge gate: self-merged-without-approval', 150),
    Plant(
        'a label rule', 'gittensor/validator/oss_contributions/label_resolution.py', r'return max\((matches\))', r'return min(\1', 'label'
    ),
    Plant('a window', 'gittensor/validator/oss_contributions/mirror/load.py', r'timedelta\((days=)', r'timedelta(hours=1, \1', 'window'),
    Plant(
        'a new setting',
        'gittensor/validator/utils/load_weights.py',
        r'(    maintainer_cut: float = 0\.0\n)',
        r'\1    review_bonus: float = 0.0\n',
        'registry',
        0,
    ),
    Plant(
        'a window that leaves repositories out',
        'gittensor/validator/oss_contributions/mirror/load.py',
        r'(for name, rc in master_repositories.items\(\)\n)',
        r'\1        if rc.emission_share > 0\n',
        'window',
    ),
    Plant(
        'a list without windows',
        'gittensor/validator/issue_discovery/scan.py',
        r'(client.get_miner_issues, evaluation.github_id), since_by_repo=since_by_repo',
        r'\1',
        'window',
        20,
    ),
    Plant(
        "a grammar's version",
        'uv.lock',
        r'(?s)(name = "tree-sitter-language-pack"\nversion = ")0\.7\.2("\nsource.*?)\nsdist = .*?\nwheels = \[\n.*?\n\]',
        r'\g<1>0.8.0\2\nwheels = [{ hash = "sha256:81aac45ddde6c7e9ac222d0157af03648b1382d4de3af321d1b913af96b796f0" }]',
        'tree diff: tree-sitter-language-pack 0.7.2 → 0.8.0',
        0,
        700,
    ),
]


# What a later validator may have: the driver says what it does not know.
MISFITS = [
    Plant(
        'a new parameter',
        'gittensor/validator/oss_contributions/reward.py',
        r'(?s)(async def get_rewards\(.*?token_config: TokenConfig,\n)',
        r'\1    budget: float,\n',
        "TypeError: get_rewards() missing 1 required positional argument: 'budget'",
    ),
    Plant(
        'a new keyword',
        SCORING,
        r'(?s)(= isolated_calculate_token_score\(.*?)(\n    \))',
        r'\1\n        budget=1,\2',
        "unexpected keyword argument 'budget'",
    ),
    Plant('a new name', CLIENT, r'(?s)_request\((.*)_request\((.*)_request\(', r'_send(\1_send(\2_send(', 'client.py has no _request'),
    Plant('another path', CLIENT, r'/api/v1/miners/', '/api/v2/miners/', 'it has no answer to POST /api/v2/miners/'),
    Plant('a new field', CLIENT, r'(            body = \{)', r"\1'limit': 9,", 'with the fields limit, since_by_repo'),
    Plant(
        'a way past',
        CLIENT,
        r'self\._post\(path, body\)',
        'self.session.post(self.base_url + path).json()',
        'reaches out past what is replaced: POST',
    ),
]


class TestPlanted(unittest.TestCase):
    def test_each_change_is_found_and_named(self) -> None:
        chosen = os.environ.get('PLANT', '')
        for plant in (p for p in PLANTS if chosen in p.kind):
            with self.subTest(plant.kind), tempfile.TemporaryDirectory() as folder:
                found = Path(folder) / 'found'
                done = self.compared(plant, found)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(f'DIFFERS  {plant.named}', done.stdout)
                cases = list((found / 'differ/rounds').glob('*.json'))
                self.assertEqual(bool(cases), plant.named != 'registry', 'a world shows the difference')
                for case in cases:
                    self.assertLessEqual(len(json.loads(case.read_text())['miners']), 3, case.name)

    def test_what_the_driver_does_not_know_is_named(self) -> None:
        chosen = os.environ.get('PLANT', '')
        for plant in (p for p in MISFITS if chosen in p.kind):
            with self.subTest(plant.kind), tempfile.TemporaryDirectory() as folder:
                done = self.compared(plant._replace(worlds=6), Path(folder) / 'found')
                self.assertEqual(done.returncode, 2, done.stdout)
                self.assertIn(plant.named, done.stderr)
                self.assertNotIn('Traceback', done.stderr)

    def planted(self, plant: Plant, folder: Path) -> Path:
        """A copy of the checkout with the change."""
        copy = folder / 'validator'
        shutil.copytree(Checkout(os.environ.get('VALIDATOR', '')).folder, copy, ignore=shutil.ignore_patterns('.git', '.venv'))
        file = copy / plant.file
        text, count = re.subn(plant.pattern, plant.instead, file.read_text(), count=1)
        self.assertEqual(count, 1, f'{plant.file} has no {plant.pattern}: choose another change')
        file.write_text(text)
        return copy

    def compared(self, plant: Plant, folder: Path) -> subprocess.CompletedProcess[str]:
        """Runs the comparison over the changed copy."""
        copy = self.planted(plant, folder.parent)
        home = ROOT / 'bin/conform'
        folder.mkdir()
        for made in home.glob('venv-*'):  # the environments that are there already
            (folder / made.name).symlink_to(made)
        began = time.monotonic()
        done = subprocess.run(
            [
                sys.executable,
                '-m',
                'conformance',
                'run',
                str(copy),
                '--worlds',
                str(plant.worlds),
                '--files',
                str(plant.files),
                '--folder',
                str(folder),
                '--python',
                os.environ.get('PYTHON', 'python3.12'),
                '--no-recorded',
                '--no-real',
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        print(f'{plant.kind} ({time.monotonic() - began:.0f} s)\n{done.stdout}{done.stderr}', flush=True)
        return done


if __name__ == '__main__':
    try:
        Checkout(os.environ.get('VALIDATOR', ''))
    except ConformanceError as e:
        sys.exit(f'conform: {e}')
    unittest.main()
