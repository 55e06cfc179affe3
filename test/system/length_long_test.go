//go:build linux && !engines && long

package system

// The full lengths of docs/reliability.md.
const (
	wireCuts        = 1000
	waitForRefusals = true
)
