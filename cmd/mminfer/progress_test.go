package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// A bar is drawn on a terminal once its work has taken a while, and leaves nothing behind.
func TestBar(t *testing.T) {
	var b bytes.Buffer
	a := newApp(nil, nil, &b, nil)
	bar := a.bar("packing", 0, bytesText)
	bar.set(1, 4)
	bar.done()
	if b.Len() > 0 {
		t.Errorf("drawn on what is no terminal: %q", b.String())
	}
	a.status.visible = true
	bar = a.bar("packing", time.Hour, bytesText)
	bar.set(1, 4)
	bar.done()
	if b.Len() > 0 {
		t.Errorf("drawn at once: %q", b.String())
	}
	bar = a.bar("packing", 0, bytesText)
	bar.set(1_000_000, 4_000_000)
	bar.set(2_000_000, 4_000_000) // too early
	bar.done()
	bar.set(3_000_000, 4_000_000) // too late
	want := "\rpacking [======" + strings.Repeat(" ", 18) + "] 25 % of 4.00 MB\x1b[K\r\x1b[K"
	if b.String() != want {
		t.Errorf("found %q, expected %q", b.String(), want)
	}
}

func TestStyle(t *testing.T) {
	if s := style(true); s.red("x") != "\x1b[1;31mx\x1b[0m" || s.green("") != "" {
		t.Errorf("found %q", s.red("x"))
	}
	if s := newStyle(&bytes.Buffer{}, nil); s.bold("x") != "x" {
		t.Error("colours into a buffer")
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{grouped(0), "0"}, {grouped(999), "999"}, {grouped(1000), "1,000"}, {grouped(1234567), "1,234,567"},
		{bytesText(0), "0 B"}, {bytesText(999), "999 B"}, {bytesText(1000), "1.00 kB"}, {bytesText(12_088_288), "12.1 MB"},
		{bytesText(265_400), "265 kB"}, {bytesText(999_600), "1.00 MB"}, {bytesText(1_024_790_000), "1.02 GB"},
		{countText(6_044_144), "6.04 M"}, {countText(7), "7"}, {cacheText(32 << 10), "32 KiB"}, {cacheText(32 << 20), "32 MiB"}, {cacheText(-1), "unknown"},
	} {
		if c.got != c.want {
			t.Errorf("found %q, expected %q", c.got, c.want)
		}
	}
}
