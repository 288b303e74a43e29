package dashboard_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
	"mirrorfleet/shared/scoring/whatif"
)

// checkAnswer holds a page against what the API would answer.
func checkAnswer(t *testing.T, a nettest.Answer, want view.WhatIf) {
	t.Helper()
	has(t, a, http.StatusOK, "What if, miner")
	page := parsed(t, a)
	if want := fmt.Sprintf("It would be%.9f", want.Then.Rewards.Reward); !strings.Contains(page.text(), want) {
		t.Errorf("%s: no %q", a.Request.URL, want)
	}
	var rows [][]string
	if len(want.Miners) > 0 {
		rows = page.rows(t, "Miners that would differ")[2:]
	}
	if len(rows) != len(want.Miners) {
		t.Fatalf("%s: %v, want %+v", a.Request.URL, rows, want.Miners)
	}
	for i, d := range want.Miners {
		row := rows[i]
		for at, f := range map[int]outcome.Figures{1: d.Score, 4: d.Issues, 7: d.Reward} {
			digits := 4
			if at == 7 {
				digits = 9
			}
			if row[0] != strconv.Itoa(d.UID) || !near(figure(t, row[at]), f.Old, digits) || !near(figure(t, row[at+1]), f.New, digits) {
				t.Errorf("%s: %v, want %+v", a.Request.URL, row, d)
			}
		}
	}
	if len(want.Pulls) == 0 {
		return
	}
	rows = page.rows(t, "Pull requests that would differ")[2:]
	for i, d := range want.Pulls {
		row := rows[i]
		if row[0] != fmt.Sprintf("%s#%d", d.Repository, d.Number) || !near(figure(t, row[3]), d.Earned.New, 4) || !near(figure(t, row[6]), d.Collateral.New, 4) {
			t.Errorf("%s: %v, want %+v", a.Request.URL, row, d)
		}
	}
}

// A what-if's figures are those of the API, for changes of every kind and for another
// registry. Nothing of the outcome changes by it.
func TestWhatIfPageHasTheAPIsFigures(t *testing.T) {
	t.Parallel()
	b, result := minersRound(t)
	at := "/rounds/" + result.Round + "/miners/1/what-if"
	ask := func(asked whatif.Asked) view.WhatIf {
		t.Helper()
		return must.Get(view.WhatIfOf(t.Context(), b.Bus, result, 1, asked))(t)
	}
	for change, asked := range map[string]whatif.Asked{
		"merge a/b#103":           {Merge: []string{"a/b#103"}},
		"close a/b#103":           {Close: []string{"a/b#103"}},
		"label a/b#101=bug":       {Label: []string{"a/b#101=bug"}},
		"link a/b#101=maintainer": {Link: []string{"a/b#101=maintainer"}},
		"approve a/b#101":         {Approve: []string{"a/b#101"}},
		"date a/b#101:merged_at=2026-05-30T00:00:00Z": {Date: []string{"a/b#101:merged_at=2026-05-30T00:00:00Z"}},
	} {
		checkAnswer(t, b.get(t, at+"?change="+url.QueryEscape(change)), ask(asked))
	}
	two := "?change=merge+a%2Fb%23103&change=link+a%2Fb%23101%3Dother"
	checkAnswer(t, b.get(t, at+two), ask(whatif.Asked{Merge: []string{"a/b#103"}, Link: []string{"a/b#101=other"}}))
	has(t, b.get(t, at+two), http.StatusOK, "leave out", "?change=link&#43;a%2Fb%23101%3Dother", "a/b#103 is merged")

	registry := `{"a/b": {"emission_share": 0.4, "eligibility": {"min_valid_merged_prs": 1}}}`
	form, kind := multipartForm(t, map[string]string{"registry": registry})
	checkAnswer(t, b.ask(t, http.MethodPost, at, form, "Content-Type", kind), ask(whatif.Asked{Registry: []byte(registry)}))
	has(t, b.ask(t, http.MethodPost, at, form, "Content-Type", kind, "Sec-Fetch-Site", "cross-site"), http.StatusForbidden, "Another site")
	again := must.Get(view.Find(t.Context(), b.Bus, result.Round, 0))(t)
	if was, is := must.Get(result.Encode())(t), must.Get(again.Encode())(t); !bytes.Equal(was, is) {
		t.Error("the outcome has changed")
	}
}

// Another registry and the changes stay together, whichever comes first, and each is shown and
// can be left out alone. What is no longer kept is asked for again.
func TestWhatIfWithARegistryAndChanges(t *testing.T) {
	t.Parallel()
	b, result := minersRound(t)
	at := "/rounds/" + result.Round + "/miners/1/what-if"
	const other = `{"a/b": {"emission_share": 0.4, "eligibility": {"min_valid_merged_prs": 1}}}`
	both := must.Get(view.WhatIfOf(t.Context(), b.Bus, result, 1, whatif.Asked{Merge: []string{"a/b#103"}, Registry: []byte(other)}))(t)
	form, kind := multipartForm(t, map[string]string{"registry": other})
	send := func(a nettest.Answer) nettest.Answer {
		t.Helper()
		for _, f := range parsed(t, a).all("form") {
			if to := f.attribute("action"); f.attribute("method") == "post" && strings.Contains(to, "what-if") {
				return b.ask(t, http.MethodPost, to, form, "Content-Type", kind)
			}
		}
		t.Fatal("no form takes a registry")
		return a
	}
	merge := func(a nettest.Answer) nettest.Answer {
		t.Helper()
		query := url.Values{"set": {"merge"}, "about": {"a/b#103"}}
		for _, f := range parsed(t, a).all("form") {
			if f.attribute("class") != "stack" {
				continue
			}
			for _, input := range f.all("input") {
				if input.attribute("type") == "hidden" {
					query.Add(input.attribute("name"), input.attribute("value"))
				}
			}
			break
		}
		return b.get(t, at+"?"+query.Encode())
	}
	changed := b.get(t, at+"?change=merge+a%2Fb%23103")
	for _, a := range []nettest.Answer{send(changed), merge(send(b.get(t, at))), send(merge(send(b.get(t, at+"?revision=1"))))} {
		checkAnswer(t, a, both)
		has(t, a, http.StatusOK, "a/b#103 is merged", "<span>the registry is another</span>", "Leave out all", "emission_share&#34;: 0.4")
	}
	alone := send(b.get(t, at))
	has(t, alone, http.StatusOK, "<span>the registry is another</span>", "Change something else, too")
	empty, emptyKind := multipartForm(t, map[string]string{"registry": " "})
	if a := b.ask(t, http.MethodPost, at, empty, "Content-Type", emptyKind); strings.Contains(a.Body, "the registry is another") {
		t.Error("an empty form is another registry")
	}
	has(t, b.get(t, at+"?registry=abc&change=merge+a%2Fb%23103"), http.StatusNotFound, "The registry is no longer kept", "Send it again")
	for i := range 8 {
		next, kind := multipartForm(t, map[string]string{"registry": fmt.Sprintf(`{"a/b": {"emission_share": 0.%d}}`, i+1)})
		b.ask(t, http.MethodPost, at, next, "Content-Type", kind)
	}
	for _, input := range parsed(t, alone).all("input") {
		if input.attribute("name") == "registry" {
			has(t, b.get(t, at+"?registry="+input.attribute("value")), http.StatusNotFound, "The registry is no longer kept")
			return
		}
	}
	t.Error("the page's forms do not keep the registry")
}

func multipartForm(t *testing.T, fields map[string]string) (body, kind string) {
	t.Helper()
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	for name, value := range fields {
		must.Do(t, w.WriteField(name, value))
	}
	must.Do(t, w.Close())
	return out.String(), w.FormDataContentType()
}

// The controls lead to the address that has their change too, and what is no change, or
// cannot be, or was not kept, is refused in words beside the controls.
func TestWhatIfControls(t *testing.T) {
	t.Parallel()
	b, result := minersRound(t)
	at := "/rounds/" + result.Round + "/miners/1/what-if"
	for query, want := range map[string]string{
		"set=merge&about=a%2Fb%23103&value=":                                   "change=merge+a%2Fb%23103",
		"set=merge&about=a%2Fb%23103&value=2026-05-31T10:00":                   "change=merge+a%2Fb%23103%3D2026-05-31T10%3A00%3A00Z",
		"set=label&about=a%2Fb%23101&value=bug&change=merge+a%2Fb%23103":       "change=merge+a%2Fb%23103&change=label+a%2Fb%23101%3Dbug",
		"set=approve&about=a%2Fb%23101&revision=1":                             "change=approve+a%2Fb%23101&revision=1",
		"set=date&about=a%2Fb%23101&field=merged_at&value=2026-05-30T00:00:00": "change=date+a%2Fb%23101%3Amerged_at%3D2026-05-30T00%3A00%3A00Z",
		"set=link&about=a%2Fb%23101&value=other":                               "change=link+a%2Fb%23101%3Dother",
		"set=unlabel&about=a%2Fb%23101&value=%3Cscript%3E":                     "change=unlabel+a%2Fb%23101%3D%3Cscript%3E",
	} {
		a := b.noFollow(t, at+"?"+query)
		must.Do(t, a.Body.Close())
		to := must.Get(a.Location())(t)
		if to.Path != at || to.RawQuery != want {
			t.Errorf("%s leads to %s, want %s", query, to, want)
		}
	}
	for query, want := range map[string]struct {
		status int
		says   string
	}{
		"change=merge+a%2Fb%23101":                                  {http.StatusBadRequest, "merged already"},
		"change=merge+a%2Fb%23777":                                  {http.StatusBadRequest, "that cannot be"},
		"change=link+a%2Fb%23101%3D3":                               {http.StatusConflict, "nothing is guessed"},
		"change=merge+nothing":                                      {http.StatusBadRequest, "want owner/repo#7"},
		"change=%3Cscript%3E":                                       {http.StatusBadRequest, "want one of label"},
		"set=date&about=a%2Fb%23101&field=merged_at&value=tomorrow": {http.StatusBadRequest, "FIELD="},
		"set=label&about=a%2Fb%23101&value=":                        {http.StatusBadRequest, "NAME"},
		"change=label+a%2Fb%23101%3D" + url.QueryEscape(hostile):    {http.StatusOK, "leave out"},
	} {
		a := b.get(t, at+"?"+query)
		has(t, a, want.status, want.says, "Change something")
	}
	form, kind := multipartForm(t, map[string]string{"registry": `{"a/b"` + hostile})
	has(t, b.ask(t, http.MethodPost, at, form, "Content-Type", kind), http.StatusBadRequest, "not JSON")
	form, kind = multipartForm(t, map[string]string{"registry": strings.Repeat(" ", 2<<20)})
	has(t, b.ask(t, http.MethodPost, at, form, "Content-Type", kind), http.StatusRequestEntityTooLarge, "1 MiB")
	has(t, b.ask(t, http.MethodPost, at, "registry=x", "Content-Type", "text/plain"), http.StatusBadRequest, "cannot be read")
	has(t, b.get(t, "/rounds/"+result.Round+"/miners/3/what-if"), http.StatusOK, "no pull request and no issue")
}

// The levers are view's, in its order, and each leads to the what-if that gives its reward.
func TestLeversPage(t *testing.T) {
	t.Parallel()
	b, result := minersRound(t)
	found := must.Get(view.LeversOf(t.Context(), b.Bus, result, 1))(t)
	a := b.get(t, "/rounds/"+result.Round+"/miners/1/levers")
	rows := parsed(t, a).rows(t, "Levers")[1:]
	if len(rows) != len(found.Levers) || len(rows) == 0 {
		t.Fatalf("%v, want %+v", rows, found.Levers)
	}
	var links []string
	for _, link := range parsed(t, a).all("a") {
		if to := link.attribute("href"); strings.Contains(to, "change=") {
			links = append(links, to)
		}
	}
	for i, l := range found.Levers {
		if rows[i][0] != l.Change || !near(figure(t, rows[i][2]), l.Gain, 9) {
			t.Errorf("row %v, want %+v", rows[i], l)
		}
		has(t, b.get(t, links[i]), http.StatusOK, fmt.Sprintf("<dd>%.9f</dd>", l.Reward))
	}
}
