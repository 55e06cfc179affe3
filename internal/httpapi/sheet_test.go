package httpapi

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"
	"unicode"
)

func TestSheetCells(t *testing.T) {
	for in, want := range map[string]string{
		"":                           "",
		"Mill":                       "Mill",
		"0190a000-0000-7000-8000-01": "0190a000-0000-7000-8000-01",
		"ann@example.org":            "ann@example.org",
		"a = b":                      "a = b",
		`{"a":-1}`:                   `{"a":-1}`,
		"'=1":                        "'=1",
		"=1+1":                       "'=1+1",
		"+49":                        "'+49",
		"-1":                         "'-1",
		"@SUM(A1)":                   "'@SUM(A1)",
		"  =1":                       "'  =1",
		"\u00a0=1":                   "'\u00a0=1",
		"\u200b=1":                   "'\u200b=1",
		"\ufeff=1":                   "'\ufeff=1",
		"\x00=1":                     "'\x00=1",
		"＝1":                         "'＝1",
		"　＋1":                        "'　＋1",
		"－1":                         "'－1",
		"＠SUM":                       "'＠SUM",
		"\tMill":                     "'\tMill",
		"\rMill":                     "'\rMill",
		"\nMill":                     "'\nMill",
		"\t=1":                       "'\t'=1",
		"Mill;=1":                    "Mill;'=1",
		";=1":                        ";'=1",
		"Mill; -1; x":                "Mill;' -1; x",
		"Mill\t=1":                   "Mill\t'=1",
		"Mill\n=1":                   "Mill\n'=1",
	} {
		if got := sheetCell(in); got != want {
			t.Errorf("%q is written %q, want %q", in, got, want)
		}
	}
}

// Whatever stands in a cell: written as a row and read by a spreadsheet, with
// our separator or another, no cell begins with a formula, and nothing is lost
// but for the marks.
func FuzzSheetCell(f *testing.F) {
	for _, seed := range []string{"Mill", "=1", " ＝1", ";=1", "a;\"=1", "\t@x", "\r\n-1", "\xff=", "a\u200b;\u2028+1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		cell := sheetCell(text)
		if strings.ReplaceAll(cell, sheetMark, "") != strings.ReplaceAll(text, sheetMark, "") {
			t.Fatalf("%q is written %q", text, cell)
		}
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		w.UseCRLF = true
		if err := w.Write([]string{"id", cell, "end"}); err != nil {
			t.Fatal(err)
		}
		w.Flush()
		read, err := csv.NewReader(bytes.NewReader(b.Bytes())).Read()
		if err != nil {
			t.Fatalf("%q: %v", cell, err)
		}
		runs := func(cell string) bool {
			plain := strings.TrimLeftFunc(cell, func(r rune) bool {
				return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
			})
			return strings.IndexAny(plain, "=+-@＝＋－＠") == 0
		}
		if len(read) != 3 || runs(read[1]) {
			t.Errorf("%q is read as %q", text, read)
		}
		for _, part := range strings.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune(";\t\r\n", r) }) {
			if runs(part) {
				t.Errorf("%q runs where a cell is taken apart: %q", text, part)
			}
		}
		if cell != "" && strings.ContainsRune("\t\r\n", rune(cell[0])) {
			t.Errorf("%q begins with a break: %q", text, cell)
		}
	})
}
