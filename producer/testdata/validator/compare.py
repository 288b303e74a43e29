"""Runs the forward pass of a validator's checkout over one mirror and at one instant: as it is, while it is recorded, and with
mirrorfleet's round in place of its scoring. What its later steps do must be the same: the rows for its database, the
bounties that it votes for, the rewards, and the uids whose moving averages are dropped. Prints what differs.

    compare.py CHECKOUT ADAPTER API ROUND MIRROR MINERS REGISTRY AS_OF RECORDS

In RECORDS it leaves two records: of the round at AS_OF, and of one four hours later.

It needs the validator's Python (3.12 or later: earlier ones add floats up otherwise) and packages. Chain, GitHub, clock
and database are stand-ins; everything else is the validator's own.
"""
import asyncio, contextlib, datetime, json, sys, tempfile, types
from pathlib import Path


class Connection:
    """A database that keeps what it is told."""

    autocommit = False

    def __init__(self):
        self.told = []

    def cursor(self):
        return self

    def execute(self, query, params=()):
        self.told.append((query.split()[0:3], [list(params)]))

    def executemany(self, query, rows):
        self.told.append((query.split()[0:3], [list(row) for row in rows]))

    def commit(self): pass
    def rollback(self): raise AssertionError("the database was told to forget")
    def close(self): pass
    def pipeline(self): return contextlib.nullcontext()


def frozen(at, *modules):
    class Frozen(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return at if tz else at.replace(tzinfo=None)

    for module in modules:
        module.datetime = Frozen


def prepare(mirror, miners, registry, as_of, votes):
    """The validator's modules, with what they would ask of chain, GitHub and clock."""
    import gittensor.utils.mirror.client as client
    import gittensor.validator.forward as forward
    import gittensor.validator.issue_competitions.forward as bounties
    import gittensor.validator.issue_discovery.scan as scan
    import gittensor.validator.oss_contributions.inspections as inspections
    import gittensor.validator.oss_contributions.mirror.load as load
    import gittensor.validator.oss_contributions.reward as reward
    import gittensor.validator.utils.datetime_utils as instants
    import gittensor.validator.utils.load_weights as weights
    import gittensor.validator.utils.storage as storage
    from gittensor.validator.utils.github_validation import GitHubCredentialValidation

    frozen(as_of, load, scan, instants)
    client.GITTENSOR_MIRROR_DEFAULT_URL = mirror
    folder = Path(tempfile.mkdtemp())
    for file in ("programming_languages.json", "token_weights.json"):
        (folder / file).write_text((Path(sys.argv[1]) / "gittensor/validator/weights" / file).read_text())
    (folder / "master_repositories.json").write_text(Path(registry).read_text())
    weights._get_weights_dir = lambda: folder
    by_uid = {m["uid"]: m for m in miners}
    states = {uid: m.get("token", "valid") for uid, m in by_uid.items()}
    reward.pat_storage.load_all_pats = lambda: [
        {"uid": uid, "hotkey": "former" if states[uid] == "stale" else m["hotkey"], "pat": str(uid), "github_id": m["github_id"]}
        for uid, m in by_uid.items() if states[uid] != "none"
    ]
    inspections.validate_github_credentials_result = lambda uid, pat, stored_github_id=None: (
        GitHubCredentialValidation(None, "refused") if states[uid] == "refused"
        else GitHubCredentialValidation(by_uid[uid]["github_id"], None))
    forward.get_all_uids = lambda validator: set(by_uid)
    forward.VALIDATOR_WAIT = 0
    storage.create_database_connection = Connection
    # One bounty for each account, and one for somebody's who is no miner.
    accounts = sorted({m["github_id"] for m in miners if m["github_id"]} | {"1"})
    issues = [types.SimpleNamespace(id=int(a), repository_full_name="a/b", issue_number=int(a), bounty_amount=1) for a in accounts]
    bounties.GITTENSOR_VALIDATOR_PAT, bounties.get_contract_address = "x", lambda: "contract"
    bounties.check_github_issue_closed = lambda repository, number, pat: {"is_closed": True, "solver_github_id": number, "pr_number": 7}
    bounties.get_miner_coldkey = lambda hotkey, subtensor: f"cold {hotkey}"
    bounties.IssueCompetitionContractClient = lambda **k: types.SimpleNamespace(
        harvest_emissions=lambda wallet: None, get_issues_by_status=lambda status: issues,
        vote_solution=lambda **k: votes.append((k["issue_id"], k["solver_hotkey"], k["solver_coldkey"])) or True,
        vote_cancel_issue=lambda **k: votes.append((k["issue_id"], "cancel")) or True)
    return forward, storage


def validator(miners, storage, classes):
    import numpy
    from neurons.validator import Validator

    hotkeys = [""] * (max(m["uid"] for m in miners) + 1)
    for m in miners:
        hotkeys[m["uid"]] = m["hotkey"]
    v = types.SimpleNamespace(
        step=0, metagraph=types.SimpleNamespace(hotkeys=hotkeys), evaluation_cache=classes.MinerEvaluationCache(),
        db_storage=storage.DatabaseStorage(), subtensor=None, wallet=None, scores=numpy.full(len(hotkeys), 0.125), told={},
        config=types.SimpleNamespace(neuron=types.SimpleNamespace(moving_average_alpha=0.5)))
    v.bulk_store_evaluation = types.MethodType(Validator.bulk_store_evaluation, v)
    v.store_or_use_cached_evaluation = types.MethodType(Validator.store_or_use_cached_evaluation, v)
    averages = types.MethodType(Validator.update_scores, v)

    def update_scores(rewards, uids, blacklisted_uids=None):
        v.told.update(rewards=dict(zip(sorted(uids), map(float, rewards))), blacklisted=blacklisted_uids)
        averages(rewards, uids, blacklisted_uids=blacklisted_uids)

    v.update_scores = update_scores
    return v


def plain(x):
    return x.isoformat() if isinstance(x, datetime.datetime) else x


def rows(told):
    """What the database was told, by table and row; why a miner failed is said in other words, and when it was told changes."""
    all_rows = {}
    for (verb, into, table), params in told:
        for row in params:
            row = list(map(plain, row))
            if verb == "DELETE":
                row = row[:3]
            if table == "miner_evaluations" and verb == "INSERT":
                row[4] = row[4] is not None
            all_rows.setdefault(f"{verb} {into} {table}", []).append(row)
    return all_rows


def cached(cache):
    """What the cache of stand-ins holds, down to the pull requests' figures."""
    figures = lambda s: [s.number, s.repository_full_name, s.base_score, s.token_score, s.label, s.label_multiplier, s.issue_multiplier]
    return {uid: [e.hotkey, e.github_id, [figures(s) for s in e.evaluation.merged_prs + e.evaluation.open_prs + e.evaluation.closed_prs],
                  e.evaluation.issue_discovery_score, e.evaluation.total_open_issues,
                  [[i.repository_full_name, i.number, i.discovery_earned_score] for i in e.evaluation.issue_discovery_issues]]
            for uid, e in cache._cache.items()}


def once(forward, v, votes):
    votes.clear()
    asyncio.run(forward.forward(v))
    return {"rewards": v.told["rewards"], "blacklisted": v.told["blacklisted"], "scores": v.scores.tolist(), "votes": list(votes),
            "cache": cached(v.evaluation_cache), **rows(v.db_storage.db_connection.told)}


def recorded(forward, folder, at, scored):
    """Does what scored does, while the adapter records it: there is no round to be had."""
    import mirrorfleet_record
    import mirrorfleet_validator as adapter

    steps = {step: getattr(forward, step) for step in adapter.STEPS}
    adapter.install(forward, recorder=mirrorfleet_record.Recorder(folder, clock=lambda: at), url="http://127.0.0.1:1", timeout=1)
    try:
        return scored()
    finally:
        for step, own in steps.items():
            setattr(forward, step, own)


def differing(own, theirs):
    """How many parts of what two passes did differ. Prints them."""
    apart = 0
    for what in sorted(own.keys() | theirs.keys()):
        a, b = own.get(what), theirs.get(what)
        print(f"{what}: {len(a) if hasattr(a, '__len__') else a} of the validator's own")
        if a == b:
            continue
        apart += 1
        pairs = zip(sorted(a, key=str), sorted(b, key=str)) if isinstance(a, list) and isinstance(b, list) else \
            ((f"{k}: {a.get(k)}", f"{k}: {b.get(k)}") for k in sorted(a.keys() | b.keys())) if isinstance(a, dict) else [(a, b)]
        print(f"  DIFFERS: {len(a)} and {len(b)}")
        for x, y in [(x, y) for x, y in pairs if x != y][:3]:
            print(f"  own         {x}\n  mirrorfleet {y}")
    return apart


def main(checkout, adapter, api, name, mirror, miners, registry, as_of, records):
    sys.path[:0] = [checkout, adapter]
    votes, miners = [], json.loads(Path(miners).read_text())
    at = datetime.datetime.fromisoformat(as_of.replace("Z", "+00:00"))
    forward, storage = prepare(mirror, miners, registry, at, votes)
    from gittensor import classes

    scored = lambda: once(forward, validator(miners, storage, classes), votes)
    own = scored()
    print("recorded:")
    apart = differing(own, recorded(forward, records, at, scored))
    later = at + datetime.timedelta(hours=4, minutes=7)
    prepare(mirror, miners, registry, later, votes)
    recorded(forward, records, later, scored)
    prepare(mirror, miners, registry, at, votes)
    import mirrorfleet_validator

    mirrorfleet_validator.install(forward, shadow=False, url=api, name=name, max_age=1e9)
    forward.run_issue_discovery = forward.get_rewards = None  # whoever would still score by itself would fail
    print("mirrorfleet's:")
    sys.exit(1 if apart + differing(own, scored()) else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
