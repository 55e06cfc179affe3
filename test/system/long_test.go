//go:build linux && long

package system

// The full lengths of docs/reliability.md.
const (
	killRounds           = 50
	postmasterKills      = 20
	backendKills         = 50
	wireCuts             = 1000
	closingKills         = 50
	waitForRefusals      = true
	startWithoutProvider = true
	jumpBack             = true
)
