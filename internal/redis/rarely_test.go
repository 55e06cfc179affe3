package redis

import (
	"strconv"
	"testing"
	"time"
)

func TestTroublesAreToldRarely(t *testing.T) {
	t.Parallel()
	var r rarely
	at := time.Date(2026, 3, 29, 0, 59, 0, 0, time.UTC)
	if !r.now("a", at) || r.now("a", at.Add(repeatAfter-1)) || !r.now("b", at) || !r.now("a", at.Add(repeatAfter)) {
		t.Error("a trouble is not told once a minute")
	}
	for i := range 2 * maxRarely {
		r.now(strconv.Itoa(i), at)
	}
	if len(r.told) > maxRarely {
		t.Errorf("%d troubles are kept", len(r.told))
	}
	if !r.now("new", at.Add(repeatAfter)) {
		t.Error("old troubles keep new ones from being told")
	}
}
