// Package abreast bounds how many tests of a package run side by side. Without
// it they are as many as there are processors, and what they share, such as the
// connections of a server, runs out on a large machine.
package abreast

import (
	"flag"
	"strconv"
)

// parallel is the flag of the testing package.
const parallel = "test.parallel"

// AtMost lets at most n tests run side by side; fewer stay fewer. A TestMain
// calls it before it runs the tests.
func AtMost(n int) {
	if !flag.Parsed() {
		flag.Parse()
	}
	f := flag.Lookup(parallel)
	if f == nil {
		return // no test's program
	}
	if now, err := strconv.Atoi(f.Value.String()); err == nil && now <= n {
		return
	}
	if err := f.Value.Set(strconv.Itoa(n)); err != nil {
		panic(err) // a number is one
	}
}
