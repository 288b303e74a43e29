package dashboard

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"mirrorfleet/producer/access"
)

//go:embed templates
var templateFiles embed.FS

// page is what a template gets. Everything of it is made before the first byte is sent.
type page struct {
	Status   int    // 0 for 200
	Template string // a file of templates, without its ending
	// Title tells browser tabs apart; the layout adds the product's name.
	Title string
	// Nav is the entry of the navigation that is current.
	Nav string
	// JSON is the address of the same data in the API; "" for none.
	JSON string
	// Live is the address of the page's updates; "" for a page that does not change.
	Live string
	// Version names what the page shows of what is live, so that updates go on from there.
	Version string
	// Redirect leads elsewhere instead of showing anything; "" for a page.
	Redirect string
	Body     any

	// What follows is filled in for every page.
	Path        string // its own address
	Search      string // what was searched for
	Told        string // what an order has done; "" for none
	Caller      access.Caller
	TakesOrders bool
	Now         time.Time
}

// templates are the pages' templates by name, each with the layout and all partials.
type templates map[string]*template.Template

func readTemplates(files assets) (templates, error) {
	layout, err := template.New("layout").Funcs(functions(files)).ParseFS(templateFiles, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("reading the layout: %w", err)
	}
	names, err := fs.Glob(templateFiles, "templates/pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("listing the pages: %w", err)
	}
	all := templates{}
	for _, name := range names {
		one, err := layout.Clone()
		if err == nil {
			one, err = one.ParseFS(templateFiles, name)
		}
		if err != nil {
			return nil, fmt.Errorf("reading page %s: %w", name, err)
		}
		all[strings.TrimSuffix(path.Base(name), ".html")] = one
	}
	return all, nil
}

// write renders a page and sends it.
func (d *Dashboard) write(w http.ResponseWriter, r *http.Request, p page) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if p.Redirect != "" {
		http.Redirect(w, r, p.Redirect, http.StatusSeeOther)
		return
	}
	p.Path = r.URL.RequestURI()
	p.Search = r.URL.Query().Get("q")
	p.Told = toldOf(r)
	p.Caller = d.cfg.Guard.Caller(r)
	p.TakesOrders = d.cfg.Guard.TakesOrders()
	p.Now = d.cfg.Now()
	var out bytes.Buffer
	if err := d.templates[p.Template].ExecuteTemplate(&out, "layout", p); err != nil {
		d.cfg.Log.ErrorContext(r.Context(), "a page of the dashboard could not be written", "path", r.URL.Path, "error", err)
		http.Error(w, "The page could not be written; the producer's log says why.", http.StatusInternalServerError)
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(out.Len()))
	w.WriteHeader(max(p.Status, http.StatusOK))
	if r.Method != http.MethodHead {
		_, _ = w.Write(out.Bytes()) // the viewer may have left
	}
}

// part renders one region of a page, for an update.
func (d *Dashboard) part(of, name string, body any) (string, error) {
	var out bytes.Buffer
	if err := d.templates[of].ExecuteTemplate(&out, name, body); err != nil {
		return "", fmt.Errorf("rendering %s of %s: %w", name, of, err)
	}
	return out.String(), nil
}
