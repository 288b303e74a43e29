package dashboard

import (
	"errors"
	"net/http"
	"strings"

	"mirrorfleet/producer/access"
)

const signInPath = "/sign-in"

// signInBody is the page on which a token is given.
type signInBody struct {
	To    string // where to go afterwards, on this site
	Wrong string // why the last token was refused; "" for none
}

func (d *Dashboard) signIn(r *http.Request) (page, error) { return d.signInPage(r, ""), nil }

func (d *Dashboard) signInPage(r *http.Request, wrong string) page {
	return page{
		Template: "sign-in",
		Title:    "Sign in",
		Body:     signInBody{onSite(r.FormValue("to")), wrong},
	}
}

// onSite is an address of this site; "/" for any other.
func onSite(to string) string {
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") {
		return "/"
	}
	return to
}

// give takes the token of the sign-in form and sets the cookie.
func (d *Dashboard) give(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	_, err := d.cfg.Guard.SignIn(w, r, r.PostFormValue("token"))
	switch {
	case err == nil:
		d.write(w, r, page{Redirect: onSite(r.PostFormValue("to"))})
		return
	case errors.Is(err, access.ErrWrongToken):
		p := d.signInPage(r, "This is not one of the producer's tokens.")
		p.Status = http.StatusUnauthorized
		d.write(w, r, p)
		return
	}
	d.write(w, r, d.failure(r, err))
}

// leave ends the session.
func (d *Dashboard) leave(w http.ResponseWriter, r *http.Request) {
	d.cfg.Guard.SignOut(w, r)
	d.write(w, r, page{Redirect: "/"})
}

// maxForm bounds the body of a form, in bytes: a list of all uids is a tenth of it.
const maxForm = 64 << 10
