package booking

import "fmt"

// Breach is one thing that the checker found wrong.
type Breach struct {
	Rule  string // C1, C3, …: see docs/reliability.md
	What  string
	Count int64 // how many rows break it this way
	// Examples names some of them.
	Examples []string
}

// String tells the breach in one line.
func (b Breach) String() string {
	return fmt.Sprintf("%s %s: %d, for instance %v", b.Rule, b.What, b.Count, b.Examples)
}
