package httpapi

import (
	"os"
	"testing"

	"happening/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }
