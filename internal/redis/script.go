package redis

import (
	"crypto/sha1" // the name that Redis gives to scripts
	"embed"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"happening/internal/booking"
)

//go:embed lua/*.lua
var sources embed.FS

const (
	// GapPatience is for how long a sale version may be missing while newer
	// ones are settled: two processes may settle out of order.
	GapPatience = 2 * time.Second
	// Stale is for how long a process may owe watchers a change of its own.
	Stale = 3 * time.Second
	// holdsKept is how long the keys of an event's holds outlive their last
	// change: the longest hold, pinned, and the memory of its age.
	holdsKept = booking.HoldMaxAge + booking.PinMax + booking.HoldCooldown + time.Minute
	// liveKept is how long an event's version outlives its last use.
	liveKept = time.Hour
	// mirrorKept is how long counter and waitlist do.
	mirrorKept = 24 * time.Hour
	// maxPastSeats bounds the seats of one event of which one person's age
	// is remembered, as in memory.
	maxPastSeats = 1000
	// expireBatch and expireRounds bound the people whose holds one script
	// ends; the others are due at the next.
	expireBatch  = 100
	expireRounds = 10
	// maxTouched bounds the remembered changes of holds; whoever is further
	// behind is sent all of them.
	maxTouched = 8_000
	// maxChanges bounds the changes that a view is brought up to date with.
	maxChanges = 1_000
	// maxLiveFields bounds the sale versions that wait for a missing one.
	maxLiveFields = 160
	// maxWalk bounds the entries of the waitlist that one settling looks
	// through; beyond it the list is written anew.
	maxWalk = 1_000_000
)

// script is a Lua script with the name under which Redis keeps it.
type script struct {
	name, text, sha string
	bare            bool // without clock, process and epoch as first arguments
}

// The scripts; see lua/. Those of one event come with what they share.
var (
	viewScript     = load("view", "clock", "quick", "holds")
	placeScript    = load("place", "clock", "holds")
	mineScript     = load("mine", "clock", "holds")
	pinScript      = load("pin", "clock", "holds")
	sweepScript    = load("sweep", "clock", "holds")
	settleScript   = load("settle", "clock", "holds", "sale")
	versionScript  = load("version", "clock", "sale")
	compareScript  = load("compare", "clock", "sale")
	wholeScript    = load("whole", "clock", "sale")
	reserveScript  = load("reserve", "clock")
	resettleScript = load("resettle", "clock")
	enlistScript   = load("enlist", "clock")
	claimScript    = load("claim", "clock")
	sweptScript    = load("swept", "clock")
	watchScript    = load("watch", "clock")
	viewersScript  = load("viewers", "clock")
	lockScript     = load("lock", "clock")
	unlockScript   = load("unlock", "clock")
	limitScript    = loadBare("limit")
	wipeScript     = loadBare("wipe")
)

func load(name string, before ...string) *script {
	s := &script{name: name}
	s.text = constants()
	for _, part := range append(before, name) {
		s.text += source(part)
	}
	s.sha = shaOf(s.text)
	return s
}

func loadBare(name string) *script {
	s := &script{name: name, text: source(name), bare: true}
	s.sha = shaOf(s.text)
	return s
}

func source(name string) string {
	text, err := sources.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err) // embedded
	}
	return string(text)
}

func shaOf(text string) string {
	sum := sha1.Sum([]byte(text)) // see above
	return hex.EncodeToString(sum[:])
}

// constants gives the limits to a script, times in milliseconds.
func constants() string {
	var b strings.Builder
	for _, c := range []struct {
		name  string
		value any
	}{
		{"MAX_AGE", booking.HoldMaxAge}, {"COOLDOWN", booking.HoldCooldown}, {"PIN_MAX", booking.PinMax},
		{"GAP_PATIENCE", GapPatience}, {"STALE", Stale},
		{"HOLDS_KEPT", holdsKept}, {"LIVE_KEPT", liveKept}, {"MIRROR_KEPT", mirrorKept},
		{"MAX_PAST", maxPastSeats}, {"EXPIRE_BATCH", expireBatch}, {"EXPIRE_ROUNDS", expireRounds},
		{"MAX_TOUCHED", maxTouched}, {"MAX_CHANGES", maxChanges}, {"MAX_LIVE", maxLiveFields}, {"MAX_WALK", maxWalk},
	} {
		if d, ok := c.value.(time.Duration); ok {
			c.value = d.Milliseconds()
		}
		fmt.Fprintf(&b, "local %s = %d\n", c.name, c.value)
	}
	return b.String()
}
