package simtest

import "testing"

// TestIllegalHistories gives histories of one seat that an order explains, and
// ones that none does.
func TestIllegalHistories(t *testing.T) {
	for name, test := range map[string]struct {
		note    func(h *History)
		illegal bool
	}{
		"sold, given up, sold": {func(h *History) {
			h.Took("1", "a", Span{1, 2})
			h.Freed("1", "a", Span{3, 4})
			h.Took("1", "b", Span{5, 6})
		}, false},
		"sold twice": {func(h *History) {
			h.Took("1", "a", Span{1, 2})
			h.Took("1", "b", Span{3, 4})
		}, true},
		"sold twice at once": {func(h *History) {
			h.Took("1", "a", Span{1, 4})
			h.Took("1", "b", Span{2, 3})
		}, true},
		"sold again while it is given up": {func(h *History) {
			h.Took("1", "a", Span{1, 2})
			h.Freed("1", "a", Span{3, 6})
			h.Took("1", "b", Span{4, 5})
		}, false},
		"refused while it is free": {func(h *History) {
			h.Took("1", "a", Span{1, 2})
			h.Freed("1", "a", Span{3, 4})
			h.Found("1", true, Span{5, 6})
		}, true},
		"refused while it is given up": {func(h *History) {
			h.Took("1", "a", Span{1, 2})
			h.Freed("1", "a", Span{3, 6})
			h.Found("1", true, Span{4, 5})
		}, false},
		"shown free while it is sold": {func(h *History) {
			h.Took("1", "a", Span{1, 2})
			h.Found("1", false, Span{3, 4})
		}, true},
		"a lost request that has happened": {func(h *History) {
			h.MayHaveTaken("1", 1)
			h.Found("1", true, Span{2, 3})
		}, false},
		"a lost request that has not": {func(h *History) {
			h.MayHaveTaken("1", 1)
			h.Took("1", "b", Span{2, 3})
		}, false},
		"a lost request that has, and has not": {func(h *History) {
			h.MayHaveTaken("1", 1)
			h.Found("1", true, Span{2, 3})
			h.Took("1", "b", Span{4, 5})
		}, true},
		"a lost cancellation that happens late": {func(h *History) {
			h.Took("1", "a", Span{1, 2})
			h.MayHaveFreed("1", "a", 3)
			h.Found("1", true, Span{4, 5})
			h.Took("1", "b", Span{6, 7})
		}, false},
		"given up by another": {func(h *History) {
			h.Took("1", "a", Span{1, 2})
			h.Freed("1", "b", Span{3, 4})
		}, true},
		"seats apart": {func(h *History) {
			h.Took("1", "a", Span{1, 2})
			h.Took("2", "b", Span{1, 2})
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var h History
			test.note(&h)
			if got := h.Illegal(); (len(got) > 0) != test.illegal {
				t.Errorf("illegal are %v", got)
			}
		})
	}
}
