"""What worlds are drawn from: names, labels, and the settings of a repository with their values."""

import copy
import random
from datetime import datetime, timedelta
from typing import Any

MAINTAINER = ['OWNER', 'MEMBER', 'COLLABORATOR']
FOLDERS = ['src/', 'src/', 'lib/core/', 'lib/core/', '', '', 'docs/', 'docs/']
# Most of these make all that is in them tests, by one pattern of the validator each; the last two look like it, and do not.
FOLDERS += ['tests/', 'src/__tests__/', 'pkg/Test/', 'spec/', 'app/src/androidTestDebug/', 'src/integrationTest/', 'src/Acme.Tests/']
FOLDERS += ['contest/', 'src/specs/']
ODD_NAMES = ['Dockerfile', 'deploy/Makefile', 'LICENSE', 'src/.hidden', 'a.b.c.Py', 'conftest.py', 'lib/test.py', 'Tests.ts', 'src/spec.go']
# What a file's name begins and ends with: some make it a test file.
BEGINS = ['', '', '', '', 'test_', 'spec_']
ENDS = ['', '', '', '', '', '', '_test', '_tests', '_spec', '.test', '.tests', '.spec', '-test']
LABELS = ['bug', 'Bug', 'feature-x', 'kind/bug', 'kind/docs', 'type:alpha', 'type:zeta', 'refactor', 'wontfix', '']
SECOND = timedelta(seconds=1)

# Settings of a repository that have a default: how often each is set, and to what.
ELIGIBILITY: dict[str, tuple[float, list[Any]]] = {
    'min_valid_merged_prs': (0.7, [0, 1, 1, 2, 3]),
    'min_credibility': (0.6, [0, 0.5, 0.75, 0.9]),
    'min_valid_solved_issues': (0.7, [0, 1, 1, 2]),
    'min_issue_credibility': (0.5, [0, 0.4, 0.5, 0.75]),
    'min_token_score_for_valid_issue': (0.4, [0, 20, 60]),
    'excessive_pr_penalty_base_threshold': (0.4, [0, 1, 4]),
    'open_pr_threshold_token_score': (0.4, [20, 100, 500]),
    'max_open_pr_threshold': (0.3, [0, 1, 3]),
    'open_issue_spam_base_threshold': (0.4, [0, 1, 4]),
    'open_issue_spam_token_score_per_slot': (0.3, [20, 150]),
    'max_open_issue_threshold': (0.3, [0, 1, 3]),
}
SCORING: dict[str, tuple[float, list[Any]]] = {
    'pr_lookback_days': (0.5, [7, 30, 90]),
    'open_pr_collateral_percent': (0.5, [0, 0.05, 0.5, 1]),
    'review_penalty_rate': (0.5, [0.05, 0.3, 1]),
    'standard_issue_multiplier': (0.5, [1, 1.1, 2.345]),
    'maintainer_issue_multiplier': (0.5, [1, 1.995, 3]),
    'src_tok_saturation_scale': (0.5, [10, 33.3, 200]),
}
TIME_DECAY: dict[str, tuple[float, list[Any]]] = {
    'grace_period_hours': (0.5, [0, 24, 100]),
    'sigmoid_midpoint_days': (0.5, [1, 5, 20]),
    'sigmoid_steepness': (0.5, [0.1, 1, 3]),
    'min_multiplier': (0.5, [0, 0.2, 1]),
}
REPOSITORY: dict[str, tuple[float, list[Any]]] = {
    'issue_discovery_share': (0.6, [0, 0, 0.25, 0.5, 1, 0.9]),
    'maintainer_cut': (0.35, [0.1, 0.3, 0.5, 0.8, 1]),
    'additional_acceptable_branches': (0.4, [['dev'], ['*-dev', 'release/[0-9]*'], ['test'], ['feat?', '[!m]ain']]),
    'trusted_label_pipeline': (0.3, [True]),
    'label_multipliers': (
        0.6,
        [
            {'bug': 1.5, 'feature*': 1.25},
            {'Kind/*': 0.8, 'kind/bug': 2, '*': 0.5},
            {'type:[a-m]*': 1.1, 'refactor': 0.25},
            {'bug': 1.5, 'refactor': 1.5, 'type:*': 1.5},
        ],
    ),
    'default_label_multiplier': (0.3, [0.5, 0.9, 0, 1.2]),
    'fixed_base_score': (0.15, [5, 12.5, 0, 30]),
}


def iso(t: datetime) -> str:
    """An instant as the mirror writes it, in milliseconds at most."""
    return t.strftime('%Y-%m-%dT%H:%M:%S') + (f'.{t.microsecond // 1000:03d}Z' if t.microsecond else 'Z')


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace('Z', '+00:00'))


def drawn(r: random.Random, table: dict[str, tuple[float, list[Any]]]) -> dict[str, Any]:
    """Some of a table's settings."""
    return {key: copy.deepcopy(r.choice(values)) for key, (often, values) in table.items() if r.random() < often}
