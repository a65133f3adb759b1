package idp

import (
	"html/template"
	"net/http"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

var page = template.Must(template.New("login").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Log in for development</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 24rem; margin: 4rem auto; padding: 0 1rem }
button { display: block; width: 100%; margin: .5rem 0; padding: .75rem; text-align: left; font: inherit }
small { display: block }
</style>
<h1>Log in</h1>
<p>This provider is for development: choose who you are.</p>
<form method="post" action="login">
<input type="hidden" name="id" value="{{.ID}}">
{{range .Users}}<button name="user" value="{{.Sub}}">{{.Name}}<small>{{.Email}}</small></button>
{{end}}<button name="deny" value="1">Refuse</button>
</form>
</html>
`))

// showLogin sends the browser on at once when the user is known already.
func (p *Provider) showLogin(w http.ResponseWriter, r *http.Request) {
	id := r.FormValue("id")
	request, err := p.storage.request(id)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	if request.Done() {
		p.goBack(w, r, id)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	_ = page.Execute(w, struct {
		ID    string
		Users []User
	}{id, p.cfg.Users})
}

func (p *Provider) login(w http.ResponseWriter, r *http.Request) {
	id := r.PostFormValue("id")
	request, err := p.storage.request(id)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	if r.PostFormValue("deny") != "" {
		p.storage.forget(id)
		op.AuthRequestError(w, r, request, oidc.ErrAccessDenied().WithDescription("the user refused"), p.op)
		return
	}
	if err := p.storage.approve(id, r.PostFormValue("user")); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.goBack(w, r, id)
}

// goBack lets the library answer the relying party.
func (p *Provider) goBack(w http.ResponseWriter, r *http.Request, id string) {
	http.Redirect(w, r, op.AuthCallbackURL(p.op)(r.Context(), id), http.StatusSeeOther)
}
