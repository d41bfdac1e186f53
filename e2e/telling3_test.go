//go:build linux && e2e

package e2e

import (
	"fmt"
	"time"

	"provision/e2e/lab"
)

// socket subscribes to an event at the websocket of events, with nothing but the browser's login. The API has one of logs as well, which sends nothing
// as long as PREFECT_SERVER_LOGS_STREAM_OUT_ENABLED is not set.
const socket = `(window.heard = [], (() => {
  const day = n => new Date(Date.now() + n * 864e5).toISOString() // what is not told ends with now
  const socket = new WebSocket("wss://" + location.host + "/api/events/out", ["prefect"])
  socket.onopen = () => socket.send(JSON.stringify({type: "auth", token: null}))
  socket.onclose = e => window.heard.push("closed: " + e.code)
  socket.onmessage = ({data}) => {
    const said = JSON.parse(data)
    window.heard.push(said.event ? said.event.resource["prefect.resource.id"] : said.type)
    if (said.type === "auth_success") socket.send(JSON.stringify({type: "filter", filter: {event: {name: ["desk.word"]}, occurred: {since: day(-1), until: day(1)}}}))
  }
})(), "")`

// telling3 has a run say words, and wants them on the open page of the run without a reload, on the pages of events, and at the websocket of events.
func (s *site) telling3(server *lab.Host) {
	said := 0
	say := func() string {
		s.Helper()
		said++
		word := fmt.Sprintf("word-%d", said)
		s.api(server, "PATCH", "/variables/name/word", `{"value":"`+word+`"}`)
		return word
	}
	s.api(server, "POST", "/variables/", `{"name":"word","value":"word-0"}`)
	run := s.begin(server, "telling", "default", "the word is word-0", "{}")
	b, end := s.browse(server, 6*time.Minute)
	defer end()
	const text, loaded = "document.body.innerText", `(window.stays = true, "")`
	// arrives says a word once the page shows a former one, and wants the page, which must be the same, to show it.
	arrives := func(path string) {
		s.Helper()
		b.open(path)
		b.ask(path, text, "the word is word-0")
		b.ask(path, loaded, "^$")
		word := say()
		begun := time.Now()
		b.ask(path+" shows a word that was said when it was open", text, "the word is "+word+`\b`)
		took := time.Since(begun)
		b.ask(path+" was not loaded again", "String(window.stays)", "^true$")
		opened := b.ask(path, "String(window.sockets)", "^[0-9]+$")
		b.unrefused(path)
		s.Logf("%s showed a new word after %.1f s; websockets that it opened: %s", path, took.Seconds(), opened)
	}
	arrives("/runs/flow-run/" + run)
	arrives("/v2/runs/flow-run/" + run)
	// Neither UI asks for events again by itself, and the second one asks for those of whole minutes: each page is loaded again every 10 s.
	word := say()
	for _, path := range []string{"/events", "/v2/events"} {
		b.open(path)
		b.ask(path+" shows the event", fmt.Sprintf(`%[1]s.includes(%[2]q) || performance.now() < 10000 ? %[1]s : (location.reload(), "")`, text, word), word+`\b`)
		b.unrefused(path)
	}

	b.ask("the browser subscribes", socket, "^$")
	const heard = `window.heard.join("\n")`
	b.ask("the websocket takes the login, and sends what was", heard, fmt.Sprintf(`(?s)auth_success.*desk\.word-%d\b`, said))
	word = say()
	b.ask("an event comes by the websocket", heard, `desk\.`+word+`\b`)
	s.api(server, "PATCH", "/variables/name/word", `{"value":"end"}`)
	if got := s.ended(server, run); got != "COMPLETED" {
		s.Errorf("the run ended as %s", got)
	}
}
