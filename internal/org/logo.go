package org

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"image"
	_ "image/jpeg" // as below
	"image/png"
	"io"
	"slices"
	"time"

	scale "golang.org/x/image/draw"
	"golang.org/x/image/riff"
	"golang.org/x/image/vp8l"
	_ "golang.org/x/image/webp" // what uploads may be

	"happening/internal/fault"
)

// The limits of logos.
const (
	// MaxLogoBytes bounds an upload.
	MaxLogoBytes = 2 << 20
	// MaxLogoSide bounds the width and the height of an upload, in pixels. A
	// picture of a few bytes can claim to be as large as it likes.
	MaxLogoSide = 4096
	// MaxLogoPixels bounds width × height: 4,096 × 2,048. Whatever has so many
	// is read within a second or so of one core.
	MaxLogoPixels = 8 << 20
	// MaxLogoScans bounds how often a JPEG goes over its picture. Programs that
	// write them do so some ten times; a scan that improves nothing takes a few
	// bytes and a walk over all pixels.
	MaxLogoScans = 64
	// MaxLogoWork bounds pixels × scans of a JPEG: sixteen scans of the largest
	// picture.
	MaxLogoWork = 16 * MaxLogoPixels
	// LogoSide is the longest side of a logo as it is kept.
	LogoSide = 512
	// logosAtOnce bounds the pictures that are decoded at a time: the largest
	// take some 250 MB for a moment.
	logosAtOnce = 1
	// logoPatience is how long one waits for its turn.
	logoPatience = 10 * time.Second
	// logoGulp is how many bytes of an upload a decoder gets at a time. Between
	// two of them it is seen whether anybody still waits for the picture.
	logoGulp = 64
	// logoVersion is how many letters of its hash name a logo.
	logoVersion = 12
)

var (
	errLogo = fault.New(fault.Invalid, "invalid_image", "This is not a picture that can be read. Use a PNG, JPEG or WebP file.")
	errBusy = fault.New(fault.Unavailable, "busy", "Too many pictures are being read right now; try again in a moment.").After(2 * time.Second)
	errSide = fault.New(fault.Invalid, "invalid_image", fmt.Sprintf("The picture is too large. Use one of at most %d pixels a side and 8 million pixels in all.", MaxLogoSide))
	errWork = fault.New(fault.Invalid, "invalid_image", "The picture is stored in too many passes. Save it anew, as PNG for instance.")
)

// Logo is an organization's picture as it is kept.
type Logo struct {
	Version string // names it; empty: there is none
	PNG     []byte
}

// kinds are the formats of uploads: whatever else the process can decode for
// other reasons is none.
var kinds = []string{"png", "jpeg", "webp"}

var decoding = make(chan struct{}, logosAtOnce)

// NewLogo makes a logo of an uploaded PNG, JPEG or WebP. It is drawn anew, so
// that nothing of the upload is left but what it shows: no place or name in
// its metadata, and nothing hidden behind its end.
func NewLogo(ctx context.Context, upload []byte) (Logo, error) {
	if err := affordable(upload); err != nil {
		return Logo{}, err
	}
	patience := time.NewTimer(logoPatience)
	defer patience.Stop()
	select {
	case decoding <- struct{}{}:
		defer func() { <-decoding }()
	case <-patience.C:
		return Logo{}, errBusy
	case <-ctx.Done():
		return Logo{}, ctx.Err()
	}
	picture, _, err := image.Decode(&awaited{ctx: ctx, rest: upload})
	switch {
	case ctx.Err() != nil:
		return Logo{}, ctx.Err()
	case err != nil:
		return Logo{}, errLogo.Because(err)
	}
	var out bytes.Buffer
	if err := png.Encode(&out, upright(fitted(picture), turned(upload))); err != nil {
		return Logo{}, fmt.Errorf("org: encode logo: %w", err)
	}
	sum := sha256.Sum256(out.Bytes())
	return Logo{Version: hex.EncodeToString(sum[:])[:logoVersion], PNG: out.Bytes()}, nil
}

// affordable refuses what is no picture, and one that would take long to read,
// by what its heads say: before anything of its size is made in memory.
func affordable(upload []byte) error {
	config, kind, err := image.DecodeConfig(bytes.NewReader(upload))
	if err != nil || config.Width < 1 || config.Height < 1 || !slices.Contains(kinds, kind) {
		return errLogo.Because(err)
	}
	if !fits(config) {
		return errSide
	}
	switch kind {
	case "jpeg":
		if scans := jpegScans(upload); scans > MaxLogoScans || scans*config.Width*config.Height > MaxLogoWork {
			return errWork
		}
	case "webp":
		return affordableWebP(upload)
	}
	return nil
}

func fits(c image.Config) bool {
	return c.Width <= MaxLogoSide && c.Height <= MaxLogoSide && c.Width*c.Height <= MaxLogoPixels
}

// jpegScans bounds how many scans a decoder can find in a JPEG. It doesn't
// walk from marker to marker, since a decoder that takes a broken picture
// otherwise than the walk would find other ones: a scan begins with its marker
// however one comes upon it, and within pixels the marker can't stand.
func jpegScans(upload []byte) int {
	return bytes.Count(upload, []byte{jpegMarker, jpegPixels})
}

// affordableWebP looks at the lossless picture within a WebP. The file's own
// head may claim a smaller one, and only when it is decoded would the decoder
// see that the two differ.
func affordableWebP(upload []byte) error {
	_, chunks, err := riff.NewReader(bytes.NewReader(upload))
	if err != nil {
		return errLogo.Because(err)
	}
	for {
		id, _, data, err := chunks.Next()
		switch {
		case err != nil || id == riff.FourCC{'V', 'P', '8', ' '}:
			return nil // the end, or what the decoder itself compares in time
		case id != riff.FourCC{'V', 'P', '8', 'L'}:
			continue
		}
		config, err := vp8l.DecodeConfig(data)
		switch {
		case err != nil:
			return errLogo.Because(err)
		case !fits(config):
			return errSide
		}
		return nil
	}
}

// awaited gives a decoder its upload as long as somebody waits for the picture.
type awaited struct {
	ctx  context.Context
	rest []byte
}

// Read implements io.Reader.
func (a *awaited) Read(p []byte) (int, error) {
	if err := a.ctx.Err(); err != nil {
		return 0, err
	}
	if len(a.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), logoGulp)], a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

// fitted draws a picture into LogoSide, never larger than it is.
func fitted(picture image.Image) *image.NRGBA {
	from := picture.Bounds()
	width, height := from.Dx(), from.Dy()
	if longest := max(width, height); longest > LogoSide {
		width, height = max(1, width*LogoSide/longest), max(1, height*LogoSide/longest)
	}
	to := image.NewNRGBA(image.Rect(0, 0, width, height))
	scale.CatmullRom.Scale(to, to.Bounds(), picture, from, scale.Src, nil)
	return to
}

// upright turns a picture as a camera says that it was held; 1 and what is no
// such number leave it.
func upright(from *image.NRGBA, turned uint16) *image.NRGBA {
	if turned < 2 || turned > 8 {
		return from
	}
	width, height := from.Rect.Dx(), from.Rect.Dy()
	size := image.Rect(0, 0, width, height)
	if turned >= 5 {
		size = image.Rect(0, 0, height, width)
	}
	to := image.NewNRGBA(size)
	for y := range height {
		for x := range width {
			// Where the pixel belongs, in the order of the EXIF standard.
			at := [...]image.Point{
				{width - 1 - x, y}, {width - 1 - x, height - 1 - y}, {x, height - 1 - y},
				{y, x}, {height - 1 - y, x}, {height - 1 - y, width - 1 - x}, {y, width - 1 - x},
			}[turned-2]
			to.SetNRGBA(at.X, at.Y, from.NRGBAAt(x, y))
		}
	}
	return to
}

// What is looked for in a JPEG: the segment of a camera's notes, and the note
// of how the camera was held.
const (
	jpegStart, jpegMarker = 0xd8, 0xff
	jpegNotes, jpegPixels = 0xe1, 0xda
	notesHead             = "Exif\x00\x00"
	noteTurned            = 0x0112
	noteBytes             = 12
)

// turned reads how a JPEG's camera was held; 0 where it doesn't say. The note
// goes with all others, and without it the picture would lie on its side.
func turned(upload []byte) uint16 {
	if len(upload) < 2 || upload[0] != jpegMarker || upload[1] != jpegStart {
		return 0
	}
	for rest := upload[2:]; len(rest) >= 4 && rest[0] == jpegMarker && rest[1] != jpegPixels; {
		length := int(binary.BigEndian.Uint16(rest[2:]))
		if length < 2 || 2+length > len(rest) {
			return 0
		}
		if notes, ok := bytes.CutPrefix(rest[4:2+length], []byte(notesHead)); ok && rest[1] == jpegNotes {
			return turnedIn(notes)
		}
		rest = rest[2+length:]
	}
	return 0
}

// turnedIn reads it from the notes, which are a little TIFF: an order of
// bytes, where the first list begins, and the list.
func turnedIn(notes []byte) uint16 {
	if len(notes) < 8 {
		return 0
	}
	var order binary.ByteOrder = binary.BigEndian
	if notes[0] == 'I' {
		order = binary.LittleEndian
	}
	at := int64(order.Uint32(notes[4:]))
	if at+2 > int64(len(notes)) {
		return 0
	}
	list := notes[at+2:]
	for range order.Uint16(notes[at:]) {
		if len(list) < noteBytes {
			return 0
		}
		if order.Uint16(list) == noteTurned {
			return order.Uint16(list[8:])
		}
		list = list[noteBytes:]
	}
	return 0
}
