"""How far mirrorfleet's rewards are from a validator's own, for the time in which both are computed."""
import logging


def compare(own, theirs):
    """Log and return the largest difference of the two, {uid: reward} each; None without theirs."""
    if theirs is None:
        return None
    apart = {uid: abs(own.get(uid, 0.0) - theirs.get(uid, 0.0)) for uid in own.keys() | theirs.keys()}
    for uid in sorted(apart, key=apart.get, reverse=True)[:5]:
        logging.getLogger("mirrorfleet").info("uid %d: own %.6f, mirrorfleet %.6f", uid, own.get(uid, 0.0), theirs.get(uid, 0.0))
    return max(apart.values(), default=0.0)
