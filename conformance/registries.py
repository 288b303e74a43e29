"""Registries and weights files: the checkout's own, those of its history, and mutated ones."""

import copy
import dataclasses
import json
import random
from collections.abc import Iterator
from typing import Any

from conformance.checkout import REGISTRY, WEIGHTS, Checkout, ConformanceError
from conformance.compare import ABSENT, Difference
from conformance.draws import ELIGIBILITY, LABELS, SCORING, TIME_DECAY

# The product's names of what the validator's loader reads.
REPOSITORY = {
    'emission_share': 'EmissionShare',
    'issue_discovery_share': 'IssueDiscoveryShare',
    'maintainer_cut': 'MaintainerCut',
    'additional_acceptable_branches': 'AdditionalBranches',
    'trusted_label_pipeline': 'TrustedLabelPipeline',
    'default_label_multiplier': 'DefaultLabelMultiplier',
    'fixed_base_score': 'FixedBaseScore',
}
# The settings that are compared part by part.
PARTS = ('label_multipliers', 'eligibility', 'scoring')
KNOWN = {
    '': [*REPOSITORY, 'label_multipliers'],
    'eligibility': list(ELIGIBILITY),
    'scoring': list(SCORING),
    'time_decay': list(TIME_DECAY),
    'label_multipliers': [*LABELS, '*', 'kind/*'],
}
VALUES: list[Any] = [-1, 0, 1, 2, 0.5, 1e9, True, None, 'x', '0.5', [], {}]
REFUSED = 'refused'


def ours_of(answer: dict[str, Any]) -> Any:
    """The product's answer on a registry, with the validator's names."""
    if 'refused' in answer:
        return REFUSED
    if 'registry' not in answer:
        raise ConformanceError(f'the product cannot read a registry: {answer.get("error")}')
    return {
        r['Name']: {
            **{k: r[n] for k, n in REPOSITORY.items()},
            'additional_acceptable_branches': r['AdditionalBranches'] or [],
            'label_multipliers': _highest({m['Pattern']: m['Multiplier'] for m in r['LabelMultipliers'] or []}),
            'eligibility': _lowered(r['Eligibility']),
            'scoring': {k: v for k, v in _lowered(r['Scoring']).items() if k != 'time_decay'},
            'time_decay': _lowered(r['Scoring']['TimeDecay']),
        }
        for r in answer['registry']['Repositories']
    }


def settings(config: Any) -> list[Difference]:
    """How the settings of a repository that the validator's loader reads are not those that are compared."""
    known, theirs = {*REPOSITORY, *PARTS}, {f.name for f in dataclasses.fields(config)}
    return [
        Difference(('0', 'registry', 'settings', name), *((ABSENT, 'a setting') if name in theirs else ('a setting', ABSENT)))
        for name in sorted(known ^ theirs)
    ]


def theirs_of(validator: Any, registry: Any) -> Any:
    """What the validator's loader reads in a registry, with all defaults filled in; it raises what the loader does."""
    if any(_unchecked(settings) for settings in registry.values() if isinstance(settings, dict)):
        return REFUSED
    loaded = validator.registry(registry)
    found = {}
    for name, c in loaded.items():
        scoring = dataclasses.asdict(validator.weights.resolve_scoring(c.scoring))
        found[name] = {
            **{k: getattr(c, k) for k in REPOSITORY},
            'additional_acceptable_branches': c.additional_acceptable_branches or [],
            'label_multipliers': _highest(c.label_multipliers or {}),
            'eligibility': dataclasses.asdict(validator.weights.resolve_eligibility(c.eligibility)),
            'time_decay': scoring.pop('time_decay'),
            'scoring': scoring,
        }
    return found


def _unchecked(settings: dict[str, Any]) -> bool:
    """Whether a setting is of a kind that the validator's loader passes on unread. The product refuses such a registry on
    purpose: the validator would fail, or score by chance, when a rule reads the setting. So is a boolean as the multiplier of
    a label, which the loader reads as a number."""
    multipliers = settings.get('label_multipliers')
    factors = [settings.get('default_label_multiplier'), *(multipliers.values() if isinstance(multipliers, dict) else [])]
    branches, fixed = settings.get('additional_acceptable_branches'), settings.get('fixed_base_score')
    return (
        any(isinstance(f, bool) for f in factors)
        or not isinstance(settings.get('trusted_label_pipeline'), bool | None)
        or not (branches is None or isinstance(branches, list) and all(isinstance(b, str) for b in branches))
        or not (fixed is None or isinstance(fixed, (int, float)) and not isinstance(fixed, bool))
    )


def _highest(multipliers: dict[str, float]) -> dict[str, float]:
    """The multipliers by lower-cased pattern: the rule compares patterns so, and takes the highest."""
    found: dict[str, float] = {}
    for pattern, multiplier in multipliers.items():
        found[pattern.lower()] = max(multiplier, found.get(pattern.lower(), multiplier))
    return found


def _lowered(settings: dict[str, Any]) -> dict[str, Any]:
    """Names as Go has them, such as MinValidMergedPRs, as JSON has them."""

    def lower(name: str) -> str:
        out = ''
        for i, c in enumerate(name):
            if c.isupper() and i and (name[i - 1].islower() or (i + 1 < len(name) and name[i + 1].islower() and name[i : i + 2] != 'Rs')):
                out += '_'
            out += c.lower()
        return out.replace('p_rs', 'prs')

    return {lower(k): v for k, v in settings.items()}


def historical(checkout: Checkout, path: str) -> Iterator[tuple[str, Any]]:
    """Every version of a JSON file in the checkout's history, the newest first, by its commit."""
    seen = set()
    for commit in checkout.git('log', '--format=%H', '--', path).split():
        try:
            text = checkout.git('show', f'{commit}:{path}')
        except ConformanceError:  # the commit that removed it
            continue
        if text not in seen:
            seen.add(text)
            try:
                yield commit, json.loads(text)
            except json.JSONDecodeError:
                continue


def mutated(registry: dict[str, Any], seed: int, count: int) -> Iterator[Any]:
    """Registries with some settings changed, left out, added or misspelt."""
    names = list(registry)
    for i in range(count):
        r = random.Random(f'{seed} registry {i}')
        other = {n: copy.deepcopy(registry[n]) for n in r.sample(names, min(3, len(names)))}
        for _ in range(r.choice([1, 1, 2])):
            _mutate(r, other[r.choice(list(other))])
        yield other


def _mutate(r: random.Random, settings: dict[str, Any]) -> None:
    part = r.choice(['', '', 'eligibility', 'scoring', 'time_decay', 'label_multipliers'])
    target = settings
    if part:
        target = settings.setdefault('scoring' if part == 'time_decay' else part, {})
        if part == 'time_decay' and isinstance(target, dict):
            target = target.setdefault('time_decay', {})
    if not isinstance(target, dict):
        return
    key = r.choice(KNOWN[part] + (['unknown_key'] if part else []))
    if key in target and r.random() < 0.3:
        del target[key]
    else:
        target[key] = r.choice(VALUES)


def weights(checkout: Checkout) -> Iterator[tuple[str, Any, Any]]:
    """Weights files of the history: each of one kind with the checkout's own of the other kind."""
    languages, tokens = (json.loads(checkout.read(f'{WEIGHTS}/{f}')) for f in ('programming_languages.json', 'token_weights.json'))
    for commit, old in historical(checkout, f'{WEIGHTS}/programming_languages.json'):
        yield commit, old, tokens
    for commit, old in historical(checkout, f'{WEIGHTS}/token_weights.json'):
        yield commit, languages, old


def registries(checkout: Checkout, seed: int, count: int) -> Iterator[tuple[str, Any]]:
    """All registries to compare, with what each is."""
    for commit, registry in historical(checkout, REGISTRY):
        yield f'registry of {commit[:12]}', registry
    for i, registry in enumerate(mutated(checkout.registry(), seed, count)):
        yield f'registry {i} of seed {seed}', registry
