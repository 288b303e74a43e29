"""mirrorfleet's latest round of the schedule, in place of a validator's own scoring.

latest(hotkeys) takes the metagraph's hotkeys, {uid: hotkey}, and returns what the
validator's later steps need of a round, or None when there is nothing to be trusted:
then score by yourself. It raises nothing and ends within the timeout; the log says why.
"""
import base64, collections, datetime, hashlib, json, logging, math, os, re, ssl, threading, types, urllib.parse, urllib.request

URL = os.environ.get("MIRRORFLEET_URL", "http://127.0.0.1:8440")
CA = os.environ.get("MIRRORFLEET_CA")  # a file with the CA of an https:// URL; without it the system's
READ_TOKEN = os.environ.get("MIRRORFLEET_READ_TOKEN")
READ_TOKEN_FILE = os.environ.get("MIRRORFLEET_READ_TOKEN_FILE")
# A file of public keys: with one, only a round that one of them has signed is taken. It needs cryptography or PyNaCl.
KEY = os.environ.get("MIRRORFLEET_VERIFY_KEY")

# rewards {uid: reward} and evaluations {uid: MinerEvaluation} are of every uid of the metagraph; penalized are
# the uids that share a GitHub account; loaded and discovered are those whose pull requests, and whose issues, the
# mirror gave in this round.
Round = collections.namedtuple("Round", "name rewards penalized evaluations loaded discovered")


def latest(hotkeys, classes=None, url=URL, name="latest", max_age=3 * 3600, timeout=60, incomplete_too=False,
           key=KEY):
    """The round, or None. classes are the validator's own unless given; another name than latest is for a trial."""
    try:
        found = []  # by a thread: a name that does not resolve, or a server that drips, outlasts a socket's timeout
        asking = threading.Thread(target=keep, args=(found, url, name, timeout, key), daemon=True)
        asking.start()
        asking.join(timeout)
        answers = found[0] if found else TimeoutError(f"no answer within {timeout} s")
        if isinstance(answers, Exception):
            raise answers
        told, evaluated = answers
        check(told, hotkeys, name, max_age, incomplete_too)
        return put_together(told, evaluated, hotkeys, classes or validators_own())
    except Exception as why:
        logging.getLogger("mirrorfleet").warning("no round from %s, score by yourself: %r", url, why)
        return None


def keep(found, url, name, timeout, key):
    try:
        told = fetch(f"{url}/api/v1/rounds/{name}/rewards", timeout, 4_000_000)
        if key:
            path = f"/api/v1/rounds/{told['round']}/outcome?revision={told['revision']}"
            signer = Signer(key, f"{told['round']}.outcome.{told['revision']}")
            told = signed_rewards(fetch(url + path, timeout, 256_000_000, signer.verify))
        path = f"/api/v1/rounds/{told['round']}/evaluations?revision={told['revision']}"
        found.append((told, fetch(url + path, timeout, 256_000_000)))
    except Exception as why:
        found.append(why)


def read_token():
    """The token that the API wants of readers, or None: read again each time, so that a new one needs no restart."""
    if not READ_TOKEN_FILE:
        return READ_TOKEN
    if os.stat(READ_TOKEN_FILE).st_mode & 0o004:
        raise PermissionError(f"others can read {READ_TOKEN_FILE}: chmod o-rwx {READ_TOKEN_FILE}")
    with open(READ_TOKEN_FILE) as file:
        return file.read().strip()


def fetch(url, timeout, most, verify=None):
    request, token = urllib.request.Request(url), read_token()
    secure = request.type == "https"
    if token and not secure and urllib.parse.urlsplit(url).hostname not in ("127.0.0.1", "::1", "localhost"):
        raise ValueError("the token is for an https:// URL, or for this machine")
    if token:
        request.add_unredirected_header("Authorization", "Bearer " + token)  # nobody else is told it
    tls = ssl.create_default_context(cafile=CA) if secure else None
    with urllib.request.urlopen(request, timeout=timeout, context=tls) as response:
        body = response.read(most + 1)
    if len(body) > most:
        raise ValueError(f"an answer of more than {most} bytes")
    if verify:
        verify(body, response.headers)
    return json.loads(body, parse_constant=finite, parse_float=finite)


class Signer:
    """Whoever has signed an outcome, by its name: one of the public keys of a file."""

    def __init__(self, path, name):
        try:
            with open(path) as file:
                blocks = re.findall("-----BEGIN PUBLIC KEY-----(.*?)-----END PUBLIC KEY-----", file.read(), re.DOTALL)
        except OSError as why:
            raise ValueError(str(why)) from None
        ders = [base64.b64decode(block) for block in blocks]
        if not ders or not all(len(der) == 44 and der.startswith(ED25519) for der in ders):
            raise ValueError(f"{path} does not hold ed25519 public keys (PEM)")
        self.keys = {hashlib.sha256(der[12:]).hexdigest()[:16]: der[12:] for der in ders}
        self.name, self.check = name, signature_check()

    def verify(self, body, headers):
        by, signature = headers.get("Mirrorfleet-Signed-By"), headers.get("Mirrorfleet-Signature")
        if not by or not signature:
            raise ValueError("its outcome is not signed")
        if by not in self.keys:
            raise ValueError(f"its outcome is signed by key {by}, and not by {' or '.join(self.keys)}")
        text = f"mirrorfleet 1\n{self.name}\n{hashlib.sha256(body).hexdigest()}\n"
        try:
            self.check(self.keys[by], base64.b64decode(signature), text.encode())
        except Exception as why:
            raise ValueError(f"the signature of its outcome is not right: {why!r}")


ED25519 = bytes.fromhex("302a300506032b6570032100")  # what comes before such a key's own 32 bytes


def signature_check():
    """A function of key, signature and text that raises an exception unless they belong together."""
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        return lambda key, signature, text: Ed25519PublicKey.from_public_bytes(key).verify(signature, text)
    except ImportError:
        pass
    try:
        from nacl.signing import VerifyKey

        return lambda key, signature, text: VerifyKey(key).verify(text, signature)
    except ImportError:
        raise ValueError("a key is given, and neither cryptography nor PyNaCl is installed to verify with") from None


def signed_rewards(signed):
    """What the API's rewards say, from the outcome that was signed. Its age is by this machine's clock: no answer can make it younger."""
    outcome, now, as_of = signed["outcome"], datetime.datetime.now(datetime.timezone.utc), instant(signed["as_of"])
    if as_of is None:
        raise ValueError("its outcome has no instant")
    hotkeys = {m["uid"]: m["hotkey"] for m in outcome["miners"]}
    uids = [reward["uid"] for reward in outcome["rewards"]]
    return {
        "round": signed["round"], "revision": signed["revision"], "due": signed.get("due"), "complete": signed["complete"],
        "age_seconds": (now - as_of).total_seconds(), "uids": uids, "hotkeys": [hotkeys[uid] for uid in uids],
        "rewards": [reward["reward"] for reward in outcome["rewards"]], "untaken": outcome["untaken"],
        "shared_account": outcome["shared_account"] or [], "signed_miners": outcome["miners"],
    }


def bare(m):
    """A miner without what the API adds to it, and leaves out of it, for this file."""
    m = {name: value for name, value in m.items() if name not in ("dropped", "issues")}
    m["pull_requests"] = [
        {name: value for name, value in p.items() if name not in ("reasons", "tokens", "listed")}
        | {"listed": {name: value for name, value in (p.get("listed") or {}).items() if name != "body"}}
        for p in m["pull_requests"]
    ]
    return m


def finite(text):
    if not math.isfinite(float(text)):
        raise ValueError(f"it has a number that is {text}")
    return float(text)


def number(x):
    return type(x) in (int, float)


def check(told, hotkeys, name, max_age, incomplete_too):
    uids, shares, keys, age = told["uids"], told["rewards"], told["hotkeys"], told["age_seconds"]
    total, untaken, whole = math.fsum(shares), told["untaken"], {0, 111} <= set(uids)  # these two take what nobody has earned
    for holds, what in (
        (name in ("latest", told["round"]), f"it is {told['round']}, and not what was asked for"),
        (type(told["revision"]) is int, f"its revision is {told['revision']!r}"),
        (name != "latest" or told.get("due"), "it was run by hand, for no turn of the schedule"),
        (-60 <= age <= max_age, f"it is {age} s old"),
        (told["complete"] is True or incomplete_too, "it is incomplete"),
        (len(set(uids)) == len(uids) == len(shares) == len(keys), "its lists do not match"),
        (all(type(uid) is int and uid in hotkeys for uid in uids), "it has unknown uids"),
        (all(number(x) and 0 <= x <= 1 for x in shares + [untaken]), "it has rewards that are none"),
        (all(type(uid) is int for uid in told["shared_account"]), "it has penalised uids that are none"),
        (untaken == 0 or not whole, f"it says that {untaken} is untaken, though uids 0 and 111 are there to take it"),
        (abs(total + untaken - 1) < 1e-6, f"its rewards sum to {total}, and {untaken} is untaken"),
    ):
        if not holds:
            raise ValueError(what)


def put_together(told, evaluated, hotkeys, classes):
    miners = {m["uid"]: m for m in evaluated["miners"]}
    shares = dict(zip(told["uids"], told["rewards"]))
    if (told["round"], told["revision"]) != (evaluated["round"], evaluated["revision"]) or shares.keys() != miners.keys():
        raise ValueError("its rewards and its evaluations are not of one outcome")
    keys = dict(zip(told["uids"], told["hotkeys"]))
    if len(miners) != len(evaluated["miners"]) or any(m["hotkey"] != keys[uid] for uid, m in miners.items()):
        raise ValueError("its rewards and its evaluations are not of the same miners")
    if "signed_miners" in told and [bare(m) for m in told["signed_miners"]] != [bare(m) for m in evaluated["miners"]]:
        raise ValueError("its evaluations are not those of the outcome that was signed")
    # A uid with another hotkey than the round's is another miner now, which has earned nothing and is not penalised.
    same = {uid for uid, m in miners.items() if m["hotkey"] == hotkeys[uid]}
    if not any(shares[uid] for uid in same):
        raise ValueError("it has no reward for anybody of the metagraph")
    evaluations = {
        uid: evaluation(miners[uid], classes) if uid in same else stranger(uid, key, uid in miners, classes)
        for uid, key in hotkeys.items()
    }
    loaded = {uid for uid in same if miners[uid]["failed"] is None and not miners[uid].get("fetch_failed")}
    lacking = {uid for uid in same if miners[uid].get("issues_failed") or miners[uid].get("issues_incomplete")}
    return Round(
        told["round"], {uid: float(shares[uid]) if uid in same else 0.0 for uid in hotkeys}, same & set(told["shared_account"]),
        evaluations, loaded, {uid for uid in same if miners[uid]["failed"] is None} - lacking,
    )


def remember(cache, found):
    """Does to the validator's own cache, which its own scoring falls back on, what its own round would have done."""
    cache.evict_many(found.penalized)
    for uid in sorted(found.loaded):
        cache.store(found.evaluations[uid])
    for uid in sorted(found.discovered):
        cache.update_issue_discovery(found.evaluations[uid])


def validators_own():
    from gittensor import classes  # here: the rest of this file needs no validator
    from gittensor.utils.mirror import models
    from gittensor.validator.oss_contributions.mirror import scored_pr

    return types.SimpleNamespace(
        MinerEvaluation=classes.MinerEvaluation, RepoEvaluation=classes.RepoEvaluation, Issue=classes.Issue,
        ScoredPR=scored_pr.ScoredPR, MirrorPullRequest=models.MirrorPullRequest, MirrorFile=models.MirrorFile,
        MirrorLinkedIssue=models.MirrorLinkedIssue, MirrorReviewSummary=models.MirrorReviewSummary,
    )


PULL_FIGURES = (
    "is_eligible", "credibility", "base_total_score", "total_score", "total_collateral_score", "total_nodes_scored",
    "total_token_score", "total_structural_count", "total_structural_score", "total_leaf_count", "total_leaf_score",
)
ISSUE_FIGURES = (
    "is_issue_eligible", "issue_credibility", "issue_discovery_score", "issue_token_score", "total_solved_issues",
    "total_valid_solved_issues", "total_closed_issues", "total_open_issues",
)
COUNTS = ("total_merged_prs", "total_open_prs", "total_closed_prs")  # a miner's own are the lengths of its lists
SCORES = (
    "base_score", "token_score", "structural_count", "structural_score", "leaf_count", "leaf_score", "total_nodes_scored",
    "issue_multiplier", "open_pr_spam_multiplier", "time_decay_multiplier", "review_quality_multiplier", "label_multiplier",
    "label", "earned_score", "collateral_score",
)
DISCOVERY = (
    "discovery_base_score", "discovery_earned_score", "discovery_review_quality_multiplier", "discovery_time_decay_multiplier",
    "discovery_credibility_multiplier", "discovery_open_issue_spam_multiplier", "discovery_label_multiplier",
)


def pick(values, names):
    """These fields; a score is a float also where JSON has it as a whole number."""
    real = ("score", "multiplier", "credibility")
    for name in names:
        if name.endswith(real) and not number(values[name]):
            raise ValueError(f"its {name} is {values[name]!r}")
    return {name: float(values[name]) if name.endswith(real) else values[name] for name in names}


def evaluation(m, c):
    pulls = {"MERGED": [], "OPEN": [], "CLOSED": []}
    for p in m["pull_requests"]:
        pulls[p["state"]].append(scored_pull_request(p, m["github_id"], c))
    nobody = m["failed"] in ("recycle uid", "no hotkey")
    return c.MinerEvaluation(
        uid=m["uid"], hotkey="" if nobody else m["hotkey"], github_id=m["github_id"], failed_reason=reason(m),
        github_pr_fetch_failed=bool(m.get("fetch_failed") and not m.get("from_stored")),
        merged_prs=pulls["MERGED"], open_prs=pulls["OPEN"], closed_prs=pulls["CLOSED"],
        unique_repos_count=m["unique_repositories"],
        unique_repos_contributed_to={p["repository"] for p in m["pull_requests"] if p["state"] == "MERGED" and p["scored"]},
        issue_discovery_issues=[scored_issue(i, c) for i in m["scored_issues"]],
        repo_evaluations={
            r["repository_full_name"]: c.RepoEvaluation(
                repository_full_name=r["repository_full_name"], **pick(r, PULL_FIGURES + COUNTS + ISSUE_FIGURES))
            for r in m["repositories"]
        },
        **pick(m, PULL_FIGURES + ISSUE_FIGURES),
    )


def reason(m):
    if m["failed"] is None:
        return None
    shared = f" {m['github_id']}, with UIDs {m['shared_with']}" if m.get("shared_with") else ""
    return f"mirrorfleet: {m['failed']}{shared}"


def stranger(uid, hotkey, known, c):
    why = "another hotkey than in the round" if known else "registered since the round"
    return c.MinerEvaluation(uid=uid, hotkey=hotkey, failed_reason=f"mirrorfleet: {why}")


def scored_pull_request(p, github_id, c):
    listed, tokens = p["listed"], p.get("tokens") or {}
    return c.ScoredPR(
        pr=c.MirrorPullRequest(
            repo_full_name=p["repository"], pr_number=p["number"], title=p.get("title", ""), state=p["state"], body=listed["body"],
            author_github_id=github_id, author_login=listed["author_login"], merged_by_login=listed.get("merged_by_login"),
            created_at=instant(p.get("created_at")), merged_at=instant(p.get("merged_at")),
            last_edited_at=instant(listed.get("last_edited_at")), head_sha=listed.get("head_sha"), base_sha=listed.get("base_sha"),
            additions=listed["additions"], deletions=listed["deletions"], commits_count=listed["commits"],
            review_summary=c.MirrorReviewSummary(
                maintainer_changes_requested_count=p.get("maintainer_changes_requested_count", 0)),
            linked_issues=[linked_issue(i, c) for i in listed.get("issues", [])], scoring_data_stored=p["scored"],
            # What no step after the scoring reads:
            author_association=None, closed_at=None, edited_after_merge=False, hours_since_merge=None, base_ref=None,
            head_ref=None, head_repo_full_name=None, default_branch=None, merge_base_sha=None, labels=[],
        ),
        files=[changed_file(f, c) for f in tokens["files"]] if tokens.get("files") else None, **pick(p, SCORES),
    )


def linked_issue(i, c):
    return c.MirrorLinkedIssue(
        number=i["number"], title=i["title"], state=i["state"], state_reason=i.get("state_reason"),
        author_github_id=i["author_github_id"], author_association=i.get("author_association"),
        created_at=instant(i.get("created_at")), closed_at=instant(i.get("closed_at")), updated_at=instant(i.get("updated_at")),
        is_transferred=i.get("state_reason") == "TRANSFERRED", solved_by_pr=None, labels=[],
    )


def changed_file(f, c):
    change = f["change"]
    return c.MirrorFile(
        filename=f["filename"], previous_filename=change.get("previous_filename"), status=change["status"],
        additions=change["additions"], deletions=change["deletions"], changes=change["changes"],
        is_binary=False, head_content=None, base_content=None,
    )


def scored_issue(i, c):
    return c.Issue(
        number=i["number"], pr_number=i["pr_number"], repository_full_name=i["repository_full_name"], title="",
        **pick(i, DISCOVERY),
    )


def instant(text):
    """An instant as the validator has it: of UTC, to the microsecond. Python before 3.11 reads neither Z nor other fractions."""
    if text is None:
        return None
    seconds, _, fraction = text.rstrip("Z").partition(".")
    at = datetime.datetime.fromisoformat(seconds).replace(tzinfo=datetime.timezone.utc)
    return at.replace(microsecond=int(f"{fraction:0<6.6}")) if fraction else at
