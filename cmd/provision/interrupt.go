package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

var errSecondInterrupt = errors.New("interrupted twice")

// interrupts returns two contexts: stop ends with the first Ctrl-C, after which the changes in hand
// are finished; now ends with the second. A third one ends the process.
func (c *cli) interrupts(ctx context.Context) (now, stop context.Context, done func()) {
	stop, cancelStop := context.WithCancel(ctx)
	now, cancelNow := context.WithCancelCause(ctx)
	ch := make(chan os.Signal, 2)
	signal.Notify(ch, os.Interrupt, syscall.SIGTERM)
	quit := make(chan struct{})
	go func() {
		for n := 0; n < 2; n++ {
			select {
			case <-quit:
				return
			case <-ch:
			}
			hand := c.hand.Changes()
			if n == 0 {
				if len(hand) > 0 {
					c.face.Say("finishing " + few(hand) + ", then stopping; press Ctrl-C again to abandon")
				}
				cancelStop()
				continue
			}
			signal.Stop(ch)
			if len(hand) > 0 {
				c.face.Say("abandoning; this may still be running: " + few(hand))
			}
			cancelNow(fmt.Errorf("%w: %w", errSecondInterrupt, context.Canceled))
		}
	}()
	return now, stop, func() { signal.Stop(ch); close(quit); cancelStop(); cancelNow(nil) }
}

// few names the first of many.
func few(changes []string) string {
	const most = 3
	if n := len(changes) - most; n > 0 {
		changes = append(changes[:most:most], fmt.Sprintf("%d more", n))
	}
	return strings.Join(changes, ", ")
}

// reading returns a context that ends with the first Ctrl-C, for commands that change nothing.
func reading(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
}
