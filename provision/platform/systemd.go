package platform

// Init gives the commands of an init system.
type Init interface {
	// Reread has it read unit files that were changed.
	Reread() string
	// Enable has a unit start at boot, Disable takes that back and ends it, Enabled prints "enabled" if it does.
	Enable(unit string) string
	Disable(unit string) string
	Enabled(unit string) string
	// Active prints "active" if a unit runs, or waits for its time.
	Active(unit string) string
	// Start starts a unit and has it start at boot, Restart ends and starts it, Stop ends it, Status says how it is.
	Start(unit string) string
	Restart(unit string) string
	Stop(unit string) string
	Status(unit string) string
}

// Systemd is the init system of all families. What is asked of a host before its family is known is asked of this one.
var Systemd Init = systemd{}

type systemd struct{}

func (systemd) Reread() string             { return "systemctl daemon-reload" }
func (systemd) Enable(unit string) string  { return "systemctl enable " + unit }
func (systemd) Disable(unit string) string { return "systemctl disable --now " + unit }
func (systemd) Enabled(unit string) string { return "systemctl is-enabled " + unit }
func (systemd) Active(unit string) string  { return "systemctl is-active " + unit }
func (systemd) Start(unit string) string   { return "systemctl enable --now " + unit }
func (systemd) Restart(unit string) string { return "systemctl restart " + unit }
func (systemd) Stop(unit string) string    { return "systemctl stop " + unit }
func (systemd) Status(unit string) string  { return "systemctl status --no-pager --lines 20 " + unit }
