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

func (d *Dashboard) signIn(r *http.Request) (page, error) {
	return signInPage(r.URL.Query().Get("to"), ""), nil
}

func signInPage(to, wrong string) page {
	return page{
		Template: "sign-in",
		Title:    "Sign in",
		Body:     signInBody{onSite(to), wrong},
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
	_ = r.ParseForm() // a form that cannot be read has no token
	to := r.PostForm.Get("to")
	_, err := d.cfg.Guard.SignIn(w, r, r.PostForm.Get("token"))
	var p page
	switch {
	case err == nil:
		p.Redirect = onSite(to)
	case errors.Is(err, access.ErrWrongToken):
		p = signInPage(to, "This is not one of the producer's tokens.")
		p.Status = http.StatusUnauthorized
	case errors.Is(err, access.ErrTooMany):
		p = signInPage(to, "Too many wrong tokens came from this address. Wait a minute, then try again.")
		p.Status = http.StatusTooManyRequests
	default:
		p = d.failure(r, err)
	}
	d.write(w, r, p)
}

// leave ends the session.
func (d *Dashboard) leave(w http.ResponseWriter, r *http.Request) {
	d.cfg.Guard.SignOut(w, r)
	d.write(w, r, page{Redirect: "/"})
}

// maxForm bounds the body of a form, in bytes: a list of all uids is a tenth of it.
const maxForm = 64 << 10

// maxBody bounds the body of a request to a pattern. All of it fits the memory: net/http would
// put a larger file into a temporary one, and remove that only from the request as it came.
func maxBody(pattern string) int64 {
	if strings.HasSuffix(pattern, whatIfPath) {
		return maxRegistry + maxForm // the registry, and the form's other fields
	}
	return maxForm
}
