package org_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"strings"
	"testing"

	"happening/internal/fault"
	"happening/internal/org"
)

// webp is a lossless one of 3 × 2 pixels.
const webp = "UklGRh4AAABXRUJQVlA4TBEAAAAvAkAAAAfQ//73v/+BiOh/AAA="

func drawn(width, height int) *image.NRGBA {
	p := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			p.SetNRGBA(x, y, color.NRGBA{R: 200, G: 100, B: 50, A: 255})
		}
	}
	return p
}

func asPNG(p image.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, p); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func asJPEG(p image.Image) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, p, &jpeg.Options{Quality: 100}); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func asWebP() []byte {
	b, err := base64.StdEncoding.DecodeString(webp)
	if err != nil {
		panic(err)
	}
	return b
}

// claiming is a PNG of a few bytes that says that it is so large.
func claiming(width, height uint32) []byte {
	b := asPNG(drawn(1, 1))
	const header, length = 16, 17 // where the size stands, and what its checksum is of
	binary.BigEndian.PutUint32(b[header:], width)
	binary.BigEndian.PutUint32(b[header+4:], height)
	binary.BigEndian.PutUint32(b[header-4+length:], crc32.ChecksumIEEE(b[header-4:header-4+length]))
	return b
}

// manyScans is a grey progressive JPEG that goes over its picture so often and
// improves nothing: a scan is a few bytes that say that all blocks stay.
func manyScans(width, height, scans int) []byte {
	const run = 1 << 14 // blocks that one code skips
	segment := func(b []byte, kind byte, content ...byte) []byte {
		b = append(b, 0xff, kind)
		b = binary.BigEndian.AppendUint16(b, uint16(len(content)+2))
		return append(b, content...)
	}
	b := []byte{0xff, 0xd8}
	b = segment(b, 0xdb, append([]byte{0}, bytes.Repeat([]byte{1}, 64)...)...)
	size := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16([]byte{8}, uint16(height)), uint16(width))
	b = segment(b, 0xc2, append(size, 1, 1, 0x11, 0)...)
	// One code of one bit: a run of 2^14 blocks and as many as 14 bits say.
	b = segment(b, 0xc4, append([]byte{0x10, 1}, append(make([]byte, 15), 0xe0)...)...)
	blocks := ((width + 7) / 8) * ((height + 7) / 8)
	skipped := make([]byte, ((blocks+run-1)/run*15+7)/8)
	for range scans {
		b = segment(b, 0xda, 1, 1, 0, 1, 63, 0x10)
		b = append(b, skipped...)
	}
	return append(b, 0xff, 0xd9)
}

// hiddenWebP says in its head that it is of one pixel, and holds a picture that
// says that it is so large.
func hiddenWebP(width, height uint32) []byte {
	chunk := func(b []byte, id string, content []byte) []byte {
		b = binary.LittleEndian.AppendUint32(append(b, id...), uint32(len(content)))
		return append(b, content...)
	}
	picture := binary.LittleEndian.AppendUint32([]byte{0x2f}, (width-1)|(height-1)<<14)
	content := chunk([]byte("WEBP"), "VP8X", make([]byte, 10))
	return chunk(nil, "RIFF", chunk(content, "VP8L", append(picture, make([]byte, 9)...)))
}

// deepPNG has sixteen bits a channel, the most that a PNG can have.
func deepPNG(width, height int) []byte {
	p := image.NewNRGBA64(image.Rect(0, 0, width, height))
	for i := range p.Pix {
		p.Pix[i] = byte(i >> 8)
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, p); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// noise is a picture that can't be packed.
func noise(width, height int) *image.NRGBA {
	p, random := image.NewNRGBA(image.Rect(0, 0, width, height)), rand.New(rand.NewPCG(1, 2))
	for i := range p.Pix {
		p.Pix[i] = byte(random.Uint32())
	}
	return p
}

// turnedJPEG has a camera's note of how it was held, and a name.
func turnedJPEG(p image.Image, turned uint16, order binary.AppendByteOrder) []byte {
	notes := []byte("Exif\x00\x00MM\x00\x2a")
	if order.String() == "LittleEndian" {
		notes = []byte("Exif\x00\x00II\x2a\x00")
	}
	notes = order.AppendUint32(notes, 8)
	notes = order.AppendUint16(notes, 1)
	notes = order.AppendUint16(notes, 0x0112)
	notes = order.AppendUint16(notes, 3)
	notes = order.AppendUint32(notes, 1)
	notes = order.AppendUint16(notes, turned)
	notes = append(notes, "\x00\x00 taken by Ann Marker"...)
	plain := asJPEG(p)
	out := append([]byte{}, plain[:2]...)
	out = append(out, 0xff, 0xe1)
	out = binary.BigEndian.AppendUint16(out, uint16(len(notes)+2))
	out = append(out, notes...)
	return append(out, plain[2:]...)
}

func TestLogosAreDrawnAnew(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		upload        []byte
		width, height int
	}{
		"a small PNG":    {asPNG(drawn(40, 20)), 40, 20},
		"a JPEG":         {asJPEG(drawn(40, 20)), 40, 20},
		"a WebP":         {asWebP(), 3, 2},
		"a wide one":     {asPNG(drawn(1600, 100)), 512, 32},
		"a high one":     {asPNG(drawn(4, 4096)), 1, 512},
		"a turned one":   {turnedJPEG(drawn(40, 20), 6, binary.BigEndian), 20, 40},
		"one with notes": {turnedJPEG(drawn(40, 20), 1, binary.LittleEndian), 40, 20},
	} {
		logo, err := org.NewLogo(t.Context(), append(c.upload, "Marker behind its end"...))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := png.Decode(bytes.NewReader(logo.PNG))
		if err != nil || got.Bounds() != image.Rect(0, 0, c.width, c.height) {
			t.Errorf("%s: %v, %v", name, got.Bounds(), err)
		}
		if len(logo.Version) != 12 || bytes.Contains(logo.PNG, []byte("Marker")) {
			t.Errorf("%s: version %q, or something of the upload is left", name, logo.Version)
		}
		if again, err := org.NewLogo(t.Context(), c.upload); err != nil || again.Version != logo.Version {
			t.Errorf("%s: the same picture has another version, %v", name, err)
		}
	}
}

// A camera's eight ways to be held lead to the same picture.
func TestLogosStandUpright(t *testing.T) {
	t.Parallel()
	// Light in its upper left quarter, of 32 × 16 pixels: blocks of JPEG.
	scene := drawn(32, 16)
	for y := range 16 {
		for x := range 32 {
			shade := color.NRGBA{A: 255}
			if x < 16 && y < 8 {
				shade = color.NRGBA{R: 255, G: 255, B: 255, A: 255}
			}
			scene.SetNRGBA(x, y, shade)
		}
	}
	for turned := uint16(1); turned <= 8; turned++ {
		// What the sensor has when a camera that is held so sees the scene.
		seen := image.NewNRGBA(image.Rect(0, 0, 32, 16))
		if turned >= 5 {
			seen = image.NewNRGBA(image.Rect(0, 0, 16, 32))
		}
		for y := range 16 {
			for x := range 32 {
				at := [...]image.Point{
					{x, y}, {31 - x, y}, {31 - x, 15 - y}, {x, 15 - y}, {y, x}, {y, 31 - x}, {15 - y, 31 - x}, {15 - y, x},
				}[turned-1]
				seen.SetNRGBA(at.X, at.Y, scene.NRGBAAt(x, y))
			}
		}
		logo, err := org.NewLogo(t.Context(), turnedJPEG(seen, turned, binary.LittleEndian))
		if err != nil {
			t.Fatal(err)
		}
		got, err := png.Decode(bytes.NewReader(logo.PNG))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			x, y  int
			light bool
		}{{4, 4, true}, {27, 4, false}, {4, 12, false}, {27, 12, false}} {
			if grey, _, _, _ := got.At(c.x, c.y).RGBA(); (grey > 0x8000) != c.light {
				t.Errorf("held as %d says, the picture of %v is %v at %d, %d", turned, got.Bounds(), got.At(c.x, c.y), c.x, c.y)
			}
		}
	}
}

func TestWhatIsNoLogo(t *testing.T) {
	t.Parallel()
	var animation bytes.Buffer
	if err := gif.Encode(&animation, drawn(4, 4), nil); err != nil {
		t.Fatal(err)
	}
	good := asPNG(drawn(64, 64))
	for name, upload := range map[string][]byte{
		"nothing": nil, "text": []byte("hello"), "SVG": []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), "GIF": animation.Bytes(),
		"half a PNG": good[:len(good)/2], "a bomb": claiming(60_000, 60_000), "too wide": asPNG(drawn(4097, 1)), "too high": asPNG(drawn(1, 4097)),
		"an empty claim": claiming(0, 5),
	} {
		_, err := org.NewLogo(t.Context(), upload)
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Code != "invalid_image" {
			t.Errorf("%s: %v", name, err)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := org.NewLogo(ended, good); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who left: %v", err)
	}
}

// A picture of a few bytes can take as long as it likes to be read, so what it
// takes is looked at before.
func TestLogosAreReadInBoundedTime(t *testing.T) {
	t.Parallel()
	const most = org.MaxLogoPixels / org.MaxLogoSide
	for name, c := range map[string]struct {
		upload []byte
		wrong  string // what the refusal says; empty: it is taken
	}{
		"sixteen bits a channel":       {deepPNG(1024, 1024), ""},
		"the largest, often gone over": {manyScans(org.MaxLogoSide, most, 16), ""},
		"a row too many":               {claiming(org.MaxLogoSide, most+1), "too large"},
		"a square of the longest side": {manyScans(org.MaxLogoSide, org.MaxLogoSide, 1), "too large"},
		"as many scans as may be":      {manyScans(512, 256, org.MaxLogoScans), ""},
		"one scan too many":            {manyScans(16, 16, org.MaxLogoScans+1), "passes"},
		"hundreds of scans":            {manyScans(org.MaxLogoSide, most, 700), "passes"},
		"too many scans for its size":  {manyScans(org.MaxLogoSide, most, 17), "passes"},
		"a large WebP in a small one":  {hiddenWebP(16384, 16384), "too large"},
	} {
		_, err := org.NewLogo(t.Context(), c.upload)
		var f *fault.Error
		switch {
		case c.wrong == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.wrong != "" && (!errors.As(err, &f) || f.Code != "invalid_image" || !strings.Contains(f.Message, c.wrong)):
			t.Errorf("%s: %v", name, err)
		}
	}
}

// leaving is a caller who hangs up once their picture is being read.
type leaving struct {
	context.Context
	asked int
}

func (l *leaving) Err() error {
	if l.asked++; l.asked > 3 {
		return context.Canceled
	}
	return nil
}

// Whoever hangs up has no picture read for them any more.
func TestReadingEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	caller := &leaving{Context: t.Context()}
	if _, err := org.NewLogo(caller, asPNG(noise(300, 300))); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if caller.asked > 10 {
		t.Errorf("asked %d times more", caller.asked)
	}
}

// Whatever is uploaded, it is refused or becomes a picture of the right size.
func FuzzNewLogo(f *testing.F) {
	f.Add(asPNG(drawn(3, 3)))
	f.Add(asJPEG(drawn(9, 9)))
	f.Add(asWebP())
	f.Add(turnedJPEG(drawn(16, 8), 5, binary.BigEndian))
	f.Add(claiming(4096, 2048))
	f.Add(manyScans(64, 64, 3))
	f.Add(hiddenWebP(3, 2))
	f.Fuzz(func(t *testing.T, upload []byte) {
		logo, err := org.NewLogo(context.Background(), upload)
		if err != nil {
			return
		}
		c, err := png.DecodeConfig(bytes.NewReader(logo.PNG))
		if err != nil || c.Width < 1 || c.Height < 1 || c.Width > org.LogoSide || c.Height > org.LogoSide {
			t.Errorf("%d × %d, %v", c.Width, c.Height, err)
		}
	})
}
