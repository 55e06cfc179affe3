package main

import (
	"math"
	"slices"
	"time"
)

// latencies are the times of requests; they are kept whole, so that
// percentiles are exact.
type latencies []time.Duration

// sorted gives the latencies rising.
func (l latencies) sorted() latencies {
	s := slices.Clone(l)
	slices.Sort(s)
	return s
}

// percentile gives the smallest latency of rising l that at least p per cent
// of all do not exceed (nearest rank); 0 where there are none.
func (l latencies) percentile(p float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	rank := int(math.Ceil(p / 100 * float64(len(l))))
	return l[min(max(rank, 1), len(l))-1]
}
