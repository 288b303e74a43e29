package dashboard

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"mirrorfleet/producer/web"
)

// A table's state is in the page's address: sort=KEY or sort=-KEY, filter=TEXT, and page=N.
// The server sorts, filters and pages, so that a table works without a script and can be
// passed on as it is seen.

// column is a column of rows of one type.
type column[R any] struct {
	Key, Title string
	Number     bool // its figures stand on the right
	// less orders rows; nil for a column that is not sorted by.
	less func(a, b *R) int
}

// table is the rows that are shown, and the state that led to them.
type table[R any] struct {
	Name    string // says what its rows are, to a screen reader
	Columns []column[R]
	Rows    []R
	All     int // how many rows passed the filter
	Filter  string
	Page    int
	Pages   int

	path  string
	query url.Values
	sort  string
}

// pageRows is how many rows a page has: all miners of a fleet.
const pageRows = 256

// readTable sorts, filters and pages rows as the address asks. usual is the order without a
// wish. matches says whether a row has the text that is filtered for, in lower case.
func readTable[R any](
	r *http.Request, name string, columns []column[R], rows []R, usual string, matches func(*R, string) bool,
) (table[R], error) {
	query := r.URL.Query()
	t := table[R]{
		Name:    name,
		Columns: columns,
		Rows:    slices.Clone(rows),
		Filter:  query.Get("filter"),
		path:    r.URL.Path,
		query:   query,
		sort:    cmp.Or(query.Get("sort"), usual),
	}
	key, descending := strings.CutPrefix(t.sort, "-")
	at := slices.IndexFunc(columns, func(c column[R]) bool { return c.Key == key && c.less != nil })
	if at < 0 {
		return t, badQuery("sort", t.sort, sortable(columns))
	}
	if wanted := strings.ToLower(strings.TrimSpace(t.Filter)); wanted != "" && matches != nil {
		t.Rows = slices.DeleteFunc(t.Rows, func(row R) bool { return !matches(&row, wanted) })
	}
	slices.SortStableFunc(t.Rows, func(a, b R) int {
		if descending {
			return columns[at].less(&b, &a)
		}
		return columns[at].less(&a, &b)
	})
	t.All = len(t.Rows)
	t.Pages = max(1, (t.All+pageRows-1)/pageRows)
	var err error
	if t.Page, err = strconv.Atoi(cmp.Or(query.Get("page"), "1")); err != nil || t.Page < 1 || t.Page > t.Pages {
		return t, badQuery("page", query.Get("page"), fmt.Sprintf("want a whole number from 1 to %d", t.Pages))
	}
	t.Rows = t.Rows[(t.Page-1)*pageRows : min(t.All, t.Page*pageRows)]
	return t, nil
}

// badQuery refuses a part of an address.
func badQuery(name, value, want string) error {
	return &web.ProblemError{
		Status: http.StatusBadRequest,
		Title:  "The address asks for something that is not understood",
		Detail: fmt.Sprintf("%s %.80q: %s", name, value, want),
		Todo:   "Leave that part of the address out.",
	}
}

func sortable[R any](columns []column[R]) string {
	var keys []string
	for i := range columns {
		if columns[i].less != nil {
			keys = append(keys, columns[i].Key)
		}
	}
	return "want one of " + strings.Join(keys, ", ") + ", with a - before it for the largest first"
}

// head is how a column's title is shown.
type head struct {
	Title  string
	Number bool
	Link   string // sorts by it; "" for a column that is not sorted by
	Order  string // ascending, descending, or "" for a column that does not sort now
}

// Heads are the titles, with the links that sort.
func (t table[R]) Heads() []head {
	heads := make([]head, len(t.Columns))
	for i := range t.Columns {
		c := &t.Columns[i]
		heads[i] = head{Title: c.Title, Number: c.Number}
		if c.less == nil {
			continue
		}
		next := c.Key
		if c.Number { // the largest are looked for
			next = "-" + c.Key
		}
		switch t.sort {
		case c.Key:
			heads[i].Order, next = "ascending", "-"+c.Key
		case "-" + c.Key:
			heads[i].Order, next = "descending", c.Key
		}
		heads[i].Link = t.with("sort", next)
	}
	return heads
}

// Turn is the address of another page of the table; "" beyond the ends.
func (t table[R]) Turn(by int) string {
	if to := t.Page + by; to >= 1 && to <= t.Pages {
		return t.with("page", strconv.Itoa(to))
	}
	return ""
}

func (t table[R]) with(name, value string) string {
	query := url.Values{}
	for key, values := range t.query {
		if key != "page" && key != "told" {
			query[key] = values
		}
	}
	query.Set(name, value)
	return t.path + "?" + query.Encode()
}

// Kept are the parts of the address that a new filter keeps.
func (t table[R]) Kept() map[string]string {
	kept := map[string]string{}
	for key, values := range t.query {
		if key != "filter" && key != "page" && key != "told" {
			kept[key] = values[0]
		}
	}
	return kept
}

// by orders rows by a figure or a text of theirs.
func by[R any, K cmp.Ordered](of func(*R) K) func(a, b *R) int {
	return func(a, b *R) int { return cmp.Compare(of(a), of(b)) }
}
