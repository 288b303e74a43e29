package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/shadow"
)

// aValidator is as much of a validator as the recorder touches: it loads one miner's pull
// requests and issues, and fails to get the files of one.
const aValidator = `
import asyncio, json, logging, pathlib, sys, types
from datetime import datetime, timezone
sys.path.insert(0, "../deploy/validator")
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
home, records = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
(home / "constants.py").write_text("A = 1\nGITTENSOR_MIRROR_DEFAULT_URL = '" + sys.argv[3] + "'\n")
(home / "__init__.py").write_text("")
for name, text in dict(programming_languages={}, token_weights={}, master_repositories={"acme/widgets": {"emission_share": 0.5}}).items():
    (home / f"{name}.json").write_text(json.dumps(text))
ns = types.SimpleNamespace
at = datetime(2026, 6, 1, tzinfo=timezone.utc)
pr = ns(repo_full_name="acme/widgets", pr_number=7, state="MERGED", author_github_id="1005", author_login="hk5", author_association=None,
    created_at=at, closed_at=at, merged_at=at, edited_after_merge=False, merged_by_login="x", base_ref="main", head_ref=None,
    head_repo_full_name=None, default_branch="main", head_sha="aa", base_sha=None, merge_base_sha=None, scoring_data_stored=True,
    review_summary=ns(maintainer_changes_requested_count=1, approved_count=2),
    labels=[ns(name="bug", actor_github_id=None, actor_association="OWNER")],
    linked_issues=[ns(number=3, state="CLOSED", state_reason="COMPLETED", author_github_id="", author_association="NONE", created_at=at,
        closed_at=at, is_transferred=False, solved_by_pr=7)])
issue = ns(repo_full_name="acme/widgets", issue_number=3, state="OPEN", state_reason=None, author_github_id="1005", author_association=None,
    created_at=at, closed_at=None, last_edited_at=None, is_transferred=True, solved_by_pr=7, solving_pr=pr)
class MirrorClient:
    def get_miner_pulls(self, github_id, since_by_repo=None): return ns(pull_requests=[pr])
    def get_miner_issues(self, github_id, since_by_repo=None): return ns(issues=[issue])
    def get_pr_files(self, repo_full_name, pr_number): raise OSError("no files of " + repo_full_name)
def module(name, **values):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__dict__.update(values)
    parent, _, own = name.rpartition(".")
    if parent: setattr(sys.modules[parent], own, sys.modules[name])
module("gittensor", __file__=str(home / "__init__.py"), __version__="9.9.9")
for name in ("gittensor.utils", "gittensor.utils.mirror", "gittensor.validator", "gittensor.validator.utils"): module(name)
module("gittensor.utils.mirror.client", MirrorClient=MirrorClient, GITTENSOR_MIRROR_DEFAULT_URL=sys.argv[3])
module("gittensor.validator.utils.load_weights", _get_weights_dir=lambda: home)
sys.modules["numpy"] = ns(array=list)
import mirrorfleet_record, mirrorfleet_round as r, mirrorfleet_validator as v
mirrorfleet_record.KEPT = 2
pulls = dict.fromkeys(r.PULL_FIGURES + r.ISSUE_FIGURES, 0) | dict(is_eligible=False, is_issue_eligible=False)
scores = dict.fromkeys(r.SCORES, 1.5) | dict(structural_count=1, leaf_count=1, total_nodes_scored=1, label=None)
evaluation = lambda uid: ns(**pulls, github_id="1005" if uid else "0", failed_reason=None if uid else "RECYCLE UID", github_pr_fetch_failed=False,
    repo_evaluations={}, merged_prs=[ns(pr=pr, files=None, **scores)] if uid else [], open_prs=[], closed_prs=[],
    issue_discovery_issues=[])
async def oss_contributions(validator, uids, *scoring):
    client = MirrorClient()
    assert client.get_miner_pulls("1005", since_by_repo={}).pull_requests == [pr]
    try: client.get_pr_files("Acme/Widgets", 8)
    except OSError as e: assert str(e) == "no files of Acme/Widgets"
    return {uid: evaluation(uid) for uid in uids}, {5}, set()
async def issue_discovery(evaluations, *scoring, **more):
    client = MirrorClient()
    client.get_miner_issues("1005", {"acme/widgets": at})
    client.get_miner_issues(github_id="1005")
cut = lambda *a: {"acme/widgets": [5]}
f = ns(oss_contributions=oss_contributions, issue_discovery=issue_discovery, build_maintainer_uids_by_repo=cut,
    blend_emission_pools=lambda *a: [0.25, 0.30000000000000004])
recorder = v.recorder_of(str(records))
v.install(f, recorder=recorder, url="http://127.0.0.1:1", timeout=5)
async def forward(hotkeys):
    validator = ns(metagraph=ns(hotkeys=hotkeys))
    evaluations, cached, _ = await f.oss_contributions(validator, {0, 5}, {}, {}, None)
    await f.issue_discovery(evaluations, {}, {}, None, evaluation_cache=None)
    cached.clear()
    assert f.blend_emission_pools(evaluations, {}, {0, 5}, f.build_maintainer_uids_by_repo(evaluations)) == [0.25, 0.30000000000000004]
for _ in range(3): asyncio.run(forward([f"hk{uid}" for uid in range(6)]))
before = len(list(records.glob("*")))
asyncio.run(forward([]))
print("records:", before, len(list(records.glob("*"))))
print("answers kept:", len(recorder.answers))
print("recorders without a folder:", [x for x in (v.recorder_of(""), v.recorder_of(str(home / "constants.py"))) if x])
`

// The adapter records what the validator has concluded by itself, and changes nothing of it:
// not what its steps return, and not what fails. A round that cannot be recorded goes on.
func TestAValidatorsOwnRoundsAreRecorded(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"mirrorfleet_record.py", "mirrorfleet_validator.py"} { // so that go test knows when they change
		must.Get(os.ReadFile(filepath.Join("../deploy/validator", file)))(t)
	}
	digests := map[string]string{}
	for _, mirror := range []string{"https://mirror.gittensor.io", "http://127.0.0.1:8460"} {
		dir := t.TempDir()
		cmd := exec.CommandContext(t.Context(), "python3", "-B", "-c", aValidator, t.TempDir(), dir, mirror)
		cmd.Env = append(os.Environ(), "no_proxy=*")
		out, err := cmd.CombinedOutput()
		for _, want := range []string{"records: 2 2", "is not recorded", "answers kept: 0", "recorders without a folder: []", "is recorded in "} {
			if err != nil || !strings.Contains(string(out), want) {
				t.Fatalf("%v: want %q in\n%s", err, want, out)
			}
		}
		files := must.Get(filepath.Glob(filepath.Join(dir, "validator-*z.json.gz")))(t)
		r := must.Get(shadow.Decode(t.Context(), must.Get(os.ReadFile(files[1]))(t)))(t)
		m := &r.Miners[1]
		switch {
		case r.Validator != "9.9.9" || r.Mirror != mirror || r.Maintainers["acme/widgets"][0] != 5 || r.Rewards[5] != 0.30000000000000004:
			t.Errorf("the round: %+v", r)
		case len(r.FilesLacking) != 1 || r.FilesLacking[0] != "acme/widgets#8":
			t.Errorf("files lacking: %v, want acme/widgets#8", r.FilesLacking)
		case r.Miners[0].Failed != "recycle uid" || m.Failed != "" || !m.FromStored || m.Hotkey != "hk5" || m.PullRequests[0].BaseScore != 1.5:
			t.Errorf("the miners: %+v", r.Miners)
		case len(m.Received) != 1 || m.Received[0].ApprovedCount != 2 || m.Received[0].Labels[0].Name != "bug" || *m.Received[0].LinkedIssues[0].AuthorID != "":
			t.Errorf("what was received: %+v", m.Received)
		case len(m.Listed) != 1 || m.Listed[0].Solving.Number != 7 || !m.Listed[0].Transferred || m.Open["acme/widgets"] != 1:
			t.Errorf("the issues: %+v, %v", m.Listed, m.Open)
		}
		if days := r.Windows["issues"]["acme/widgets"]; days < 1 || len(r.Windows["pull requests"]) != 0 {
			t.Errorf("the windows: %v, want that of the issues in days, and none of the pull requests", r.Windows)
		}
		digests[r.Rules["gittensor/constants.py"]] = mirror
	}
	if len(digests) != 1 {
		t.Errorf("the gateway's address makes the file another one: %v", digests)
	}
}

// A validator whose client has other parameters gets its answers and failures as before. Each of
// its rounds has one line in the log, and no record.
func TestAValidatorOfOtherParametersGoesOn(t *testing.T) {
	t.Parallel()
	for name, renamed := range map[string]*strings.Replacer{
		"the miner":      strings.NewReplacer("(self, github_id,", "(self, account,", "get_miner_issues(github_id=", "get_miner_issues(account="),
		"the windows":    strings.NewReplacer("since_by_repo", "since"),
		"the repository": strings.NewReplacer("(self, repo_full_name,", "(self, repository,", "+ repo_full_name)", "+ repository)"),
	} {
		cmd := exec.CommandContext(t.Context(), "python3", "-B", "-c", renamed.Replace(aValidator), t.TempDir(), t.TempDir(), "http://127.0.0.1:8460")
		cmd.Env = append(os.Environ(), "no_proxy=*")
		out, err := cmd.CombinedOutput()
		for _, want := range []string{"records: 0 0", "answers kept: 0", "KeyError"} {
			if err != nil || !strings.Contains(string(out), want) {
				t.Fatalf("%s: %v: want %q in\n%s", name, err, want, out)
			}
		}
		if n := strings.Count(string(out), "is not recorded"); n != 4 {
			t.Errorf("%s: %d lines of rounds that are not recorded, want one for each of 4\n%s", name, n, out)
		}
	}
}
