package vision

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// put overwrites bytes of a copy.
func put(data []byte, at int, bytes ...byte) []byte {
	data = slices.Clone(data)
	copy(data[at:], bytes)
	return data
}

// after overwrites the bytes that follow the first occurrence of a mark by skip.
func after(t *testing.T, data []byte, mark string, skip int, b ...byte) []byte {
	t.Helper()
	i := bytes.Index(data, []byte(mark))
	if i < 0 {
		t.Fatalf("no %q", mark)
	}
	return put(data, i+len(mark)+skip, b...)
}

// checksum makes IHDR valid again.
func checksum(png []byte) []byte {
	binary.BigEndian.PutUint32(png[29:], crc32.ChecksumIEEE(png[12:29]))
	return png
}

// tagged overwrites the value of a tag of a little-endian TIFF file.
func tagged(t *testing.T, data []byte, tag uint16, value uint32) []byte {
	t.Helper()
	data = slices.Clone(data)
	for d := data[binary.LittleEndian.Uint32(data[4:])+2:]; len(d) >= 12; d = d[12:] {
		if binary.LittleEndian.Uint16(d) == tag {
			binary.LittleEndian.PutUint32(d[8:], value)
			return data
		}
	}
	t.Fatalf("no tag %d", tag)
	return nil
}

// TestMalformed feeds what is damaged, cut short or lies about its size. Each is one error of one
// line, costs little memory and says what is wrong.
func TestMalformed(t *testing.T) {
	f, _ := pillow(t)
	png, jpg, webp, lossless := f["rgb16.png"], f["hand_420.jpg"], f["lossy.webp"], f["lossless.webp"]
	gif, bmp, tif := f["plain.gif"], f["rgb.bmp"], f["rgb_raw.tif"]
	start := bytes.Index(jpg, []byte("\xff\xc0"))
	for _, c := range []struct {
		name string
		data []byte
		want string // part of the error
	}{
		{"nothing", nil, "not a PNG"},
		{"text", []byte("GIF is a format"), "not a PNG"},
		{"signature alone", png[:8], "png: the file is cut short"},
		{"png without data", png[:33], "png: the file is cut short"},
		{"png cut short", png[:len(png)-20], "png: the file is cut short"},
		{"png of no width", checksum(put(png, 16, 0, 0, 0, 0)), "png: "},
		{"png of negative width", checksum(put(png, 16, 0xff)), "png: "},
		{"png larger than its data", checksum(put(png, 16, 0, 0, 0xff, 0, 0, 0, 1, 0)), "can hold"},
		{"png of 2^30 pixels", checksum(put(png, 16, 0, 0, 0x80, 0, 0, 0, 0x80, 0)), ErrLimit.Error()},
		{"png 2^20 wide", checksum(put(png, 16, 0, 0x10, 0, 0, 0, 0, 0, 1)), ErrLimit.Error()},
		{"png of wrong checksum", put(png, 29, 0), "checksum"},
		{"png of unknown colour type", checksum(put(png, 25, 5)), "png: "},
		{"png with wrong deflate header", after(t, png, "IDAT", 0, 0), "png: "},
		{"jpeg marker alone", jpg[:2], "jpeg: the file is cut short"},
		{"jpeg cut in a segment", jpg[:start+9], "jpeg: the file is cut short"},
		{"jpeg cut in the scan", jpg[:len(jpg)-200], "jpeg: "},
		{"jpeg without frame", slices.Concat(jpg[:start], jpg[start+19:]), "no frame"},
		{"jpeg of two frames", slices.Concat(jpg[:start+19], jpg[start:]), "two frames"},
		{"jpeg without scan", slices.Concat(jpg[:start+19], []byte("\xff\xd9")), "no scan"},
		{"jpeg of many scans", slices.Concat(jpg[:len(jpg)-2], bytes.Repeat([]byte("\xff\xda\x00\x02"), 256)), ErrLimit.Error()},
		{"jpeg of no height", put(jpg, start+5, 0, 0), "at least one"},
		{"jpeg larger than its data", put(jpg, start+5, 0x20, 0, 0x20, 0), "can hold"},
		{"jpeg of 2^32 pixels", put(jpg, start+5, 0xff, 0xff, 0xff, 0xff), ErrLimit.Error()},
		{"jpeg of 12 bits", put(jpg, start+4, 12), ErrUnsupported.Error()},
		{"jpeg of two components", put(jpg, start+9, 2), "wrong length"},
		{"jpeg with odd sampling", put(jpg, start+11, 0x33), ErrUnsupported.Error()},
		{"jpeg, arithmetic code", put(jpg, start+1, 0xc9), "no frame"},
		{"webp header alone", webp[:16], "webp: the file is cut short"},
		{"webp cut short", webp[:len(webp)/2], "webp: "},
		{"lossless webp cut short", lossless[:len(lossless)/2], "webp: "},
		{"webp larger than its data", after(t, webp, "\x9d\x01\x2a", 0, 0xff, 0x3f, 0xff, 0x0f), "can hold"},
		{"lossless webp larger than its data", after(t, lossless, "VP8L", 5, 0xff, 0xff, 0xff, 0x0f), ErrLimit.Error()},
		{"webp of a wrong chunk length", put(webp, 16, 0xff, 0xff, 0xff, 0xff), "webp: "},
		{"animation without a frame", f["animated.webp"][:60], "webp: "},
		{"animation with a frame outside", after(t, f["animated_part.webp"], "ANMF", 4, 200), "outside"},
		{"animation with a frame too wide", after(t, f["animated_part.webp"], "ANMF", 10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), "outside"},
		{"gif header alone", gif[:6], "gif: the file is cut short"},
		{"gif cut short", gif[:len(gif)-100], "gif: "},
		{"gif larger than its data", put(gif, 6, 0, 0x20, 0, 0x10), "can hold"},
		{"gif of no width", put(gif, 6, 0, 0), "at least one"},
		{"gif smaller than its frame", put(gif, 6, 2), "frame bounds"},
		{"bmp header alone", bmp[:30], "bmp: the file is cut short"},
		{"bmp cut short", bmp[:len(bmp)-1], "bmp: the file is cut short"},
		{"bmp larger than its data", put(bmp, 18, 0, 0x20, 0, 0), "can hold"},
		{"bmp of negative width", put(bmp, 18, 0xff, 0xff, 0xff, 0xff), "bmp: "},
		{"bmp, run lengths", put(bmp, 30, 1), ErrUnsupported.Error()},
		{"tiff header alone", tif[:8], "tiff: the file is cut short"},
		{"tiff without pixels", tagged(t, tif, 273, 1<<30), "tiff: "},
		{"tiff larger than its data", tagged(t, tif, 257, 0xffff), "tiff: "},
		{"tiff 2^31 wide", tagged(t, tif, 256, 1<<31), ErrLimit.Error()},
		{"tiff of an unknown code", tagged(t, tif, 259, 7), ErrUnsupported.Error()},
		{"tiff of inks", tagged(t, tif, 262, 5), ErrUnsupported.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			var before, later runtime.MemStats
			runtime.ReadMemStats(&before)
			begin := time.Now()
			m, err := Decode(c.data, Limits{})
			took := time.Since(begin)
			runtime.ReadMemStats(&later)
			if err == nil || m != nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "vision: ") || strings.ContainsRune(err.Error(), '\n') || strings.Count(err.Error(), "png: ")+strings.Count(err.Error(), "gif: ") > 1 {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if used := later.TotalAlloc - before.TotalAlloc; used > uint64(2*len(c.data)+16<<20) {
				t.Errorf("%d bytes of memory for a file of %d", used, len(c.data))
			}
			t.Logf("%v in %v", err, took)
		})
	}
}

// Every file cut anywhere and with any byte of its header changed gives a picture or one error.
func TestDamaged(t *testing.T) {
	files, _ := pillow(t)
	for name, data := range files {
		step := 1 + len(data)/20
		for n := 0; n < len(data); n += step {
			check(t, name, data[:n])
		}
		for i := range min(len(data), 64) {
			check(t, name, put(data, i, data[i]^byte(1+i*37%255)))
		}
	}
}

// check decodes and holds the result to its promises.
func check(t *testing.T, name string, data []byte) {
	t.Helper()
	limits := Limits{MaxPixels: 1 << 16}
	info, headerErr := DecodeInfo(data, limits)
	m, err := Decode(data, limits)
	if err != nil {
		if m != nil || strings.Contains(err.Error(), "the decoder failed") {
			t.Fatalf("%s: %v and %v", name, m != nil, err)
		}
		return
	}
	if headerErr != nil || info.Width != m.Width || info.Height != m.Height || len(m.Pix) != 3*m.Width*m.Height || len(m.Pix) == 0 {
		t.Fatalf("%s: %d x %d pixels, %d bytes; header %+v, %v", name, m.Width, m.Height, len(m.Pix), info, headerErr)
	}
}

func TestLimits(t *testing.T) {
	files, _ := pillow(t)
	data := files["rgb.bmp"] // 45 x 31
	for _, c := range []struct {
		limits Limits
		ok     bool
	}{
		{Limits{}, true}, {Limits{MaxPixels: 45 * 31}, true}, {Limits{MaxPixels: 45*31 - 1}, false},
		{Limits{MaxSide: 45}, true}, {Limits{MaxSide: 44}, false},
	} {
		if _, err := Decode(data, c.limits); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrLimit) {
			t.Errorf("%+v: %v", c.limits, err)
		}
	}
	if _, err := Decode(data[:200], Limits{}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	if _, err := Decode([]byte("%PDF"), Limits{}); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
}

func TestOptions(t *testing.T) {
	m := newImage(8, 4)
	for _, o := range []Options{{}, {Size: -1}, {Size: 1 << 14}, {Size: 8, MaxTiles: -1}, {Size: 8, MinTiles: 3, MaxTiles: 2}, {Size: 448, MaxTiles: 5000}, {Size: 8, MaxTiles: 1 << 40}} {
		if tiles, err := Tile(m, o); err == nil {
			t.Errorf("%+v: %d tiles", o, tiles.N)
		}
	}
	for _, bad := range []*Image{nil, {}, {Width: 3, Height: 3}, {Width: 1 << 40, Height: 1 << 40}} {
		if _, err := Tile(bad, MMMamba()); err == nil {
			t.Errorf("%+v: no error", bad)
		}
	}
	for _, size := range [][2]int{{0, 1}, {1, -1}, {maxSide + 1, 1}} {
		if _, err := m.Resize(size[0], size[1]); err == nil {
			t.Errorf("%v: no error", size)
		}
	}
	tiles, err := Tile(m, Options{Size: 4, MaxTiles: 2})
	if err != nil || tiles.N != 2 {
		t.Fatal(tiles, err)
	}
	same, err := Tile(newImage(4, 4), Options{Size: 4})
	if err != nil || same.N != 1 {
		t.Fatal(same, err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a slice of a wrong length is no panic")
		}
	}()
	tiles.Normalize(make([]float32, 95), ImageNet())
}

// A tile of a picture that needs no resize does not share the picture's bytes.
func TestTileCopies(t *testing.T) {
	m := newImage(4, 4)
	tiles, err := Tile(m, Options{Size: 4})
	if err != nil {
		t.Fatal(err)
	}
	tiles.Pix[0] = 9
	if m.Pix[0] != 0 {
		t.Error("the tile shares the picture's bytes")
	}
}

func FuzzDecode(f *testing.F) {
	files, _ := pillow(f)
	for _, data := range files {
		if len(data) < 3000 {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		limits := Limits{MaxPixels: 1 << 16}
		m, err := Decode(data, limits)
		if err != nil && strings.Contains(err.Error(), "the decoder failed") {
			t.Fatal(err)
		}
		if err != nil {
			return
		}
		if len(m.Pix) != 3*m.Width*m.Height || len(m.Pix) == 0 {
			t.Fatalf("%d x %d pixels, %d bytes", m.Width, m.Height, len(m.Pix))
		}
		o := Options{Size: 7, MaxTiles: 6, Thumbnail: true}
		tiles, err := Tile(m, o)
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := o.Count(m.Width, m.Height); n != tiles.N || len(tiles.Pix) != n*7*7*3 {
			t.Fatalf("%d tiles, counted %d", tiles.N, n)
		}
	})
}
