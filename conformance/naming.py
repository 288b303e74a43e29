"""Names the rule by which two results differ.

Figures depend on each other: a rule that changes moves everything that is computed from its result. So the rule of a
difference is that of the first figure, in the order in which a round computes them, that is not the same. What has
changed in it (a constant, the rounding, the order of a sum, a gate) is told from the values and from the product's own
reasons.
"""

from typing import Any, NamedTuple

from conformance.checkout import WEIGHTS, Checkout
from conformance.compare import ABSENT, Difference

BREAKDOWN = ('structural_added', 'structural_deleted', 'leaf_added', 'leaf_deleted')
COUNTS = tuple(f'{b}_count' for b in BREAKDOWN)
SCORES = tuple(f'{b}_score' for b in BREAKDOWN)
# Where a figure stands, which figures (none: all), and the rule. The order is that of the computation.
RULES: list[tuple[str, tuple[str, ...], str]] = [
    ('windows', (), 'window'),
    ('miners', ('failed', 'github_id'), 'miners'),
    ('from_stored', (), 'fallback'),
    ('shared_account', (), 'shared accounts'),
    ('files', ('method', 'lines', 'breakdown', ABSENT), 'method of a file'),
    ('files', ('test',), 'test files'),
    ('files', ('nodes', *COUNTS), 'tree diff'),
    ('files', (), 'weights of files'),
    ('pull_requests', (ABSENT, 'order', 'state'), 'merge gate'),
    (
        'pull_requests',
        ('structural_count', 'leaf_count', 'total_nodes_scored', 'structural_score', 'leaf_score', 'token_score'),
        'token score',
    ),
    ('pull_requests', ('base_score',), 'base score'),
    ('pull_requests', ('label', 'label_multiplier'), 'label'),
    ('pull_requests', ('issue_multiplier',), 'linked issue'),
    ('pull_requests', ('time_decay_multiplier',), 'time decay'),
    ('pull_requests', ('review_quality_multiplier',), 'review quality'),
    ('pull_requests', ('collateral_score',), 'collateral'),
    ('repositories', ('total_merged_prs', 'total_open_prs', 'total_closed_prs'), 'merge gate'),
    ('repositories', ('credibility', 'is_eligible'), 'eligibility'),
    ('pull_requests', ('open_pr_spam_multiplier',), 'open pull requests'),
    ('pull_requests', ('earned_score',), 'earned score'),
    (
        'repositories',
        (
            'base_total_score',
            'total_token_score',
            'total_structural_count',
            'total_structural_score',
            'total_leaf_count',
            'total_leaf_score',
            'total_nodes_scored',
            'total_collateral_score',
            'total_score',
        ),
        'sums of a repository',
    ),
    (
        'miners',
        (
            'base_total_score',
            'total_score',
            'total_collateral_score',
            'total_nodes_scored',
            'total_token_score',
            'total_structural_count',
            'total_structural_score',
            'total_leaf_count',
            'total_leaf_score',
            'is_eligible',
            'credibility',
        ),
        'sums of a miner',
    ),
    ('repositories', ('total_open_issues',), 'open issues'),
    ('repositories', ('total_closed_issues', 'total_solved_issues'), 'classification of issues'),
    ('repositories', ('total_valid_solved_issues',), 'valid issues'),
    ('repositories', ('issue_credibility', 'is_issue_eligible'), 'issue eligibility'),
    ('scored_issues', (ABSENT, 'order', 'pr_number'), 'canonical owner'),
    ('scored_issues', ('discovery_base_score',), 'solving score'),
    ('scored_issues', ('discovery_label_multiplier',), 'label'),
    ('scored_issues', ('discovery_time_decay_multiplier',), 'time decay'),
    ('scored_issues', ('discovery_review_quality_multiplier',), 'review quality'),
    ('scored_issues', ('discovery_credibility_multiplier',), 'issue earnings'),
    ('repositories', ('issue_token_score',), 'issue token score'),
    ('scored_issues', ('discovery_open_issue_spam_multiplier',), 'open issue threshold'),
    ('scored_issues', (), 'issue earnings'),
    ('repositories', (), 'issue earnings'),
    ('miners', (), 'sums of a miner'),
    ('maintainers', (), 'maintainers'),
    ('emission', ('maintainer_carve_out', 'maintainer_rewards', 'maintainer_cut'), 'maintainers'),
    ('emission', (), 'emission'),
    ('rewards', (), 'rewards'),
    ('pairs', (), 'base score'),
    ('registry', (), 'registry'),
]
# The constants of the validator by rule, with what each is.
CONSTANTS: dict[str, dict[str, str]] = {
    'window': {'PR_LOOKBACK_DAYS': 'days'},
    'method of a file': {
        'MAX_FILE_SIZE_BYTES': 'largest file',
        'NON_CODE_EXTENSIONS': 'line-scored extensions',
        'EXTENSIONLESS_FILE_EXTENSIONS': 'names without extension',
    },
    'test files': {},
    'tree diff': {'COMMENT_NODE_TYPES': 'comments', 'MAX_LINES_SCORED_FOR_NON_CODE_EXT': 'most lines'},
    'weights of files': {
        'DEFAULT_PROGRAMMING_LANGUAGE_WEIGHT': 'default weight',
        'TEST_FILE_CONTRIBUTION_WEIGHT': 'test weight',
        'MAX_LINES_SCORED_FOR_NON_CODE_EXT': 'most lines',
    },
    'base score': {
        'MERGED_PR_BASE_SCORE': 'most by tokens',
        'MAX_CONTRIBUTION_BONUS': 'largest bonus',
        'CONTRIBUTION_SCORE_FOR_FULL_BONUS': 'score for the full bonus',
        'SRC_TOK_SATURATION_SCALE': 'saturation scale',
    },
    'merge gate': {'MAINTAINER_ASSOCIATIONS': 'maintainers'},
    'label': {'MAINTAINER_ASSOCIATIONS': 'maintainers'},
    'linked issue': {
        'STANDARD_ISSUE_MULTIPLIER': 'multiplier',
        'MAINTAINER_ISSUE_MULTIPLIER': "maintainers' multiplier",
        'MAX_ISSUE_CLOSE_WINDOW_DAYS': 'days to close',
        'MAINTAINER_ASSOCIATIONS': 'maintainers',
    },
    'time decay': {
        'TIME_DECAY_GRACE_PERIOD_HOURS': 'grace period',
        'TIME_DECAY_SIGMOID_MIDPOINT': 'midpoint',
        'TIME_DECAY_SIGMOID_STEEPNESS_SCALAR': 'steepness',
        'TIME_DECAY_MIN_MULTIPLIER': 'minimum',
    },
    'review quality': {'REVIEW_PENALTY_RATE': 'penalty'},
    'collateral': {
        'OPEN_PR_COLLATERAL_PERCENT': 'share',
        'MAX_OPEN_PR_REVIEW_COLLATERAL_MULTIPLIER': 'largest multiplier by reviews',
        'REVIEW_PENALTY_RATE': 'penalty',
    },
    'eligibility': {'MIN_VALID_MERGED_PRS': 'merged pull requests', 'MIN_CREDIBILITY': 'credibility'},
    'open pull requests': {
        'EXCESSIVE_PR_PENALTY_BASE_THRESHOLD': 'threshold',
        'OPEN_PR_THRESHOLD_TOKEN_SCORE': 'token score of a slot',
        'MAX_OPEN_PR_THRESHOLD': 'largest threshold',
    },
    'valid issues': {'MIN_TOKEN_SCORE_FOR_VALID_ISSUE': 'token score'},
    'issue eligibility': {'MIN_VALID_SOLVED_ISSUES': 'solved issues', 'MIN_ISSUE_CREDIBILITY': 'credibility'},
    'open issue threshold': {
        'OPEN_ISSUE_SPAM_BASE_THRESHOLD': 'threshold',
        'OPEN_ISSUE_SPAM_TOKEN_SCORE_PER_SLOT': 'token score of a slot',
        'MAX_OPEN_ISSUE_THRESHOLD': 'largest threshold',
    },
    'maintainers': {'MAX_MAINTAINER_CUT': 'largest cut', 'OSS_EMISSION_SHARE': 'share of the emission'},
    'emission': {'OSS_EMISSION_SHARE': 'share of the emission', 'DEFAULT_ISSUE_DISCOVERY_SHARE': 'share of issues'},
    'rewards': {
        'OSS_EMISSION_SHARE': 'share of the emission',
        'ISSUES_TREASURY_UID': 'treasury',
        'RECYCLE_UID': 'recycle uid',
        'ISSUES_TREASURY_EMISSION_SHARE': "treasury's share",
    },
}
# Rules of the parser: a difference in one may come from the packages or from the weights files.
PARSED = ('method of a file', 'tree diff', 'weights of files', 'token score')
SUM_TOLERANCE = 1e-9


class Name(NamedTuple):
    """The rule, what has changed in it as far as that can be told, and the difference that shows it."""

    rule: str
    what: str
    shown: Difference

    def __str__(self) -> str:
        return f'{self.rule}: {self.what}' if self.what else self.rule


def place(d: Difference) -> tuple[str, str]:
    """Where a difference stands, and which figure differs. ABSENT stands for a whole item that one side lacks."""
    path = d.path[1:]
    part = path[0] if path else ''
    if part != 'miners' or len(path) < 3 or path[2] not in ('repositories', 'pull_requests', 'scored_issues'):
        figure = path[2] if part in ('miners', 'emission') and len(path) > 2 else path[-1] if path else ''
        if part == 'files' and ABSENT in (d.ours, d.theirs):
            figure = ABSENT
        return part, figure
    if len(path) == 4:
        return path[2], 'order' if path[3] == 'order' else ABSENT
    return path[2], path[4]


def rank(d: Difference) -> int:
    """The first rule in the order of computation that a difference can come from."""
    where, figure = place(d)
    for i, (part, figures, _) in enumerate(RULES):
        if part == where and (not figures or figure in figures):
            return i
    return len(RULES) - 1


def rule_of(differences: list[Difference]) -> tuple[str, Difference]:
    """The rule by which results differ, and the first difference of it: in the first round that differs."""
    first = min(int(d.path[0]) for d in differences)
    found = min((d for d in differences if int(d.path[0]) == first), key=rank)
    return RULES[rank(found)][2], found


class Namer:
    """Names rules by what a checkout has changed since the followed state."""

    def __init__(self, checkout: Checkout, followed: dict[str, Any]):
        self.constants = checkout.constants()
        self.followed = followed
        self.pinned = checkout.pinned()
        self.weights = [
            f
            for f in ('programming_languages.json', 'token_weights.json')
            if checkout.digest(f'{WEIGHTS}/{f}') != followed['files'].get(f'{WEIGHTS}/{f}', {}).get('sha256')
        ]

    def name(self, differences: list[Difference], ours: list[Any] | None = None) -> Name:
        rule, shown = rule_of(differences)
        return Name(rule, self._changed(rule) or _kind(rule, shown, differences) or _reason(shown, ours), shown)

    def _changed(self, rule: str) -> str:
        """The constants of a rule that have changed; for the parser's rules also packages and weights files."""
        changed = [
            f'{what} {self.followed["constants"].get(c)} → {self.constants.get(c)}'
            for c, what in CONSTANTS.get(rule, {}).items()
            if self.followed['constants'].get(c) != self.constants.get(c)
        ]
        if rule in PARSED:
            before = self.followed['packages']
            changed += [f'{p} {before.get(p)} → {v}' for p, v in self.pinned.items() if p in before and before[p] != v]
            changed += [f'{f} has changed' for f in self.weights]
        return ', '.join(changed)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _kind(rule: str, shown: Difference, differences: list[Difference]) -> str:
    """Tells a sum in another order, and another rounding, from the numbers."""
    numbers = [(d.ours, d.theirs) for d in differences if _number(d.ours) and _number(d.theirs)]
    if len(numbers) == len(differences) and all(abs(a - b) <= SUM_TOLERANCE * max(abs(a), abs(b)) for a, b in numbers):
        return 'order of sums'
    a, b = shown.ours, shown.theirs
    # A figure that is 0 on one side comes from another way through the rule, though the other side may round to 0.
    if _number(a) and _number(b) and a and b and any(round(a, n) == b or round(b, n) == a for n in range(2, 7)):
        return 'rounding'
    return ''


def _reason(shown: Difference, ours: list[Any] | None) -> str:
    """What the product says of the item that differs: the codes of its reasons."""
    if ours is None or shown.path[1] != 'miners':
        return ''
    miner = ours[int(shown.path[0])]['outcome']['miners'].get(shown.path[2], {})
    item = shown.path[4] if len(shown.path) > 4 else ''
    where, figure = place(shown)
    if where == 'pull_requests' and figure == ABSENT:
        return _codes(d['reason'] for d in miner.get('dropped') or [] if f'{d["repository"]}#{d["number"]}' == item)
    if where == 'pull_requests':
        pull = next((p for p in miner['pull_requests'] if f'{p["repository"]}#{p["number"]}' == item), {})
        reasons = pull.get('reasons', {})
        part = {
            'label': 'labels',
            'label_multiplier': 'labels',
            'issue_multiplier': 'linked_issues',
            'time_decay_multiplier': 'time_decay',
            'base_score': 'base',
            'review_quality_multiplier': 'review_quality',
        }.get(figure, '')
        found: Any = reasons.get(part) or []
        if part == 'time_decay' and found and found.get('hours') == found.get('grace_period_hours'):
            return 'at the end of the grace period'
        return _codes(found if isinstance(found, list) else [found])
    if where in ('repositories', 'scored_issues') and RULES[rank(shown)][2] in (
        'classification of issues',
        'canonical owner',
        'valid issues',
    ):
        return _codes(i['reason'] for i in miner.get('issues') or [])
    return ''


def _codes(reasons: Any) -> str:
    """The codes of reasons, each once. A reason may wrap another."""
    codes = []
    for reason in reasons:
        code = (reason.get('reason') if isinstance(reason.get('reason'), dict) else reason).get('code')
        if code and code not in codes:
            codes.append(code)
    return ', '.join(codes)
