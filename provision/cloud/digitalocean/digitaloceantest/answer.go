package digitaloceantest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
)

// object is a JSON object.
type object = map[string]any

// answer is what a call gets: a body, or a refusal in the API's shape.
type answer struct {
	status     int
	body       object
	retryAfter int // seconds
}

func ok(body object) answer             { return answer{status: http.StatusOK, body: body} }
func created(body object) answer        { return answer{status: http.StatusCreated, body: body} }
func accepted(body object) answer       { return answer{status: http.StatusAccepted, body: body} }
func (a answer) refused() bool          { return a.status >= 400 }
func invalid(f string, v ...any) answer { return refuse(http.StatusUnprocessableEntity, f, v...) }

var (
	done      = answer{status: http.StatusNoContent}
	notFound  = refuse(http.StatusNotFound, "The resource you requested could not be found.")
	forbidden = refuse(http.StatusForbidden, "You are not authorized to perform this operation")
)

// refuse is an error. Its id follows from the status code, as the schema says.
func refuse(status int, format string, v ...any) answer {
	id := map[int]string{
		400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 409: "conflict", 412: "precondition_failed",
		422: "unprocessable_entity", 429: "too_many_requests", 500: "server_error", 502: "bad_gateway", 503: "service_unavailable",
	}[status]
	if id == "" {
		id = "error"
	}
	return answer{status: status, body: object{"id": id, "message": fmt.Sprintf(format, v...)}}
}

// write sends an answer with the headers that every answer has.
func (c *Cloud) write(w http.ResponseWriter, a answer, requestID string, rate rate) {
	h := w.Header()
	h.Set("ratelimit-limit", strconv.Itoa(rate.limit))
	h.Set("ratelimit-remaining", strconv.Itoa(rate.remaining))
	h.Set("ratelimit-reset", strconv.FormatInt(rate.reset.Unix(), 10))
	h.Set("x-request-id", requestID)
	if a.retryAfter > 0 {
		h.Set("retry-after", strconv.Itoa(a.retryAfter))
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	body := maps.Clone(a.body)
	if a.refused() {
		body["request_id"] = requestID
	}
	h.Set("content-type", "application/json; charset=utf-8")
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}

// page answers with one page of a list: 20 by default, at most 200, with links to its neighbours.
func page[T any](r *request, name string, all []T, show func(T) object) answer {
	size, at := r.count("per_page", 20), r.count("page", 1)
	if size > 200 {
		return invalid("per_page must be at most 200.")
	}
	last := max(1, (len(all)+size-1)/size)
	link := func(n int) string {
		q := r.URL.Query()
		q.Set("page", strconv.Itoa(n))
		q.Set("per_page", strconv.Itoa(size))
		return (&url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawQuery: q.Encode()}).String()
	}
	pages := object{}
	if at > 1 {
		pages["first"], pages["prev"] = link(1), link(at-1)
	}
	if at < last {
		pages["next"], pages["last"] = link(at+1), link(last)
	}
	links := object{}
	if len(pages) > 0 {
		links["pages"] = pages
	}
	items := []object{}
	for i := (at - 1) * size; i < len(all) && i < at*size; i++ {
		items = append(items, show(all[i]))
	}
	return ok(object{name: items, "links": links, "meta": object{"total": len(all)}})
}

// array is what becomes [] and never null.
func array[T any](s []T) []T { return append([]T{}, s...) }
