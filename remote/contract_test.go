package remote_test

import (
	"testing"

	"go.uber.org/goleak"

	"provision/remote"
	"provision/remote/remotecontract"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContractAgainstOpenSSH(t *testing.T) {
	s := startSSHD(t)
	remotecontract.Run(t, func(t *testing.T) (*remote.Dialer, remote.Target) { return s.dialer(t), s.target() })
}
