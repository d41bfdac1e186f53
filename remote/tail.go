package remote

import (
	"bytes"
	"strings"
)

// evidenceLimit is how much of the end of a stream is kept for errors.
const evidenceLimit = 64 << 10

// tail keeps the last bytes of a stream. The memory is bounded by twice the limit.
type tail struct {
	limit int
	buf   []byte
}

func (t *tail) add(p []byte) {
	if len(p) >= t.limit {
		t.buf = append(t.buf[:0], p[len(p)-t.limit:]...)
		return
	}
	if len(t.buf)+len(p) > 2*t.limit {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)+len(p)-t.limit:]...)
	}
	t.buf = append(t.buf, p...)
}

func (t *tail) bytes() []byte { return t.buf[max(0, len(t.buf)-t.limit):] }

func (t *tail) String() string { return Sanitize(string(t.bytes())) }

// lines cuts a stream into lines for a person who follows it. A carriage return
// ends a line too: progress bars draw over themselves. Empty lines are dropped,
// long ones cut.
type lines struct {
	tell func(line string)
	buf  []byte
	over bool
}

const lineLimit = 4 << 10

// follow is add, for lines that nobody may want.
func (l *lines) follow(p []byte) {
	if l != nil {
		l.add(p)
	}
}

// pause is flush, likewise.
func (l *lines) pause() {
	if l != nil {
		l.flush()
	}
}

func (l *lines) add(p []byte) {
	for len(p) > 0 {
		i := bytes.IndexAny(p, "\r\n")
		piece := p
		if i >= 0 {
			piece = p[:i]
		}
		if room := lineLimit - len(l.buf); len(piece) > room {
			piece, l.over = piece[:room], true
		}
		l.buf = append(l.buf, piece...)
		if i < 0 {
			return
		}
		p = p[i+1:]
		l.flush()
	}
}

func (l *lines) flush() {
	line := strings.TrimRight(string(l.buf), " \t")
	over := l.over
	l.buf, l.over = l.buf[:0], false
	if line == "" {
		return
	}
	if over {
		line += "..."
	}
	l.tell(Sanitize(line))
}
