"""Records what a validator concludes by itself, for `producer shadow` (docs/validator.md#shadowing).

A Recorder only listens: the validator gets the mirror's answers and the results of its own steps unchanged. For each round that
the validator scores by itself, the Recorder writes a file with its inputs and results. No failure here reaches the validator.
"""
import datetime, functools, gzip, hashlib, inspect, json, logging, os, pathlib, re

from mirrorfleet_round import COUNTS, DISCOVERY, ISSUE_FIGURES, PULL_FIGURES, SCORES

FORMAT, VERSION = "mirrorfleet-validator-round", 1
# How many of the newest records a folder keeps: about eight days of them, with a round every
# two hours.
KEPT = 100
LANGUAGES, TOKENS, REGISTRY = "programming_languages.json", "token_weights.json", "master_repositories.json"
# The rule behind a failure, by words of the validator's text. The text itself is not recorded.
FAILURES = {
    "RECYCLE": "recycle uid", "No hotkey": "no hotkey", "hotkey changed": "hotkey changed", "No stored PAT": "no stored token",
    "Penalized": "shared account",
}
log = logging.getLogger("mirrorfleet")


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def quietly(method):
    """A failure does not stop the validator's round: the round then has no record."""

    @functools.wraps(method)
    def call(self, *given, **named):
        try:
            return method(self, *given, **named)
        except Exception:
            self.round = None
            log.exception("this round of the validator's own is not recorded")

    return call


class Recorder:
    """One folder of records. Its methods are called in the order of the validator's steps."""

    def __init__(self, folder, clock=now):
        self.folder, self.clock, self.round = pathlib.Path(folder), clock, None
        self.answers, self.lacking, self.windows = {}, set(), {}
        self.folder.mkdir(parents=True, exist_ok=True)
        self.listen()

    def listen(self):
        """Notes the mirror's answers on miners, and which files it did not give. The validator gets each answer as before."""
        from gittensor.utils.mirror.client import MirrorClient

        def heard(name, note):
            own = getattr(MirrorClient, name)
            signature = inspect.signature(own)

            @functools.wraps(own)
            def call(*given, **named):
                try:
                    answer = own(*given, **named)
                except Exception:
                    note(signature, given, named, None)
                    raise
                note(signature, given, named, answer)
                return answer

            return name, call

        # All are wrapped before the first one takes its place: a client that lacks one stays as it is.
        for name, call in [
            heard("get_miner_pulls", self.pulls_heard), heard("get_miner_issues", self.issues_heard),
            heard("get_pr_files", self.files_heard),
        ]:
            setattr(MirrorClient, name, call)

    # What is heard is noted during a round that is recorded. Each note may fail: the validator's next version may have other
    # parameters. The first note that fails drops the record, and the others of the round then do nothing.

    @quietly
    def pulls_heard(self, signature, given, named, answer):
        if self.round is not None and answer is not None:
            asked = arguments(signature, given, named)
            if asked["since_by_repo"] is not None:
                self.answers["pulls", str(asked["github_id"])] = answer
                self.asked_since("pull requests", asked["since_by_repo"])

    @quietly
    def issues_heard(self, signature, given, named, answer):
        if self.round is not None and answer is not None:
            asked = arguments(signature, given, named)
            kind = "open issues" if asked["since_by_repo"] is None else "issues"
            self.answers[kind, str(asked["github_id"])] = answer
            if kind == "issues":
                self.asked_since(kind, asked["since_by_repo"])

    def asked_since(self, kind, since_by_repo):
        """Notes how many days back the first lists reach, which the answer's way makes a little longer. All miners' are alike."""
        if kind not in self.windows:
            days = {repo.lower(): (self.clock() - since).total_seconds() / 86400 for repo, since in since_by_repo.items()}
            self.windows[kind] = days

    @quietly
    def files_heard(self, signature, given, named, answer):
        if self.round is not None:
            asked = arguments(signature, given, named)
            name = f"{asked['repo_full_name'].lower()}#{asked['pr_number']}"
            (self.lacking.add if answer is None else self.lacking.discard)(name)

    @quietly
    def begin(self):
        """Before the pull requests: notes the registry, weights and code that score the round."""
        import gittensor
        from gittensor.utils.mirror import client
        from gittensor.validator.utils import load_weights

        self.answers.clear()
        self.lacking.clear()
        self.windows = {}
        folder = load_weights._get_weights_dir()
        read = {name: json.loads((folder / name).read_text()) for name in (LANGUAGES, TOKENS, REGISTRY)}
        home = pathlib.Path(str(gittensor.__file__)).parent
        self.round = {
            "format": FORMAT, "version": VERSION, "validator": gittensor.__version__, "mirror": client.GITTENSOR_MIRROR_DEFAULT_URL,
            "registry": read[REGISTRY], "programming_languages": read[LANGUAGES], "token_weights": read[TOKENS],
            "rules": {f"gittensor/{file.relative_to(home).as_posix()}": digest(file) for file in sorted(home.rglob("*.py"))},
            "packages": packages(), "pulls": {"began": self.clock().isoformat()},
        }

    @quietly
    def pulls_scored(self, validator, cached):
        """After the pull requests. cached are the uids whose stored evaluations stand in; the validator empties this set later."""
        if self.round is not None:
            self.round["pulls"]["ended"] = self.clock().isoformat()
            self.hotkeys, self.cached = list(validator.metagraph.hotkeys), set(cached)

    @quietly
    def issues_begin(self):
        if self.round is not None:
            self.round["issues"] = {"began": self.clock().isoformat()}

    @quietly
    def issues_scored(self):
        if self.round is not None:
            self.round["issues"]["ended"] = self.clock().isoformat()

    @quietly
    def concluded(self, evaluations, maintainers, rewards):
        """At the end of a round: writes its record. rewards is {uid: reward}."""
        record, self.round = self.round, None
        try:
            if record is not None:
                self.write(record, evaluations, maintainers, rewards)
        finally:  # the answers on all miners are large, and the next round is hours away
            self.answers.clear()
            self.lacking.clear()

    def write(self, record, evaluations, maintainers, rewards):
        record["maintainers"] = {repository: sorted(uids) for repository, uids in maintainers.items()}
        record["files_lacking"] = sorted(self.lacking)
        record["windows"] = self.windows
        record["miners"] = [self.miner(uid, evaluations[uid]) for uid in sorted(evaluations)]
        record["rewards"] = {str(uid): float(rewards[uid]) for uid in sorted(rewards)}
        text = json.dumps(record, allow_nan=False, separators=(",", ":"))
        at = datetime.datetime.fromisoformat(record["issues"]["ended"])
        file = self.folder / f"validator-{at:%Y%m%dt%H%M%S%f}z.json.gz"
        new = file.with_suffix(".new")
        with gzip.open(new, "wt", encoding="utf-8") as out:
            out.write(text)
        os.replace(new, file)  # a reader finds a whole file or none
        for old in sorted(self.folder.glob("validator-*z.json.gz"))[:-KEPT]:
            old.unlink()
        log.info("the validator's own round is recorded in %s", file)

    def miner(self, uid, e):
        pulls, issues, still = (self.answers.get((kind, str(e.github_id))) for kind in ("pulls", "issues", "open issues"))
        m = {
            "uid": uid, "hotkey": self.hotkeys[uid], "github_id": e.github_id, "failed": failure(e.failed_reason),
            "fetch_failed": bool(e.github_pr_fetch_failed), "from_stored": uid in self.cached,
            **fields(e, PULL_FIGURES + ISSUE_FIGURES),
            "repositories": [
                {"repository_full_name": r.repository_full_name, **fields(r, PULL_FIGURES + COUNTS + ISSUE_FIGURES)}
                for _, r in sorted(e.repo_evaluations.items())
            ],
            "pull_requests": [scored(s) for s in [*e.merged_prs, *e.open_prs, *e.closed_prs]],
            "scored_issues": [
                {"repository_full_name": i.repository_full_name, "number": i.number, "pr_number": i.pr_number, **fields(i, DISCOVERY)}
                for i in e.issue_discovery_issues
            ],
        }
        if pulls is not None:
            m["received"] = [pull_request(p) for p in pulls.pull_requests]
        if issues is not None:
            m["listed"] = [issue(i) for i in issues.issues]
        if still is not None:
            m["open"] = {}
            for i in still.issues:
                if i.state == "OPEN":
                    m["open"][i.repo_full_name] = m["open"].get(i.repo_full_name, 0) + 1
        return m


def arguments(signature, given, named):
    """What a method was asked, by the names of all its parameters."""
    bound = signature.bind(*given, **named)
    bound.apply_defaults()
    return bound.arguments


def digest(file):
    """The digest of a file as it is published, without the gateway's address that docs/validator.md sets: that is no rule."""
    text = re.sub(rb"(?m)^(GITTENSOR_MIRROR_DEFAULT_URL = ).*", rb"\1'https://mirror.gittensor.io'", file.read_bytes())
    return hashlib.sha256(text).hexdigest()


def packages():
    """The versions of the parser's packages, which decide token scores."""
    from importlib import metadata

    named = ((d.metadata["Name"] or "", d.version) for d in metadata.distributions())
    return {name: version for name, version in sorted(named) if name.startswith("tree-sitter")}


def failure(reason):
    if reason is None:
        return None
    return next((rule for words, rule in FAILURES.items() if words in reason), "token refused")


def fields(of, names):
    """These fields of an object. Numbers are Python's own, whatever the validator computed with."""
    plain = (bool, int, str, type(None))
    return {name: x if isinstance(x, plain) else float(x) for name in names for x in [getattr(of, name)]}


def scored(s):
    files = None if s.files is None else len(s.files)
    return {
        "repository": s.pr.repo_full_name, "number": s.pr.pr_number, "state": s.pr.state, "files": files,
        "base_whole": isinstance(s.base_score, int), **fields(s, SCORES),
    }


def bare(values):
    """What the mirror has said, without absent fields."""
    said = {name: x for name, x in values.items() if x is not None and x is not False and x != []}
    return {name: x.isoformat() if hasattr(x, "isoformat") else x for name, x in said.items()}


def label(x):
    return bare({"name": x.name, "actor_id": x.actor_github_id, "actor_association": x.actor_association})


def branches(p):
    """What a pull request and the solver of an issue have in common."""
    return {
        "state": p.state, "author_id": p.author_github_id, "merged_at": p.merged_at, "edited_after_merge": p.edited_after_merge,
        "base_ref": p.base_ref, "head_ref": p.head_ref, "head_repository": p.head_repo_full_name, "default_branch": p.default_branch,
        "head_sha": p.head_sha, "base_sha": p.base_sha, "merge_base_sha": p.merge_base_sha,
        "maintainer_changes_requested_count": p.review_summary.maintainer_changes_requested_count, "labels": [label(x) for x in p.labels],
    }


def pull_request(p):
    return bare({
        "repository": p.repo_full_name, "number": p.pr_number, **branches(p), "author_login": p.author_login,
        "author_association": p.author_association, "created_at": p.created_at, "closed_at": p.closed_at,
        "merged_by_login": p.merged_by_login, "scoring_data_stored": p.scoring_data_stored,
        "approved_count": p.review_summary.approved_count,
        "linked_issues": [
            bare({
                "number": i.number, "state": i.state, "state_reason": i.state_reason, "author_id": i.author_github_id,
                "author_association": i.author_association, "created_at": i.created_at, "closed_at": i.closed_at,
                "transferred": i.is_transferred, "solved_by_pr": i.solved_by_pr,
            })
            for i in p.linked_issues
        ],
    })


def issue(i):
    solver = i.solving_pr
    return bare({
        "repository": i.repo_full_name, "number": i.issue_number, "state": i.state, "state_reason": i.state_reason,
        "author_id": i.author_github_id, "author_association": i.author_association, "created_at": i.created_at, "closed_at": i.closed_at,
        "last_edited_at": i.last_edited_at, "transferred": i.is_transferred, "solved_by_pr": i.solved_by_pr,
        "solving": bare({"number": solver.pr_number, **branches(solver)}) if solver else None,
    })
