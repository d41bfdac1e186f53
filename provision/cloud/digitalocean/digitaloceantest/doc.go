// Package digitaloceantest is DigitalOcean's API as far as provision calls it, in this process: an HTTP
// server on loopback that keeps state. Its answers have the fields, types, status codes and headers
// of the published schema, its refusals the words of the real ones, and a test holds it to the
// schema through a validating proxy.
//
// Nothing happens by itself. Actions go on as they are looked at, and time counts only where a test
// asks for it, so the same calls always get the same answers and no test sleeps. Faults are set for
// single calls: see [Fault].
//
// What it answers beyond the schema, which leaves the refusals open, is what users of the real API
// report. A call that it does not know is a 404, and is listed in [Cloud.Unknown].
package digitaloceantest
