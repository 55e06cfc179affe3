package httpapi

import (
	"strings"
	"unicode"
)

// sheetMark makes a spreadsheet take what follows for text.
const sheetMark = "'"

// sheetCell gives a text as a cell of a CSV file that people open in a
// spreadsheet, where what begins like a formula runs. A cell that begins with
// =, +, - or @, with a tab or a line break, also behind spaces or in the wide
// forms of East Asian scripts, is marked as text.
//
// A spreadsheet whose list separator is another than ours takes a cell apart
// although it stands in quotes, and so does one that is told to; what would
// begin a cell then is marked too.
func sheetCell(text string) string {
	if !strings.ContainsAny(text, sheetSigns) {
		return text
	}
	var b strings.Builder
	b.Grow(len(text) + len(sheetMark))
	for begin := true; text != ""; begin = false {
		end := strings.IndexAny(text, sheetBreaks)
		if end < 0 {
			end = len(text)
		}
		part := text[:end]
		switch {
		case startsFormula(part):
			b.WriteString(sheetMark)
		case begin && part == "" && text[0] != ';':
			b.WriteString(sheetMark) // begins with a tab or a line break
		}
		b.WriteString(part)
		if text = text[end:]; text != "" {
			b.WriteByte(text[0])
			text = text[1:]
		}
	}
	return b.String()
}

const (
	// sheetFormula is what a formula begins with.
	sheetFormula = "=+-@＝＋－＠﹢﹣﹦﹫"
	// sheetBreaks is at what a spreadsheet may take a cell apart.
	sheetBreaks = ";\t\r\n"
	sheetSigns  = sheetFormula + sheetBreaks
)

// startsFormula says whether the first sign that is not blank begins one.
func startsFormula(text string) bool {
	for _, r := range text {
		if !unicode.IsSpace(r) && !unicode.IsControl(r) && !unicode.Is(unicode.Cf, r) {
			return strings.ContainsRune(sheetFormula, r)
		}
	}
	return false
}
