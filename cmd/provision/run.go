package main

import (
	"context"
	"fmt"
	"reflect"

	"github.com/spf13/cobra"

	"provision/provision"
)

// A verb is made by one of the four functions here, by what it needs: plain, offline, read and change. They do what all verbs of the
// kind have in common, and print what the verb returns. A verb returns nil instead of a result that it does not have, and may return
// both a result and an error.

// resultOf is a pointer to a struct R that is a Result.
type resultOf[R any] interface {
	*R
	Result
}

// plain makes a verb that needs no files and no host.
func plain[R any, P resultOf[R]](c *cli, cmd *cobra.Command, do func(ctx context.Context, args []string) (P, error)) *cobra.Command {
	return verbOf[R, P](c, cmd, func(args []string) (P, error) { return do(cmd.Context(), args) })
}

// offline makes a verb that reads both files and connects to nothing.
func offline[R any, P resultOf[R]](c *cli, cmd *cobra.Command, do func(sys *provision.System) (P, error)) *cobra.Command {
	needsFiles(cmd)
	return verbOf[R, P](c, cmd, func([]string) (P, error) {
		sys, err := c.load(cmd.Context())
		if err != nil {
			return nil, err
		}
		return do(sys)
	})
}

// read makes a verb that looks at what is in scope and changes nothing. The first Ctrl-C ends ctx.
func read[R any, P resultOf[R]](c *cli, cmd *cobra.Command, in scope, do func(ctx context.Context, p *provision.Pass, args []string) (P, error)) *cobra.Command {
	needsFiles(cmd)
	return verbOf[R, P](c, cmd, func(args []string) (P, error) {
		p, err := c.passIn(cmd.Context(), in, args)
		if err != nil {
			return nil, err
		}
		ctx, cancel := reading(cmd.Context())
		defer cancel()
		defer c.face.Close()
		defer p.Close()
		return do(ctx, p, args)
	})
}

// change makes a verb that changes what is in scope, and asks before it does. The first Ctrl-C ends stop, after which the changes in
// hand are finished; the second ends now.
func change[R any, P resultOf[R]](c *cli, cmd *cobra.Command, in scope, do func(now, stop context.Context, p *provision.Pass, args []string) (P, error)) *cobra.Command {
	needsFiles(cmd)
	return verbOf[R, P](c, cmd, func(args []string) (P, error) {
		p, err := c.passIn(cmd.Context(), in, args)
		if err != nil {
			return nil, err
		}
		p.Confirm = c.confirm
		now, stop, done := c.interrupts(cmd.Context())
		defer done()
		defer c.face.Close()
		defer p.Close()
		return do(now, stop, p, args)
	})
}

// verbOf gives a command what it does, and prints the result: a failed write makes the call fail whatever the verb says, by [results].
func verbOf[R any, P resultOf[R]](c *cli, cmd *cobra.Command, do func(args []string) (P, error)) *cobra.Command {
	c.returns[cmd] = reflect.TypeFor[R]()
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		r, err := do(args)
		if r != nil {
			if bad := c.show(r); bad != nil && err == nil {
				err = bad
			}
		}
		if c.remark != "" {
			fmt.Fprintln(c.term.Err(), c.remark)
		}
		return err
	}
	return cmd
}

// then keeps what is said on standard error once the result is shown, as what to type next.
func (c *cli) then(format string, args ...any) { c.remark = fmt.Sprintf(format, args...) }

// scope is the part of a system that a verb works on.
type scope func(sys *provision.System, args []string) (*provision.System, error)

// everything is all hosts, and the account that they are in.
func everything(sys *provision.System, _ []string) (*provision.System, error) { return sys, nil }

// accountAlone is what concerns the account alone.
func accountAlone(sys *provision.System, _ []string) (*provision.System, error) {
	return sys.CloudOnly(nil)
}

// accountOf is accountAlone, of the droplets that are named.
func accountOf(sys *provision.System, args []string) (*provision.System, error) {
	return sys.CloudOnly(args)
}

func (c *cli) passIn(ctx context.Context, in scope, args []string) (*provision.Pass, error) {
	sys, err := c.load(ctx)
	if err != nil {
		return nil, err
	}
	if sys, err = in(sys, args); err != nil {
		return nil, err
	}
	return c.pass(sys)
}

const filesNeeded = "files"

// needsFiles marks a command that reads the inventory, so that hints that name it get the file.
func needsFiles(cmd *cobra.Command) { cmd.Annotations = map[string]string{filesNeeded: "yes"} }
