package mirrorsim_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/scoring/input"
)

// The demo is what its description promises.
func TestDemo(t *testing.T) {
	t.Parallel()
	w, err := mirrorsim.Demo()
	if err != nil {
		t.Fatalf("Demo: %v", err)
	}
	registry, err := input.ParseRegistry(w.Registry)
	if err != nil || len(registry.Repositories) != 6 {
		t.Errorf("registry: error %v, %d repositories; want 6", err, len(registry.Repositories))
	}
	states := map[input.TokenState]int{}
	for _, m := range w.Miners {
		states[m.Token]++
	}
	want := map[input.TokenState]int{input.TokenValid: 21, input.TokenNone: 2, input.TokenRefused: 1}
	if diff := cmp.Diff(want, states); diff != "" || w.Miners[0].UID != input.RecycleUID {
		t.Errorf("miners from uid %d on; states of tokens (-want +got):\n%s", w.Miners[0].UID, diff)
	}
	all := mirrorsim.Dump(w)
	for _, instance := range instances {
		if !strings.Contains(all, instance) {
			t.Errorf("nothing has %s", instance)
		}
	}
	b := setup(t, mirrorsim.Config{World: w})
	for i, status := range []int{500, 500, 500, 500, 200} {
		if r := b.do(http.MethodPost, "/api/v1/miners/40440308/pulls", since(30)); r.status != status {
			t.Errorf("the list that heals, time %d: %d, want %d", i, r.status, status)
		}
	}
}

// instances are those of the rules, as they stand in the mirror's answers.
var instances = []string{
	// Pull requests that loading drops or looks at twice.
	`"state":"MERGED"`, `"state":"OPEN"`, `"state":"CLOSED"`, `"state":"DRAFT"`, `"scoring_data_stored":false`, `"pr_number":null`,
	`"author_association":"MEMBER"`, `"author_association":null`, `"author_github_id":4`, `"author_github_id":"4`,
	`"merged_by_login":"CY-Mooring"`, `"merged_by_login":null`, `"base_ref":"experiment"`, `"base_ref":null`, `"base_ref":"release/2.4"`,
	`"head_ref":"main"`, `"head_ref":null`, `"default_branch":null`, `"head_repo_full_name":"harborline/skiff"`, `"merge_base_sha":null`,
	`"edited_after_merge":true`, `"maintainer_changes_requested_count":1`, `"maintainer_changes_requested_count":9`,
	// Labels.
	`"actor_association":"MEMBER"`, `"actor_association":"CONTRIBUTOR"`, `"actor_association":null`, `"name":""`,
	// Issues, linked and solved.
	`"is_transferred":true`, `"state_reason":"NOT_PLANNED"`, `"state_reason":null`, `"author_github_id":null`, `"author_association":"OWNER"`,
	`"created_at":null`, `"solved_by_pr":null`, `"solving_pr":null`, `"last_edited_at":"2026`,
	// Files.
	`"files":[]`, `"status":"added"`, `"status":"modified"`, `"status":"removed"`, `"status":"renamed"`, `"status":"copied"`,
	`"is_binary":true`, `"byte_size":1400000`, `"byte_size":1000408`, `.blend1"`, `"base_content":null`, `_test.go"`, `.spec.ts"`,
	`#[cfg(test)]`, `(((\n"`, `"additions":420,`, `"filename":"Makefile"`,
}
