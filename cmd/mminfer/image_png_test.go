package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/vision"
)

func testPicture() *vision.Image {
	m := &vision.Image{Width: 5, Height: 3, Pix: make([]uint8, 45)}
	for i := range m.Pix {
		m.Pix[i] = uint8(7 * i)
	}
	return m
}

// Texts and pixels come back as they were written; damage anywhere is told.
func TestPNGText(t *testing.T) {
	m, want := testPicture(), []pngText{{"parameters", "a lighthouse, π ≈ 3\nSteps: 20"}, {"mminfer", `{"seed":1}`}, {"empty", ""}}
	file, err := encodePNG(m, want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := readPNGText(file)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("read %q, %v, want %q", got, err, want)
	}
	back, err := vision.Decode(file, vision.Limits{})
	if err != nil || !bytes.Equal(back.Pix, m.Pix) {
		t.Errorf("the pixels differ: %v", err)
	}
	for i := range file {
		if _, err := readPNGText(file[:i]); err == nil {
			t.Errorf("accepted %d of %d bytes", i, len(file))
		}
		flipped := bytes.Clone(file)
		flipped[i] ^= 0x40
		if _, err := readPNGText(flipped); err == nil {
			t.Errorf("accepted with byte %d flipped", i)
		}
	}
	for _, bad := range []pngText{{"", "x"}, {strings.Repeat("k", 80), "x"}, {"k", "\xff"}} {
		if _, err := encodePNG(m, []pngText{bad}); err == nil {
			t.Errorf("wrote %q", bad)
		}
	}
	latin := appendChunk([]byte(pngMagic), "tEXt", []byte("key\x00caf\xe9"))
	if got, err := readPNGText(appendChunk(latin, "IEND", nil)); err != nil || !slices.Equal(got, []pngText{{"key", "café"}}) {
		t.Errorf("Latin-1: %q, %v", got, err)
	}
	if _, err := readPNGText(appendChunk(appendChunk([]byte(pngMagic), "tEXt", append([]byte("k\x00"), make([]byte, maxPNGText)...)), "IEND", nil)); err == nil {
		t.Error("accepted texts without end")
	}
}

// FuzzPNGText reads any bytes, and what a PNG file with any text in it says.
func FuzzPNGText(f *testing.F) {
	file, err := encodePNG(testPicture(), []pngText{{"key", "text"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Add([]byte(pngMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		texts, err := readPNGText(data)
		if err == nil {
			for _, x := range texts {
				if x.key == "" || len(x.key) > 79 {
					t.Errorf("keyword %q", x.key)
				}
			}
		}
		inside := appendChunk([]byte(pngMagic), "iTXt", data)
		if _, err := readPNGText(appendChunk(inside, "IEND", nil)); err != nil && len(data) <= maxPNGText {
			t.Errorf("a chunk of any bytes: %v", err)
		}
		if _, err := parseParams(string(data)); err == nil && len(data) == 0 {
			t.Error("nothing is parameters")
		}
	})
}
