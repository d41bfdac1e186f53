package resource

import "provision/remote"

const (
	noSuchImage     remote.Meaning = "there is no such image"
	noSuchContainer remote.Meaning = "there is no such container"
	notRunning      remote.Meaning = "the container does not run"
	restarting      remote.Meaning = "the container restarts"
	registryBusy    remote.Meaning = "the registry asks to wait, or is away for a moment"
	registryLogin   remote.Meaning = "the registry wants a login"
	passwordRefused remote.Meaning = "the database refuses the password"
)

// foreign are the texts that this package knows: docker ends with 1 for all of them, psql with 2. What the database says is in the language
// that its image is set to, which is English.
var foreign = remote.Foreigns{
	{Program: "docker 20.10", Text: "No such image", Means: noSuchImage},
	{Program: "docker 20.10", Text: "No such container", Means: noSuchContainer},
	{Program: "docker 20.10", Text: "is not running", Means: notRunning},
	{Program: "docker 20.10", Text: "is restarting", Means: restarting},
	{Program: "Docker Hub of 2025", Text: "toomanyrequests", Means: registryBusy},
	{Program: "docker 20.10", Text: "Too Many Requests", Means: registryBusy},
	{Program: "docker 20.10", Text: "429", Means: registryBusy},
	{Program: "docker 20.10", Text: "i/o timeout", Means: registryBusy},
	{Program: "docker 20.10", Text: "TLS handshake timeout", Means: registryBusy},
	{Program: "docker 20.10", Text: "connection reset", Means: registryBusy},
	{Program: "docker 20.10", Text: "503 Service", Means: registryBusy},
	{Program: "docker 20.10", Text: "denied", Means: registryLogin},
	{Program: "docker 20.10", Text: "unauthorized", Means: registryLogin},
	{Program: "docker 20.10", Text: "non TTY", Means: registryLogin},
	{Program: "docker 20.10", Text: "sername", Means: registryLogin},
	{Program: "postgres 13", Text: "password authentication failed", Means: passwordRefused},
}
