package testkit

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Spellings are the forms in which a marker, a lower-case ASCII word that
// occurs nowhere else, may stand in something that was kept: as it is, in
// hexadecimal as binary columns are shown, and in base64, as in a token, where
// the form depends on the bytes before it.
func Spellings(marker string) []string {
	forms := []string{marker, hex.EncodeToString([]byte(marker))}
	// Of the characters at the ends, some bits are of the neighbours.
	for before, first := range []int{0, 2, 3} {
		text := base64.RawStdEncoding.EncodeToString(append(make([]byte, before), marker...))
		forms = append(forms, text[first:(before+len(marker))*8/6])
	}
	return forms
}

// Mentions says whether a marker stands in something, in any spelling.
func Mentions(text []byte, marker string) bool {
	for _, form := range Spellings(marker) {
		if bytes.Contains(text, []byte(form)) || bytes.Contains(bytes.ToLower(text), []byte(form)) {
			return true
		}
	}
	return false
}

// Traces lists where a marker stands in the database: every column of every
// table, read as the owner of all, with the number of its rows that have it.
func Traces(t testing.TB, db *pgx.Conn, marker string) []string {
	t.Helper()
	ctx := context.Background()
	rows, err := db.Query(ctx, `
		SELECT c.table_name::text, c.column_name::text
		FROM information_schema.columns c
		JOIN information_schema.tables t USING (table_schema, table_name)
		WHERE t.table_type = 'BASE TABLE' AND c.table_schema NOT IN ('pg_catalog', 'information_schema')`)
	if err != nil {
		t.Fatal(err)
	}
	columns := map[string][]string{}
	var table, column string
	if _, err := pgx.ForEachRow(rows, []any{&table, &column}, func() error {
		columns[table] = append(columns[table], column)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(columns) == 0 {
		t.Fatal("there are no tables to look at")
	}
	var found []string
	for _, table := range slices.Sorted(maps.Keys(columns)) {
		counts := make([]string, len(columns[table]))
		into := make([]any, len(counts))
		for i, column := range columns[table] {
			counts[i] = fmt.Sprintf("count(*) FILTER (WHERE EXISTS (SELECT FROM unnest($1::text[]) form"+
				" WHERE position(form IN %[1]s::text) > 0 OR position(form IN lower(%[1]s::text)) > 0))", pgx.Identifier{column}.Sanitize())
			into[i] = new(int)
		}
		sql := "SELECT " + strings.Join(counts, ", ") + " FROM " + pgx.Identifier{table}.Sanitize()
		if err := db.QueryRow(ctx, sql, Spellings(marker)).Scan(into...); err != nil {
			t.Fatalf("look at %s: %v", table, err)
		}
		for i, column := range columns[table] {
			if n := *into[i].(*int); n > 0 {
				found = append(found, fmt.Sprintf("%s.%s (%d)", table, column, n))
			}
		}
	}
	return found
}
