package remote

import (
	"context"
	"errors"
	"sync"
	"time"
)

var errConnectTimeout = errors.New("connect timeout")

// patience is a timeout that stands still while a person is asked.
type patience struct {
	mu     sync.Mutex
	timer  *time.Timer
	until  time.Time
	left   time.Duration
	paused int
	turn   *sync.Mutex // held from the first question until the connection is there
}

// withPatience returns a context that is cancelled with errConnectTimeout.
func withPatience(parent context.Context, d time.Duration) (context.Context, *patience, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	p := &patience{until: time.Now().Add(d)}
	p.timer = time.AfterFunc(d, func() { cancel(errConnectTimeout) })
	return ctx, p, func() {
		if p.turn != nil {
			p.turn.Unlock()
		}
		p.timer.Stop()
		cancel(context.Canceled)
	}
}

// pause stops the clock until the returned function is called.
func (p *patience) pause() (resume func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paused++; p.paused == 1 {
		p.timer.Stop()
		p.left = time.Until(p.until)
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.paused--; p.paused == 0 {
			p.until = time.Now().Add(p.left)
			p.timer.Reset(p.left)
		}
	}
}

// atLeast gives it some time more, if there is less left.
func (p *patience) atLeast(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paused > 0 {
		p.left = max(p.left, d)
	} else if time.Until(p.until) < d && p.timer.Stop() {
		p.until = time.Now().Add(d)
		p.timer.Reset(d)
	}
}

// take waits for the turn to ask, and keeps it: questions of one host belong together.
func (p *patience) take(turn *sync.Mutex) {
	if p.turn == nil {
		turn.Lock()
		p.turn = turn
	}
}

// borrow is take for one question.
func (p *patience) borrow(turn *sync.Mutex) (giveBack func()) {
	if p.turn != nil {
		return func() {}
	}
	turn.Lock()
	return turn.Unlock
}
