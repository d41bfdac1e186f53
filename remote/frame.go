package remote

import (
	"bytes"
	"io"
	"strconv"
	"sync"
)

// frame cuts the output of one script out of a stream: what comes before the
// begin mark is noise (a chatty .bashrc, a late child of an earlier script), what
// comes after the end mark is ignored. The marks hold a nonce that no script
// knows.
//
//	noise BEGIN "\n" payload "\n" END " " status "\n"
type frame struct {
	begin, end []byte
	payload    func([]byte) // gets the payload piece by piece; must not keep it
	pause      func()       // called when a line of the payload is complete but its line break is held back
	noise      tail

	to     io.Writer // of a stream: gets the payload, too, outside of the session's lock; nil: nobody
	later  [][]byte  // what is to be written to it
	busy   bool      // something is being written to it
	broken error     // why nothing more is

	began, ended bool
	status       int
	held         []byte // bytes that may be the start of a mark
}

// newFrame cuts between the two marks. The line break before an end mark is not
// part of the payload.
func newFrame(begin, end string, payload func([]byte)) *frame {
	return &frame{
		begin:   []byte(begin + "\n"),
		end:     []byte("\n" + end + " "),
		payload: payload,
		pause:   func() {},
		noise:   tail{limit: evidenceLimit},
	}
}

func (f *frame) feed(p []byte) {
	if f.ended {
		return
	}
	buf := p
	if len(f.held) > 0 {
		buf = append(f.held, p...)
	}
	if !f.began {
		i := bytes.Index(buf, f.begin)
		if i < 0 {
			cut := len(buf) - overlap(buf, f.begin)
			f.noise.add(buf[:cut])
			f.held = bytes.Clone(buf[cut:])
			return
		}
		f.noise.add(buf[:i])
		f.began = true
		buf = buf[i+len(f.begin):]
		f.held = nil
	}
	i := bytes.Index(buf, f.end)
	if i < 0 {
		cut := len(buf) - overlap(buf, f.end)
		f.emit(buf[:cut])
		f.held = bytes.Clone(buf[cut:])
		if len(f.held) > 0 {
			f.pause()
		}
		return
	}
	rest := buf[i+len(f.end):]
	eol := bytes.IndexByte(rest, '\n')
	if eol < 0 && len(rest) < 8 {
		f.emit(buf[:i])
		f.held = bytes.Clone(buf[i:])
		return
	}
	f.emit(buf[:i])
	f.pause()
	f.held = nil
	f.ended = true
	f.status = -1
	if eol >= 0 {
		if n, err := strconv.Atoi(string(bytes.TrimSuffix(rest[:eol], []byte("\r")))); err == nil && n >= 0 && n <= 255 {
			f.status = n
		}
	}
}

func (f *frame) emit(p []byte) {
	if len(p) == 0 {
		return
	}
	f.payload(p)
	if f.to != nil && f.broken == nil {
		f.later = append(f.later, p)
	}
}

// due is what is to be written to the writer of a stream; with the session locked. Until deliver has
// returned, busy says so.
func (f *frame) due() [][]byte {
	due := f.later
	f.later, f.busy = nil, len(due) > 0
	return due
}

// deliver writes without the session's lock: the writer may be slow. Until it has returned nothing more
// is read from the channel, so the other side waits, too.
func (f *frame) deliver(mu *sync.Mutex, due [][]byte) {
	for _, p := range due {
		mu.Lock()
		wanted := f.broken == nil
		mu.Unlock()
		if !wanted {
			break
		}
		n, err := f.to.Write(p)
		if err == nil && n < len(p) {
			err = io.ErrShortWrite
		}
		if err != nil {
			f.refuse(mu, err)
		}
	}
	mu.Lock()
	f.busy = false
	mu.Unlock()
}

// refuse ends what is given to the writer.
func (f *frame) refuse(mu *sync.Mutex, err error) {
	mu.Lock()
	defer mu.Unlock()
	if f.broken == nil {
		f.broken = err
	}
}

// flush gives out what was held back, when the stream ends without its end mark.
func (f *frame) flush() {
	held := f.held
	f.held = nil
	switch {
	case f.ended:
	case f.began:
		f.emit(held)
	default:
		f.noise.add(held)
	}
}

// unframed is what came before the begin mark.
func (f *frame) unframed() string { return string(f.noise.bytes()) + string(f.held) }

// overlap is the length of the longest end of buf that begins mark.
func overlap(buf, mark []byte) int {
	for n := min(len(buf), len(mark)-1); n > 0; n-- {
		if bytes.HasSuffix(buf, mark[:n]) {
			return n
		}
	}
	return 0
}
