"""Rewards of mirrorfleet's latest round, in place of a validator's own scoring.

rewards(hotkeys) takes the metagraph's hotkeys, {uid: hotkey}, and returns
{uid: reward}, or None when there is nothing to be trusted: then score by
yourself. It raises nothing and ends within the timeout; the log says why.
"""
import json, logging, math, threading, urllib.request

URL = "http://127.0.0.1:8440/api/v1/rounds/latest/rewards"


def fetch(url, timeout, found):
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:
            found.append(json.loads(response.read(4_000_000)))
    except Exception as why:
        found.append(why)


def rewards(hotkeys, url=URL, max_age=3 * 3600, timeout=10, incomplete_too=False):
    try:
        found = []  # by a thread: a name that does not resolve, or a server that drips, outlasts a socket's timeout
        asking = threading.Thread(target=fetch, args=(url, timeout, found), daemon=True)
        asking.start()
        asking.join(timeout)
        said = found[0] if found else TimeoutError(f"no answer within {timeout} s")
        if isinstance(said, Exception):
            raise said
        uids, shares, keys, age = said["uids"], said["rewards"], said["hotkeys"], said["age_seconds"]
        total, whole = math.fsum(shares), {0, 111} <= set(uids)  # these two take what nobody has earned
        for holds, what in (
            (-60 <= age <= max_age, f"it is {age} s old"),
            (said["complete"] is True or incomplete_too, "it is incomplete"),
            (len(set(uids)) == len(uids) == len(shares) == len(keys), "its lists do not match"),
            (all(type(uid) is int and uid in hotkeys for uid in uids), "it has unknown uids"),
            (all(type(x) in (int, float) and 0 <= x <= 1 for x in shares), "it has rewards that are none"),
            (abs(total - 1) < 1e-6 if whole else 0 < total < 1 + 1e-6, f"its rewards sum to {total}"),
        ):
            if not holds:
                raise ValueError(what)
        # A uid with another hotkey than the round's is another miner now, which has earned nothing.
        return {uid: x if hotkeys[uid] == key else 0.0 for uid, x, key in zip(uids, shares, keys)}
    except Exception as why:
        logging.getLogger("mirrorfleet").warning("no rewards from %s, score by yourself: %r", url, why)
        return None
