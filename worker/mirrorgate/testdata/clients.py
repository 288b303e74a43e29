"""Asks a mirror behind a gateway as validators do: clients.py GATEWAY DIRECT CLIENTS [CHECKOUT]

So many threads have a session each; every answer is compared with that of the same mirror without gateway or limit.
With a checkout of the validator they ask by its own client, whose constant names the gateway already; the stand-in
for bittensor has the logger alone. One line of JSON says what came back.
"""
import collections, datetime, json, sys, threading, types

import requests

gateway, direct, clients = sys.argv[1], sys.argv[2], int(sys.argv[3])
MINERS = [
    miner["github_id"]
    for miner in json.load(open(sys.argv[4]))
    if miner.get("github_id") and requests.get(f"{direct}/api/v1/miners/{miner['github_id']}/pulls", timeout=30).ok  # one fails on purpose
]
checkout = sys.argv[5] if len(sys.argv) > 5 else None
SINCE = {"acme/rocket": datetime.datetime(2026, 6, 1, tzinfo=datetime.timezone.utc)}
counts = collections.Counter()
errors = []
lock = threading.Lock()


def plain(number):
    """The requests of the validator's client, by its library and with its time-out."""
    with requests.Session() as session, requests.Session() as other:
        def both(method, path, **more):
            came, want = (s.request(method, base + path, timeout=30, **more) for s, base in ((session, gateway), (other, direct)))
            with lock:
                counts[str(came.status_code)] += 1
                counts["equal" if came.content == want.content and came.status_code == want.status_code else "different"] += 1
            return came

        miner = MINERS[number % len(MINERS)]
        windows = {"since_by_repo": {name: since.isoformat() for name, since in SINCE.items()}}
        both("POST", f"/api/v1/miners/{miner}/pulls", json=windows)
        both("POST", f"/api/v1/miners/{miner}/issues", json=windows)
        both("GET", f"/api/v1/miners/{miner}/issues")
        for pull in both("GET", f"/api/v1/miners/{miner}/pulls", params={"since": "2020-01-01T00:00:00Z"}).json()["pull_requests"][:2]:
            both("GET", f"/api/v1/pulls/{pull['repo_full_name']}/{pull['pr_number']}/files")


def own(number):
    """The validator's own client: one for each miner."""
    from gittensor.utils.mirror.client import MirrorClient

    with MirrorClient() as client, MirrorClient() as other:
        if client.base_url != gateway:
            raise RuntimeError(f"the validator asks {client.base_url}, want {gateway}")
        other.base_url = direct

        def both(ask):
            came, want = ask(client), ask(other)
            with lock:
                counts["200"] += 1
                counts["equal" if came == want else "different"] += 1
            return came

        miner = MINERS[number % len(MINERS)]
        both(lambda c: c.get_miner_pulls(miner, SINCE))
        both(lambda c: c.get_miner_issues(miner, SINCE))
        both(lambda c: c.get_miner_issues(miner))
        for pull in both(lambda c: c.get_miner_pulls(miner)).pull_requests[:2]:
            both(lambda c: c.get_pr_files(pull.repo_full_name, pull.pr_number))


def run(number):
    try:
        (own if checkout else plain)(number)
    except Exception as e:
        with lock:
            errors.append(f"{type(e).__name__}: {e}"[:300])


if checkout:
    sys.path.insert(0, checkout)
    def tell(text):
        if text.startswith("Mirror "):  # its client tries again; other lines are of the world's malformed items
            errors.append(text)

    logging = types.SimpleNamespace(info=tell, debug=tell, warning=tell, error=tell)
    sys.modules["bittensor"] = types.SimpleNamespace(logging=logging)
threads = [threading.Thread(target=run, args=(number,)) for number in range(clients)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps({"counts": counts, "errors": errors[:5]}))
