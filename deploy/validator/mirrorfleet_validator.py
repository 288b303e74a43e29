"""Runs a validator whose rounds are mirrorfleet's: mirrorfleet_validator.py neurons/validator.py [its arguments]

Nothing of the validator is changed on disk: four steps of its forward pass are replaced while it runs. Each takes
mirrorfleet's latest round, or does what it did before when there is no trusted round. With MIRRORFLEET_SHADOW=1
the validator scores by itself, and the log tells how far mirrorfleet's rewards are from its own. With
MIRRORFLEET_RECORD=DIR each round that it scores by itself is recorded there, for `producer shadow`.
"""
import asyncio, logging, os, runpy, sys

import mirrorfleet_record, mirrorfleet_round

RECORD = os.environ.get("MIRRORFLEET_RECORD")
SHADOW = os.environ.get("MIRRORFLEET_SHADOW") == "1"
INCOMPLETE_TOO = os.environ.get("MIRRORFLEET_INCOMPLETE_TOO") == "1"
STEPS = ("oss_contributions", "issue_discovery", "build_maintainer_uids_by_repo", "blend_emission_pools")
log = logging.getLogger("mirrorfleet")


class Evaluations(dict):
    """Evaluations that know their round, so that the later steps can tell which kind they get."""

    # One of them is set, or none.
    round: mirrorfleet_round.Round
    shadow: mirrorfleet_round.Round


def recorder_of(folder):
    """The recorder for a folder, or None. A validator that cannot be recorded scores as before."""
    try:
        return mirrorfleet_record.Recorder(folder) if folder else None
    except Exception:
        log.exception("the rounds of this validator are not recorded in %s", folder)


def install(forward, shadow=SHADOW, recorder=None, **asking):
    """Replaces the steps in the module of the validator's forward pass; asking is handed to latest."""
    own = {step: getattr(forward, step) for step in STEPS}

    async def oss_contributions(validator, miner_uids, *scoring):
        log.setLevel(logging.INFO)  # bittensor silences other loggers whenever its own level is set
        hotkeys = dict(enumerate(validator.metagraph.hotkeys))
        found = await asyncio.to_thread(mirrorfleet_round.latest, hotkeys, **asking)
        if found is not None and not shadow:
            try:
                mirrorfleet_round.remember(validator.evaluation_cache, found)
                evaluations = Evaluations({uid: found.evaluations[uid] for uid in miner_uids})
                evaluations.round = found
                log.info("the round is mirrorfleet's %s", found.name)
                return evaluations, set(), found.penalized
            except Exception:
                log.exception("round %s does not fit this validator, which scores by itself", found.name)
        if recorder:
            recorder.begin()
        scored, cached, penalized = await own["oss_contributions"](validator, miner_uids, *scoring)
        if recorder:
            recorder.pulls_scored(validator, cached)
        if found is not None and shadow:
            scored = Evaluations(scored)
            scored.shadow = found
        return scored, cached, penalized

    async def issue_discovery(evaluations, *scoring, **more):
        if hasattr(evaluations, "round"):
            return
        if recorder:
            recorder.issues_begin()
        await own["issue_discovery"](evaluations, *scoring, **more)
        if recorder:
            recorder.issues_scored()

    def build_maintainer_uids_by_repo(evaluations, *of):
        return {} if hasattr(evaluations, "round") else own["build_maintainer_uids_by_repo"](evaluations, *of)

    def blend_emission_pools(evaluations, repositories, miner_uids, *maintainers):
        import numpy  # the validator's own

        if hasattr(evaluations, "round"):
            return numpy.array([evaluations.round.rewards[uid] for uid in sorted(miner_uids)])
        rewards = own["blend_emission_pools"](evaluations, repositories, miner_uids, *maintainers)
        if recorder:
            recorder.concluded(evaluations, maintainers[0] if maintainers else {}, dict(zip(sorted(miner_uids), rewards)))
        if hasattr(evaluations, "shadow"):
            compare(dict(zip(sorted(miner_uids), map(float, rewards))), evaluations.shadow.rewards)
        return rewards

    for step, mine in zip(STEPS, (oss_contributions, issue_discovery, build_maintainer_uids_by_repo, blend_emission_pools)):
        setattr(forward, step, mine)


def compare(own, theirs):
    """Log and return the largest difference of the two, {uid: reward} each."""
    apart = {uid: abs(own.get(uid, 0.0) - theirs.get(uid, 0.0)) for uid in own.keys() | theirs.keys()}
    for uid in sorted(apart, key=lambda uid: apart[uid], reverse=True)[:5]:
        log.info("uid %d: own %.6f, mirrorfleet %.6f", uid, own.get(uid, 0.0), theirs.get(uid, 0.0))
    return max(apart.values(), default=0.0)


if __name__ == "__main__":
    lines = logging.StreamHandler()
    lines.setFormatter(logging.Formatter("%(asctime)s | %(levelname)s | %(name)s | %(message)s"))
    log.addHandler(lines)
    log.propagate = False
    sys.argv = sys.argv[1:]
    sys.path.insert(0, os.path.dirname(os.path.abspath(sys.argv[0])))  # as python does for a script
    try:
        from gittensor.validator import forward

        install(forward, recorder=recorder_of(RECORD), incomplete_too=INCOMPLETE_TOO)
    except Exception:
        log.exception("this validator has not the steps that are known here, and scores by itself")
    runpy.run_path(sys.argv[0], run_name="__main__")
