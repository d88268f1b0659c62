package vision

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"strings"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

// Errors that callers branch on; test with [errors.Is]. Any other error says that the file is damaged.
var (
	// ErrFormat: the bytes begin like no format that is known.
	ErrFormat = errors.New("vision: not a PNG, JPEG, WebP, GIF, BMP or TIFF picture")
	// ErrUnsupported: the file uses a part of its format that has no decoder here.
	ErrUnsupported = errors.New("the file uses what is not supported")
	// ErrLimit: the picture exceeds one of the [Limits].
	ErrLimit = errors.New("the picture exceeds a limit")
)

// Limits bound what a picture may cost. They hold for what its header claims, before anything is
// decoded. Zero fields have the defaults.
//
// Decoding takes up to 20 bytes of memory a pixel, 30 for a progressive JPEG of four components.
type Limits struct {
	MaxPixels int // width x height, by default 64 Mi
	MaxSide   int // width and height, by default 65536
}

// Info is what the header of a picture says.
type Info struct {
	Format        string // "png", "jpeg", "webp", "gif", "bmp" or "tiff"
	Width, Height int    // in pixels, as Decode returns them
}

// Image is a decoded picture.
type Image struct {
	Width, Height int     // in pixels, at least 1
	Pix           []uint8 // [Height, Width, 3], red, green, blue
}

// newImage returns a black picture.
func newImage(width, height int) *Image {
	return &Image{width, height, make([]uint8, width*height*3)}
}

// row returns row y: [Width, 3].
func (m *Image) row(y int) []uint8 { return m.Pix[y*m.Width*3:][:m.Width*3] }

// A format is what the package knows of a file format.
type format struct {
	name    string
	magic   []string // how a file begins, ? standing for any byte
	density int      // how many pixels a byte of a file can hold
	free    int      // pixels that a file of any length may have beyond that
	header  func(data []byte) (header, error)
	decode  func(data []byte, h header) (*Image, error)
}

// A header is what is known of a file before it is decoded.
type header struct {
	width, height int
	density       int // of this file, 0 for that of its format
	png           pngHeader
	jpeg          jpegHeader
	gif           gifHeader
	tiff          tiffHeader
}

// formats lists the formats. Deflate repeats 258 bytes in 2 bits, LZW up to 4096 bytes in 12 bits; a
// JPEG has a bit for the mean of each block of 64 pixels, a lossy WebP one for each of 256. Lossless
// WebP and fax code have no bound for pictures of one colour: free is theirs.
func formats() []format {
	const deflate, lzw, free = 8 * 129, 8 * 342, 1 << 22
	return []format{
		{"png", []string{"\x89PNG\r\n\x1a\n"}, 8 * deflate, 0, readPNGHeader, decodePNG},
		{"jpeg", []string{"\xff\xd8"}, 8 * 64, 0, readJPEGHeader, decodeJPEG},
		{"webp", []string{"RIFF????WEBPVP8"}, 8 * 256, free, configHeader(webp.DecodeConfig), decodeWebP},
		{"gif", []string{"GIF87a", "GIF89a"}, lzw, 0, readGIFHeader, decodeGIF},
		{"bmp", []string{"BM"}, 8, 0, configHeader(bmp.DecodeConfig), decodeBMP},
		{"tiff", []string{"II*\x00", "MM\x00*"}, 8 * lzw, free, readTIFFHeader, decodeTIFF},
	}
}

// DecodeInfo reads the header of a picture and holds it against the limits.
func DecodeInfo(data []byte, limits Limits) (Info, error) {
	f, h, err := open(data, limits)
	return Info{f.name, h.width, h.height}, err
}

// Decode decodes a picture as Pillow's convert("RGB") does: transparency is dropped without
// compositing, palettes are looked up, grey is repeated, one bit becomes 0 or 255, 16 bits keep
// their high byte except that grey is clipped to 255. Of an animation it takes the first
// frame. EXIF orientation is ignored, except for the orientation tag of TIFF, which Pillow
// applies as it loads. It does not keep data.
//
// There is no decoder for arithmetic codes in JPEG, run lengths and 16 bits in BMP, inks, JPEG
// and sample widths other than 1, 8 and 16 bits in TIFF: they are [ErrUnsupported].
func Decode(data []byte, limits Limits) (*Image, error) {
	f, h, err := open(data, limits)
	if err != nil {
		return nil, err
	}
	m, err := guard(func() (*Image, error) { return f.decode(data, h) })
	if err != nil {
		return nil, explain(f.name, err)
	}
	return m, nil
}

// open finds the format of a file and judges its header.
func open(data []byte, limits Limits) (format, header, error) {
	for _, f := range formats() {
		for _, magic := range f.magic {
			if !begins(data, magic) {
				continue
			}
			h, err := guard(func() (header, error) { return f.header(data) })
			if err == nil {
				err = limits.check(h, f, len(data))
			}
			if err != nil {
				return format{}, header{}, explain(f.name, err)
			}
			return f, h, nil
		}
	}
	return format{}, header{}, ErrFormat
}

func begins(data []byte, magic string) bool {
	if len(data) < len(magic) {
		return false
	}
	for i := range len(magic) {
		if magic[i] != '?' && magic[i] != data[i] {
			return false
		}
	}
	return true
}

// check judges the header of a file of n bytes.
func (l Limits) check(h header, f format, n int) error {
	density := f.density
	if h.density != 0 {
		density = h.density
	}
	width, height := h.width, h.height
	side, pixels := l.MaxSide, l.MaxPixels
	if side <= 0 {
		side = 1 << 16
	}
	if pixels <= 0 {
		pixels = 64 << 20
	}
	switch {
	case width < 1 || height < 1:
		return fmt.Errorf("header: %d x %d pixels, want at least one", width, height)
	case width > side || height > side:
		return fmt.Errorf("header: %d x %d pixels, at most %d on a side are allowed: %w", width, height, side, ErrLimit)
	case int64(width)*int64(height) > int64(pixels):
		return fmt.Errorf("header: %d x %d pixels, at most %d in all are allowed: %w", width, height, pixels, ErrLimit)
	case int64(width)*int64(height) > int64(f.free)+int64(density)*int64(n):
		return fmt.Errorf("header: %d x %d pixels, more than %d bytes can hold: is the file cut short?", width, height, n)
	}
	return nil
}

// guard calls a decoder of another module and turns a panic of it into an error.
func guard[T any](decode func() (T, error)) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the decoder failed: %v", p)
		}
	}()
	return decode()
}

// explain gives a decoder's error the package's form.
func explain(format string, err error) error {
	var (
		p png.UnsupportedError
		j jpeg.UnsupportedError
		t tiff.UnsupportedError
	)
	text := strings.TrimPrefix(err.Error(), format+": ")
	switch {
	case errors.Is(err, ErrLimit):
		return fmt.Errorf("vision: %s: %w", format, err)
	case strings.HasSuffix(text, "EOF"), strings.HasPrefix(text, "riff: short chunk"): // decoders wrap it or do not
		return fmt.Errorf("vision: %s: the file is cut short: %w", format, io.ErrUnexpectedEOF)
	case errors.As(err, &p), errors.As(err, &j), errors.As(err, &t), errors.Is(err, bmp.ErrUnsupported):
		return fmt.Errorf("vision: %s: %s: %w", format, text, ErrUnsupported)
	}
	return fmt.Errorf("vision: %s: %s", format, text)
}

// configHeader adapts the reader of a header.
func configHeader(read func(r io.Reader) (image.Config, error)) func(data []byte) (header, error) {
	return func(data []byte) (header, error) {
		c, err := read(bytes.NewReader(data))
		return header{width: c.Width, height: c.Height}, err
	}
}

func decodeBMP(data []byte, _ header) (*Image, error) {
	m, err := bmp.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return toRGB(m, false), nil
}

// pngHeader is of IHDR what the conversion to RGB depends on.
type pngHeader struct{ gray16 bool }

func readPNGHeader(data []byte) (header, error) {
	c, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return header{}, err
	}
	depth, colorType := int(data[24]), data[25] // after signature 8, length 4, "IHDR" 4, width 4, height 4
	channels := [...]int{1, 0, 3, 1, 2, 0, 4}[colorType]
	const inflated = 8 * 8 * 129 // bits from a byte
	return header{width: c.Width, height: c.Height, density: inflated / (depth * channels), png: pngHeader{depth == 16 && colorType == 0}}, nil
}

func decodePNG(data []byte, h header) (*Image, error) {
	m, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return toRGB(m, h.png.gray16), nil
}

// gifHeader is how a GIF's first frame leaves the screen uncovered.
type gifHeader struct {
	control int // offset of the flags of the frame's graphic control, 0 if it has none
	fill    int // colour index of what the frame does not cover
}

// readGIFHeader reads the screen's size and the graphic control of the first frame.
func readGIFHeader(data []byte) (h header, err error) {
	c, err := gif.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return h, err
	}
	h = header{width: c.Width, height: c.Height}
	at := 13
	if flags := data[10]; flags&0x80 != 0 {
		at += 3 << (flags&7 + 1)
	}
	for at+1 < len(data) && data[at] == '!' { // extensions
		if data[at+1] == 0xf9 && at+6 < len(data) && data[at+3]&1 != 0 {
			h.gif = gifHeader{at + 3, int(data[at+6])}
		}
		at += 2
		for at < len(data) && data[at] != 0 { // blocks
			at += int(data[at]) + 1
		}
		at++
	}
	return h, nil
}

// decodeGIF decodes the first frame. The flag that makes a colour transparent is cleared: the
// decoder would lose the colour.
func decodeGIF(data []byte, h header) (*Image, error) {
	if at := h.gif.control; at != 0 {
		data = bytes.Clone(data)
		data[at] &^= 1
	}
	m, err := gif.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	frame := m.(*image.Paletted)
	part := toRGB(frame, false)
	if part.Width == h.width && part.Height == h.height {
		return part, nil
	}
	screen := newImage(h.width, h.height)
	if h.gif.fill < len(frame.Palette) {
		c := rgbOf(frame.Palette[h.gif.fill])
		for i := range h.width * h.height {
			copy(screen.Pix[3*i:], c[:])
		}
	}
	screen.paste(part, frame.Rect.Min.X, frame.Rect.Min.Y)
	return screen, nil
}

// paste copies a picture that fits.
func (m *Image) paste(part *Image, x, y int) {
	for i := range part.Height {
		copy(m.row(y + i)[3*x:], part.row(i))
	}
}
