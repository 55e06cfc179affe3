// Package web carries the built client inside the binary. A checkout in which
// the client was never built still compiles: its dist folder is then empty but
// for a placeholder, and whoever serves it says that the client is missing.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var files embed.FS

// Dist is the built client, rooted where index.html lies.
var Dist fs.FS = mustSub(files, "dist")

// mustSub panics only if the embedded folder's name above were wrong, which
// the first start of any build would show.
func mustSub(parent fs.FS, dir string) fs.FS {
	sub, err := fs.Sub(parent, dir)
	if err != nil {
		panic("web: embedded client: " + err.Error())
	}
	return sub
}
