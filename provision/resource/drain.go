package resource

import (
	"context"
	"fmt"

	"provision/remote"
)

// drain has the agent take no more runs, gives those that run their time to end, and then has the
// database write what it holds to the volume, which outlives the machine. An engine that gives no
// answer is not one that runs nothing.
const drain = `timeout 20 docker version >/dev/null 2>&1 || die "Docker gives no answer, so nobody knows what runs there"
for c in agent business-logic caddy server postgres; do
	n=%s-$c
	! docker inspect --type container "$n" >/dev/null 2>&1 || docker stop "$n" >/dev/null
done
sync`

// Drain stops what works on a host of the stack, in the order in which it may.
func Drain(ctx context.Context, r *Run, host, stack string) error {
	_, err := r.Sh(ctx, host, "! command -v docker >/dev/null || {\n"+fmt.Sprintf(drain, remote.Quote(stack))+"\n}")
	return err
}

// wake starts what drain has stopped: the engine leaves that stopped when the machine comes up.
const wake = `t=0
until docker version >/dev/null 2>&1; do
	[ $t -lt 120 ] || die "Docker gives no answer since the machine was switched on"
	t=$((t + 1)); sleep 1
done
for c in postgres server caddy business-logic agent; do
	n=%s-$c
	! docker inspect --type container "$n" >/dev/null 2>&1 || docker start "$n" >/dev/null
done`

// Wake dials a host that was drained and switched off and on, and starts what works on it.
func Wake(ctx context.Context, r *Run, host, stack string) error {
	if err := r.Redial(ctx, host); err != nil {
		return err
	}
	_, err := r.Sh(ctx, host, "! command -v docker >/dev/null || {\n"+fmt.Sprintf(wake, remote.Quote(stack))+"\n}")
	return err
}
