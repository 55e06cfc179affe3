//go:build linux && !engines

package house

// Outside says whether the houses stand on engines outside.
const Outside = false

// furnish leaves the house to the embedded engines.
func (h *House) furnish() {}
