package postgres_test

import (
	"os"
	"testing"

	"happening/internal/testkit"
)

func TestMain(m *testing.M) {
	if connStrings := os.Getenv(frozenEnv); connStrings != "" {
		os.Exit(frozenLeader(connStrings))
	}
	os.Exit(testkit.Main(m))
}
