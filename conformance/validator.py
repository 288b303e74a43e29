"""Drives a checkout of the validator: its own functions, at a pinned instant, without chain or network.

What is replaced is what reaches out of the process: the chain's client (only for logging in the scoring path), the
bounty contract, the look-up of GitHub accounts, the mirror's requests, the clock, and the child process in which files
are parsed. All that decides is the checkout's own.
"""

import ast
import asyncio
import dataclasses
import importlib
import json
import sys
import tempfile
import types
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from conformance import packages
from conformance.checkout import WEIGHTS, Checkout, ConformanceError, unfit
from conformance.compare import ABSENT
from conformance.mirror import Mirror, cut_off

PULL = (
    'base_score token_score structural_count structural_score leaf_count leaf_score total_nodes_scored issue_multiplier '
    'open_pr_spam_multiplier time_decay_multiplier review_quality_multiplier label_multiplier label earned_score collateral_score'
).split()
MINER = (
    'github_id base_total_score total_score total_collateral_score total_nodes_scored total_token_score total_structural_count '
    'total_structural_score total_leaf_count total_leaf_score is_eligible credibility issue_discovery_score issue_token_score '
    'issue_credibility is_issue_eligible total_solved_issues total_valid_solved_issues total_closed_issues total_open_issues'
).split()
ISSUE = (
    'repository_full_name number pr_number discovery_base_score discovery_earned_score discovery_review_quality_multiplier '
    'discovery_time_decay_multiplier discovery_credibility_multiplier discovery_open_issue_spam_multiplier discovery_label_multiplier'
).split()
BREAKDOWN = (
    'structural_added_count structural_added_score structural_deleted_count structural_deleted_score '
    'leaf_added_count leaf_added_score leaf_deleted_count leaf_deleted_score'
).split()
# What scores the files of a pull request: in a child process since June 2026, and in the process itself before.
SCORERS = ('isolated_calculate_token_score', 'calculate_token_score_from_file_changes')
# The rule behind a failure, by a word of the validator's text.
FAILURES = {
    'RECYCLE': 'recycle uid',
    'No hotkey': 'no hotkey',
    'hotkey changed': 'hotkey changed',
    'No stored PAT': 'no stored token',
    'Penalized': 'shared account',
}


class Refused(Exception):
    """The validator's loader refuses a registry, or fails to read it."""


class _Silent:
    """Takes every call of a logger."""

    def __getattr__(self, name: str) -> Any:
        return lambda *a, **k: None


def _stand_in(name: str, **values: Any) -> None:
    module = types.ModuleType(name)
    module.__dict__.update(values)
    sys.modules[name] = module


def _instant(text: str) -> datetime:
    """An instant of a case. The mirror writes milliseconds, a case at most microseconds."""
    return datetime.fromisoformat(text.replace('Z', '+00:00')).astimezone(UTC)


class Validator:
    """The validator of one checkout. A process can hold one: its modules are imported under their own names."""

    def __init__(self, checkout: Checkout):
        self.checkout = checkout
        packages.check_imports()
        _stand_in('bittensor', logging=_Silent(), Synapse=object)
        _stand_in('gittensor.validator.issue_competitions', __path__=[])
        _stand_in('gittensor.validator.issue_competitions.forward', issue_competitions=None)
        sys.dont_write_bytecode = True
        sys.path.insert(0, str(checkout.folder))
        base, oss = 'gittensor.validator', 'gittensor.validator.oss_contributions'
        self.client = self._module('gittensor.utils.mirror.client')
        self.classes = self._module('gittensor.classes')
        self.api_tools = self._module('gittensor.utils.github_api_tools')
        self.weights = self._module(f'{base}.utils.load_weights')
        self.trees = self._module(f'{base}.utils.tree_sitter_scoring')
        self.identities = self._module(f'{base}.utils.github_validation')
        self.scoring = self._module(f'{oss}.mirror.scoring')
        self.inspections = self._module(f'{oss}.inspections')
        self.reward = self._module(f'{oss}.reward')
        self.scan = self._module(f'{base}.issue_discovery.scan')
        self.emission = self._module(f'{base}.emission_allocation')
        self.forward = self._module(f'{base}.forward')
        self.clocks = [self._module(f'{oss}.mirror.load'), self.scan, self._module(f'{base}.utils.datetime_utils')]
        self.fallback = self._fallback()
        self.files: dict[str, list[dict[str, Any]]] = {}
        self.unfit: list[str] = []
        cut_off(self.client.requests.Session, self.unfit)
        for scorer in SCORERS:
            if hasattr(self.scoring, scorer):
                setattr(self.scoring, scorer, self._noting)
        self._folder = tempfile.TemporaryDirectory(prefix='conform-weights-')
        self.use_weights(checkout.read(f'{WEIGHTS}/programming_languages.json'), checkout.read(f'{WEIGHTS}/token_weights.json'))

    def _module(self, name: str) -> Any:
        try:
            return importlib.import_module(name)
        except ImportError as e:
            raise ConformanceError(f'{self.checkout.folder}: {name} cannot be imported: {e}') from e

    def _fallback(self) -> Any:
        """The method by which the validator falls back to stored evaluations, without its class, which needs the chain."""
        tree = ast.parse(self.checkout.read('neurons/validator.py'))
        method = next(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == 'store_or_use_cached_evaluation')
        names = {'Dict': dict, 'Set': set, 'MinerEvaluation': object, 'bt': sys.modules['bittensor']}
        exec(compile(ast.Module([method], []), 'neurons/validator.py', 'exec'), names)
        return names[method.name]

    def use_weights(self, languages: str, tokens: str) -> None:
        """Scores with these two weights files from now on."""
        folder = Path(self._folder.name)
        (folder / 'programming_languages.json').write_text(languages)
        (folder / 'token_weights.json').write_text(tokens)
        self._replace(self.weights, '_get_weights_dir', lambda: folder)
        self.languages, self.tokens = self.weights.load_programming_language_weights(), self.weights.load_token_config()

    def without(self) -> list[str]:
        """The languages of the weights that this parser does not load."""
        languages = sorted({c.language for c in self.languages.values() if c.language})
        return [name for name in languages if self.trees.get_parser(name) is None]

    def registry(self, registry: Any) -> dict[str, Any]:
        """The registry as the validator's loader reads it. It raises Refused for whatever the loader raises of its own."""
        (Path(self._folder.name) / 'master_repositories.json').write_text(json.dumps(registry))
        try:
            return self.weights.load_master_repo_weights()
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as e:
            raise Refused(str(e)) from e

    def _noting(self, changes: Any, contents: Any, tokens: Any, languages: Any) -> Any:
        """Scores files in this process, and notes the figures of each."""
        result = self.trees.calculate_token_score_from_file_changes(changes, contents, tokens, languages)
        if changes:
            key = f'{changes[0].repository_full_name}#{changes[0].pr_number}'
            self.files[key] = [_file(c.filename, f) for c, f in zip(changes, result.file_results)]
        return result

    def pairs(self, files: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Scores each file as the only one of a pull request."""
        scored = []
        for f in files:
            change = self.classes.FileChange(
                pr_number=1,
                repository_full_name='o/r',
                filename=f['filename'],
                changes=f['changes'],
                additions=f['additions'],
                deletions=f['deletions'],
                status=f['status'],
                patch=None,
            )
            pair = self.api_tools.FileContentPair(f['base_content'], f['head_content'])
            result = self.scoring.calculate_base_score_for_pr_files([change], {change.filename: pair}, self.languages, self.tokens)
            scored.append({'file': self.files['o/r#1'][0], 'base_score': result.base_score})
        return scored

    def play(self, case: dict[str, Any]) -> list[dict[str, Any]]:
        """What the validator makes of each round of a case: the outcome, the windows that it asked for, and each file."""
        cache, played = self.classes.MinerEvaluationCache(), []
        registry, mirror = case['registry'], case['mirror']
        for number in case['rounds']:
            registry, mirror = number.get('registry') or registry, number.get('mirror') or mirror
            self.files = {}
            outcome, windows = self._round(number, number.get('miners') or case['miners'], self.registry(registry), mirror, cache)
            self._fits()
            played.append({'outcome': outcome, 'windows': windows, 'files': self.files})
        return played

    def _round(self, number: Any, miners: list[Any], repositories: Any, answers: Any, cache: Any) -> tuple[dict[str, Any], list[Any]]:
        by_uid = {m['uid']: m for m in miners}
        self._freeze(_instant(number['as_of']))
        mirror = self._serve(answers, {k.lower() for k in number.get('fail') or []})
        self._identify(by_uid, set(number.get('unreachable_identity') or []))
        validator = types.SimpleNamespace(
            metagraph=types.SimpleNamespace(hotkeys={uid: m['hotkey'] for uid, m in by_uid.items()}), evaluation_cache=cache
        )
        validator.store_or_use_cached_evaluation = types.MethodType(self.fallback, validator)
        uids = sorted(by_uid)

        async def go() -> Any:
            evaluations, stored, penalized = await self.reward.get_rewards(validator, uids, repositories, self.languages, self.tokens)
            await self.scan.run_issue_discovery(evaluations, repositories, self.languages, self.tokens, evaluation_cache=cache)
            return evaluations, stored, penalized

        evaluations, stored, penalized = asyncio.run(go())
        if repositories:
            _not_asked(mirror, by_uid, evaluations, set(number.get('unreachable_identity') or []))
        maintainers = self.forward.build_maintainer_uids_by_repo(evaluations, repositories, set(uids))
        rewards = self.emission.blend_emission_pools(evaluations, repositories, set(uids), maintainers)
        breakdown = self.emission.calculate_repo_emission_breakdown(evaluations, repositories, set(uids), maintainers)
        outcome = {
            'from_stored': sorted(stored),
            'shared_account': sorted(penalized),
            'maintainers': maintainers,
            'rewards': {str(uid): float(r) for uid, r in zip(uids, rewards)},
            'emission': [{k: _keyed(v) for k, v in dataclasses.asdict(b).items()} for b in breakdown],
            'miners': {str(uid): _miner(e) for uid, e in evaluations.items()},
        }
        return outcome, mirror.windows

    def _freeze(self, at: datetime) -> None:
        class Frozen(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Any:
                return at if tz else at.replace(tzinfo=None)

        for module in self.clocks:
            self._replace(module, 'datetime', Frozen)

    def _identify(self, by_uid: dict[int, Any], unreachable: set[int]) -> None:
        found = self.identities.GitHubCredentialValidation

        def look_up(uid: int, pat: str, stored_github_id: Any = None) -> Any:
            if uid in unreachable:
                return found(by_uid[uid]['github_id'], None, transient_failure=True)
            if by_uid[uid]['token'] == 'refused':
                return found(None, 'no identity')
            return found(by_uid[uid]['github_id'], None)

        tokens = [
            {'uid': m['uid'], 'hotkey': m['hotkey'] if m['token'] != 'stale' else 'another', 'pat': 't', 'github_id': m['github_id']}
            for m in by_uid.values()
            if m['token'] != 'none'
        ]
        self._replace(self.inspections, 'validate_github_credentials_result', look_up)
        self._replace(self.reward.pat_storage, 'load_all_pats', lambda: tokens)

    def _serve(self, answers: Any, fail: set[str]) -> Mirror:
        """Answers the client's requests from the world."""
        mirror = Mirror(answers, fail, self.client.MirrorRequestError, self.unfit)
        self._replace(self.client.MirrorClient, '_request', lambda client, *a, **k: mirror.answer(*a, **k))
        return mirror

    def _replace(self, holder: Any, name: str, by: Any) -> None:
        """Puts something in the place of what the validator has. What it has no more would stay in force unseen."""
        if not hasattr(holder, name):
            raise unfit(f'{holder.__name__} has no {name} to replace')
        setattr(holder, name, by)

    def _fits(self) -> None:
        """Says what the validator did that the driver does not know. The validator may have caught the error."""
        if self.unfit:
            raise unfit(self.unfit[0])


def _not_asked(mirror: Mirror, by_uid: dict[int, Any], evaluations: Any, unreachable: set[int]) -> None:
    """Notes the lists that were not asked for of a miner with an evaluation."""
    asked = {(person, kind) for person, kind, _ in mirror.windows}
    for uid, evaluation in evaluations.items():
        if evaluation.failed_reason is None:
            for kind in ('issues',) if uid in unreachable else ('pulls', 'issues'):
                if (by_uid[uid]['github_id'], kind) not in asked:
                    mirror.windows.append((by_uid[uid]['github_id'], kind, ABSENT))


def _file(name: str, result: Any) -> dict[str, Any]:
    breakdown = result.breakdown
    return {
        'filename': name,
        'method': result.scoring_method,
        'test': result.is_test_file,
        'score': result.score,
        'nodes': result.nodes_scored,
        'lines': result.total_lines,
        'breakdown': {k: getattr(breakdown, k) for k in BREAKDOWN} if breakdown else None,
    }


def _keyed(value: Any) -> Any:
    """A value with its keys as JSON has them."""
    return {str(k): v for k, v in value.items()} if isinstance(value, dict) else value


def _failure(reason: str | None) -> str | None:
    if reason is None:
        return None
    return next((rule for word, rule in FAILURES.items() if word in reason), 'token refused')


def _miner(e: Any) -> dict[str, Any]:
    return {
        'failed': _failure(e.failed_reason),
        **{k: getattr(e, k) for k in MINER},
        'repositories': {
            name: {k: v for k, v in dataclasses.asdict(r).items() if not isinstance(v, (dict, list, set))}
            for name, r in e.repo_evaluations.items()
        },
        'pull_requests': [
            {'repository': s.pr.repo_full_name, 'number': s.pr.pr_number, 'state': s.pr.state, **{k: getattr(s, k) for k in PULL}}
            for s in e.merged_prs + e.open_prs + e.closed_prs
        ],
        'scored_issues': [{k: getattr(i, k) for k in ISSUE} for i in e.issue_discovery_issues],
    }
