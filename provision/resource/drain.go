package resource

import "context"

// Drain stops what works on a host of the stack, in the order in which it may.
func Drain(ctx context.Context, r *Run, host, stack string) error {
	_, err := r.Sh(ctx, host, scripts.With("drain", "stack", stack))
	return err
}

// Wake dials a host that was drained and switched off and on, and starts what works on it.
func Wake(ctx context.Context, r *Run, host, stack string) error {
	if err := r.Redial(ctx, host); err != nil {
		return err
	}
	_, err := r.Sh(ctx, host, scripts.With("wake", "stack", stack))
	return err
}
