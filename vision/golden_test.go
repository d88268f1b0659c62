package vision

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/internal/golden"
)

// data returns a path below testdata, which a module download leaves out.
func data(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join("testdata", name)
	if _, err := os.Stat(path); err != nil {
		t.Skip("testdata is not here: a module download leaves it out; clone the repository")
	}
	return path
}

func pictures(t testing.TB) *golden.Pictures {
	t.Helper()
	p, err := golden.OpenPictures(data(t, "golden/mmmamba_image"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func options(c *golden.Picture) Options {
	return Options{Size: c.Size, MinTiles: c.Min, MaxTiles: c.Max, Thumbnail: c.Thumbnail}
}

func TestGolden(t *testing.T) {
	p := pictures(t)
	for _, c := range p.Cases {
		t.Run(c.Want, func(t *testing.T) {
			m, err := Decode(c.Data, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if m.Width != c.Width || m.Height != c.Height {
				t.Errorf("%d x %d pixels, want %d x %d", m.Width, m.Height, c.Width, c.Height)
			}
			if c.RGB != nil {
				if worst, ok := c.Compare(m.Pix, c.RGB); !ok {
					t.Errorf("decoded: off by %d levels", worst)
				}
			}
			tiles, err := Tile(m, options(c))
			if err != nil {
				t.Fatal(err)
			}
			if worst, ok := c.Compare(tiles.Pix, c.TilesU8); !ok || tiles.Columns != c.Columns || tiles.Rows != c.Rows {
				t.Errorf("grid %d x %d, want %d x %d; tiles off by %d levels", tiles.Columns, tiles.Rows, c.Columns, c.Rows, worst)
			}
			if n, err := options(c).Count(m.Width, m.Height); n != tiles.N || n*3*c.Size*c.Size != len(tiles.Pix) || err != nil {
				t.Errorf("%d tiles, counted %d, %v", tiles.N, n, err)
			}
			x := make([]float32, len(tiles.Pix))
			tiles.Normalize(x, ImageNet())
			if c.PixelValues != nil && !slices.Equal(x, c.PixelValues) {
				t.Error("pixel values differ")
			}
		})
	}
}

func TestNormalize(t *testing.T) {
	table := ImageNet().table()
	for c, want := range pictures(t).Table {
		for v := range want {
			if table[c][v] != want[v] {
				t.Fatalf("channel %d, byte %d: %v, want %v", c, v, table[c][v], want[v])
			}
		}
	}
}

func TestGrid(t *testing.T) {
	grids := pictures(t).Grids
	for _, g := range grids {
		columns, rows, err := Options{Size: g[2], MinTiles: g[3], MaxTiles: g[4]}.Grid(g[0], g[1])
		if err != nil || columns != g[5] || rows != g[6] {
			t.Errorf("%v: %d x %d, %v", g, columns, rows, err)
		}
	}
	if len(grids) < 300 {
		t.Errorf("%d grids", len(grids))
	}
}

// pillow returns files, and their pixels according to convert("RGB") of Pillow 12.0.0.
func pillow(t testing.TB) (files map[string][]byte, want map[string]*Image) {
	t.Helper()
	z, err := zip.OpenReader(data(t, "pillow.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	files, want = map[string][]byte{}, map[string]*Image{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		name, isWant := strings.CutSuffix(f.Name, ".ppm")
		if !isWant {
			files[name] = b
			continue
		}
		m := new(Image)
		if _, err := fmt.Sscanf(string(b[:20]), "P6\n%d %d\n255\n", &m.Width, &m.Height); err != nil {
			t.Fatal(err)
		}
		m.Pix = b[len(b)-3*m.Width*m.Height:]
		want[name] = m
	}
	return files, want
}

// TestPillow compares every format and colour model with Pillow.
func TestPillow(t *testing.T) {
	files, want := pillow(t)
	for name, data := range files {
		before := bytes.Clone(data)
		m, err := Decode(data, Limits{})
		if name == "cmyk.tif" {
			if !errors.Is(err, ErrUnsupported) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var p golden.Picture
		if strings.HasSuffix(name, ".jpg") {
			p.Tolerance.Max, p.Tolerance.Mean = 3, 0.2
		}
		w := want[name]
		if worst, ok := p.Compare(m.Pix, w.Pix); !ok || m.Width != w.Width || m.Height != w.Height {
			t.Errorf("%s: %d x %d, want %d x %d; off by %d levels", name, m.Width, m.Height, w.Width, w.Height, worst)
		}
		info, err := DecodeInfo(data, Limits{})
		if err != nil || info.Width != m.Width || info.Height != m.Height {
			t.Errorf("%s: header %+v, %v", name, info, err)
		}
		if !bytes.Equal(before, data) {
			t.Errorf("%s: the file's bytes were changed", name)
		}
	}
	if len(files) < 90 {
		t.Errorf("%d files", len(files))
	}
}

// noise returns the picture of a line of resize.txt.
func noise(width, height int, x uint32) *Image {
	m := newImage(width, height)
	for i := range m.Pix {
		x = x*1664525 + 1013904223
		m.Pix[i] = uint8(x >> 24)
	}
	return m
}

// TestResize compares sizes up and down, of single pixels too, with Pillow, byte for byte.
func TestResize(t *testing.T) {
	list, err := os.ReadFile(data(t, "resize.txt"))
	if err != nil {
		t.Fatal(err)
	}
	n := uint32(0)
	for line := range strings.Lines(string(list)) {
		n++
		var width, height, newWidth, newHeight int
		var want uint32
		if _, err := fmt.Sscanf(line, "%d %d %d %d %x", &width, &height, &newWidth, &newHeight, &want); err != nil {
			t.Fatal(err)
		}
		m, err := noise(width, height, n).Resize(newWidth, newHeight)
		if err != nil {
			t.Fatal(err)
		}
		if got := crc32.ChecksumIEEE(m.Pix); got != want || m.Width != newWidth || m.Height != newHeight {
			t.Errorf("%s: %d x %d, CRC-32 %08x", strings.TrimSpace(line), m.Width, m.Height, got)
		}
	}
	if n < 200 {
		t.Errorf("%d sizes", n)
	}
}

// The weights of an axis sum to one, up to the rounding of each.
func TestBicubic(t *testing.T) {
	for in := 1; in < 70; in += 3 {
		for out := 1; out < 70; out += 2 {
			w := bicubic(in, out)
			for o := range out {
				k := w.values[w.start[o]:w.start[o+1]]
				sum := 0.0
				for _, v := range k {
					sum += float64(v)
				}
				if e := math.Abs(sum - 1<<precision); !(e <= float64(len(k))/2) || w.first[o] < 0 || w.first[o]+len(k) > in || len(k) == 0 {
					t.Fatalf("%d to %d, pixel %d: %d weights from %d, off by %v", in, out, o, len(k), w.first[o], e)
				}
			}
		}
	}
}

// Rows between two chroma rows, whose rounding alternates so that it does not shift the mean.
func TestUpsampler(t *testing.T) {
	for _, c := range []struct {
		ratio image.YCbCrSubsampleRatio
		y     int
		want  []uint8 // of the planes below
	}{
		{image.YCbCrSubsampleRatio440, 0, []uint8{0, 8, 100, 6, 0, 0}},
		{image.YCbCrSubsampleRatio440, 1, []uint8{1, 7, 76, 5, 1, 1}},
		{image.YCbCrSubsampleRatio440, 2, []uint8{1, 3, 26, 3, 1, 1}},
		{image.YCbCrSubsampleRatio440, 3, []uint8{2, 2, 2, 2, 2, 2}},
		{image.YCbCrSubsampleRatio422, 0, []uint8{0, 2, 6, 31, 77, 100}},
		{image.YCbCrSubsampleRatio420, 0, []uint8{0, 2, 6, 31, 77, 100}},
		{image.YCbCrSubsampleRatio420, 1, []uint8{1, 2, 5, 24, 58, 75}},
		{image.YCbCrSubsampleRatio411, 0, []uint8{0, 0, 0, 0, 8, 8}},
		{image.YCbCrSubsampleRatio410, 3, []uint8{2, 2, 2, 2, 2, 2}},
	} {
		m := image.NewYCbCr(image.Rect(0, 0, 6, 4), c.ratio)
		for i, v := range []uint8{0, 8, 100, 6, 0, 0} {
			if i < m.CStride {
				m.Cb[i] = v
			}
		}
		for i := range m.CStride {
			m.Cb[m.CStride+i] = 2
		}
		if got := newUpsampler(m).row(m.Cb, c.y, 0); !slices.Equal(got, c.want) {
			t.Errorf("%v, row %d: %v, want %v", c.ratio, c.y, got, c.want)
		}
	}
}
