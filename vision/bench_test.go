package vision

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"testing"
)

// BenchmarkInput turns a picture of 800 x 600 pixels into 12 tiles of 448 pixels and a thumbnail: the
// whole way from a PNG or JPEG (4:2:0) file, and the steps after decoding.
func BenchmarkInput(b *testing.B) {
	var file []byte
	for _, c := range pictures(b).Cases {
		if c.File == "rgb_800x600.png" {
			file = c.Data
		}
	}
	m, err := Decode(file, Limits{})
	if err != nil {
		b.Fatal(err)
	}
	tiles, err := Tile(m, MMMamba())
	if err != nil {
		b.Fatal(err)
	}
	x := make([]float32, len(tiles.Pix))
	for _, c := range []struct {
		name string
		data []byte
	}{{"png", file}, {"jpeg", encodeJPEG(b, m)}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				m, err := Decode(c.data, Limits{})
				if err != nil {
					b.Fatal(err)
				}
				tiles, err := Tile(m, MMMamba())
				if err != nil {
					b.Fatal(err)
				}
				tiles.Normalize(x, ImageNet())
			}
		})
		b.Run(c.name+"/decode", func(b *testing.B) {
			for b.Loop() {
				if _, err := Decode(c.data, Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("tile", func(b *testing.B) {
		for b.Loop() {
			if _, err := Tile(m, MMMamba()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("normalize", func(b *testing.B) {
		for b.Loop() {
			tiles.Normalize(x, ImageNet())
		}
	})
}

func encodeJPEG(b *testing.B, m *Image) []byte {
	src := image.NewRGBA(image.Rect(0, 0, m.Width, m.Height))
	for y := range m.Height {
		for x, p := 0, m.row(y); x < m.Width; x++ {
			src.SetRGBA(x, y, color.RGBA{p[3*x], p[3*x+1], p[3*x+2], 255})
		}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, src, &jpeg.Options{Quality: 90}); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}
