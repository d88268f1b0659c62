package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"unicode/utf8"

	"github.com/mminfer/mminfer/vision"
)

// pngText is a keyword with a text in a PNG file.
type pngText struct{ key, text string }

// maxPNGText bounds the texts that are read from a file, in bytes.
const maxPNGText = 1 << 20

const pngMagic = "\x89PNG\r\n\x1a\n"

// raster lets the standard library read a picture.
type raster struct{ *vision.Image }

func (p raster) ColorModel() color.Model { return color.RGBAModel }
func (p raster) Bounds() image.Rectangle { return image.Rect(0, 0, p.Width, p.Height) }
func (p raster) At(x, y int) color.Color {
	c := p.Pix[(y*p.Width+x)*3:]
	return color.RGBA{c[0], c[1], c[2], 255}
}
func (p raster) Opaque() bool { return true }

// encodePNG writes a picture with texts behind its header, as international ones (iTXt), which hold UTF-8.
func encodePNG(m *vision.Image, texts []pngText) ([]byte, error) {
	var b bytes.Buffer
	if err := png.Encode(&b, raster{m}); err != nil {
		return nil, err
	}
	const header = len(pngMagic) + 25 // its length, type, 13 bytes and checksum
	file := append([]byte(nil), b.Bytes()[:header]...)
	for _, t := range texts {
		if len(t.key) < 1 || len(t.key) > 79 || !utf8.ValidString(t.text) {
			return nil, fmt.Errorf("a text of %d bytes under the keyword %q: want UTF-8, and a keyword of 1 to 79 bytes", len(t.text), t.key)
		}
		body := append([]byte(t.key), 0, 0, 0, 0, 0) // not compressed, no language, no translated keyword
		file = appendChunk(file, "iTXt", append(body, t.text...))
	}
	return append(file, b.Bytes()[header:]...), nil
}

func appendChunk(file []byte, kind string, body []byte) []byte {
	file = binary.BigEndian.AppendUint32(file, uint32(len(body)))
	from := len(file)
	file = append(append(file, kind...), body...)
	return binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(file[from:]))
}

// errNotPNG says that a file is cut short or none.
var errNotPNG = errors.New("not a PNG file, or a damaged one")

// readPNGText returns the texts of a PNG file that are not compressed. The file is not trusted.
func readPNGText(file []byte) ([]pngText, error) {
	if !bytes.HasPrefix(file, []byte(pngMagic)) {
		return nil, errNotPNG
	}
	var texts []pngText
	size := 0
	for rest := file[len(pngMagic):]; ; {
		if len(rest) < 12 {
			return nil, errNotPNG
		}
		n := binary.BigEndian.Uint32(rest)
		if uint64(n) > uint64(len(rest)-12) {
			return nil, errNotPNG
		}
		kind, body := string(rest[4:8]), rest[8:8+n]
		if crc32.ChecksumIEEE(rest[4:8+n]) != binary.BigEndian.Uint32(rest[8+n:]) {
			return nil, fmt.Errorf("%w: the checksum of a chunk %q differs", errNotPNG, kind)
		}
		rest = rest[12+n:]
		if kind == "IEND" {
			return texts, nil
		}
		if t, ok := parseText(kind, body); ok {
			if size += len(body); size > maxPNGText {
				return nil, fmt.Errorf("more than %d bytes of texts", maxPNGText)
			}
			texts = append(texts, t)
		}
	}
}

// parseText reads a text chunk. Those in Latin-1 (tEXt) are widened.
func parseText(kind string, body []byte) (t pngText, ok bool) {
	key, rest, found := bytes.Cut(body, []byte{0})
	if !found || len(key) < 1 || len(key) > 79 {
		return t, false
	}
	switch kind {
	case "tEXt":
		runes := make([]rune, len(rest))
		for i, c := range rest {
			runes[i] = rune(c)
		}
		return pngText{string(key), string(runes)}, true
	case "iTXt":
		if len(rest) < 2 || rest[0] != 0 {
			return t, false
		}
		_, rest, found = bytes.Cut(rest[2:], []byte{0}) // the language
		if !found {
			return t, false
		}
		_, text, found := bytes.Cut(rest, []byte{0}) // the keyword in that language
		return pngText{string(key), string(text)}, found && utf8.Valid(text)
	}
	return t, false
}
