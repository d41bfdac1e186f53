package digitalocean

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/digitalocean/godo"

	"provision/provision/cloud"
	"provision/remote"
)

// Explain says what the API said, and what to do about it.
func (c *client) Explain(err error) *cloud.Error {
	return &cloud.Error{Err: err, Cause: apiCause(err), Hint: apiHint(err)}
}

// apiHint is what to do about an answer of the API.
func apiHint(err error) string {
	status := Status(err)
	var e *godo.ErrorResponse
	if errors.As(err, &e) && (status == 403 || status == 422) && foreign.Say(e.Message, overLimit) {
		return "remove what is no longer needed, or have the limit raised on the account's page, then run the same command again"
	}
	switch status {
	case 401:
		return "the API does not know the token; make one with the scopes that docs/digitalocean.md lists, then: export DIGITALOCEAN_TOKEN=..."
	case 403:
		return "the token lacks a scope that this needs; docs/digitalocean.md lists them"
	case 429:
		until := ""
		if at := Reset(err); !at.IsZero() {
			until = ", until " + at.UTC().Format("15:04:05 UTC")
		}
		return "the account's calls of this hour are used up; wait" + until + ", then run the same command again"
	case 0:
		var network *url.Error
		if errors.As(err, &network) {
			return "see whether api_url (or DIGITALOCEAN_API_URL), the proxy and DNS are right, and the API can be reached; then run the same command again: it finds out what was done and continues"
		}
		return "run the same command again: it finds out what was done and continues"
	}
	if status >= 300 && status < 400 {
		return "a redirect is not followed, because the token would be sent along: check that api_url (or DIGITALOCEAN_API_URL) is the API itself, with no proxy in front of it"
	}
	if status >= 500 {
		return "this is a fault at DigitalOcean; run the same command again later; it continues where this run stopped"
	}
	return "fix what the API says and run the same command again; it continues where this run stopped"
}

// apiCause is the API's refusal without the request, which says little to who did not write it.
func apiCause(err error) string {
	var e *godo.ErrorResponse
	if !errors.As(err, &e) {
		return remote.Sanitize(err.Error())
	}
	said := fmt.Sprintf("the API answered %d to %s %s: %s", Status(err), e.Response.Request.Method, e.Response.Request.URL.Path, e.Message)
	return remote.Sanitize(strings.Replace(err.Error(), e.Error(), said, 1))
}
