package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"strings"

	"github.com/mminfer/mminfer/vision"
)

// The ways in which terminals show pictures.
const (
	showNone  = "off"
	showKitty = "kitty"
	showITerm = "iterm2"
	showSixel = "sixel"
)

// detectShow finds from the environment how a terminal shows pictures. Inside a multiplexer, which does
// not pass them on, it does not.
func detectShow(env map[string]string) string {
	term, program := env["TERM"], env["TERM_PROGRAM"]
	switch {
	case env["TMUX"] != "" || env["STY"] != "" || strings.HasPrefix(term, "screen") || strings.HasPrefix(term, "tmux") || term == "dumb":
		return showNone
	case env["KITTY_WINDOW_ID"] != "" || strings.Contains(term, "kitty") || program == "ghostty" || strings.Contains(term, "ghostty"):
		return showKitty
	case program == "iTerm.app" || env["LC_TERMINAL"] == "iTerm2" || program == "WezTerm" || program == "mintty":
		return showITerm
	case strings.Contains(term, "sixel") || strings.HasPrefix(term, "foot") || strings.HasPrefix(term, "mlterm") || strings.HasPrefix(term, "contour"):
		return showSixel
	}
	return showNone
}

// previewRows is how many lines of the terminal a picture takes, and previewPixels their height in
// pixels, if a line has 16.
const (
	previewRows   = 12
	previewPixels = 16 * previewRows
)

// preview shows one picture after another at one place of a terminal.
type preview struct {
	to     io.Writer
	how    string
	opened bool
}

// show replaces the picture. The cursor stays on the line below it.
func (p *preview) show(m *vision.Image) error {
	if p.how == showNone {
		return nil
	}
	m = enlarge(m, max(1, previewPixels/max(m.Width, m.Height)))
	if m.Height > previewPixels || m.Width > 4*previewPixels {
		f := min(float64(previewPixels)/float64(m.Height), float64(4*previewPixels)/float64(m.Width))
		var err error
		if m, err = m.Resize(max(1, int(float64(m.Width)*f)), max(1, int(float64(m.Height)*f))); err != nil {
			return err
		}
	}
	var body string
	switch p.how {
	case showKitty, showITerm:
		file, err := encodePNG(m, nil)
		if err != nil {
			return err
		}
		if body = itermPicture(file); p.how == showKitty {
			body = kittyPicture(file)
		}
	case showSixel:
		body = sixelPicture(m)
	}
	var b strings.Builder
	if !p.opened {
		b.WriteString("\r" + strings.Repeat("\n", previewRows))
		p.opened = true
	}
	fmt.Fprintf(&b, "\x1b7\x1b[%dA\r%s\x1b8", previewRows, body)
	_, err := io.WriteString(p.to, b.String())
	return err
}

// kittyPicture transmits and shows a PNG file, in pieces of 4096 letters, as picture 1, which it replaces
// (sw.kovidgoyal.net/kitty/graphics-protocol).
func kittyPicture(file []byte) string {
	const piece = 4096
	text := base64.StdEncoding.EncodeToString(file)
	var b strings.Builder
	for first := true; first || text != ""; first = false {
		n := min(piece, len(text))
		more := 0
		if n < len(text) {
			more = 1
		}
		control := fmt.Sprintf("m=%d,q=2", more)
		if first {
			control = fmt.Sprintf("a=T,f=100,i=1,p=1,C=1,q=2,r=%d,m=%d", previewRows, more)
		}
		fmt.Fprintf(&b, "\x1b_G%s;%s\x1b\\", control, text[:n])
		text = text[n:]
	}
	return b.String()
}

// itermPicture shows a PNG file (iterm2.com/documentation-images.html).
func itermPicture(file []byte) string {
	return fmt.Sprintf("\x1b]1337;File=inline=1;size=%d;height=%d;preserveAspectRatio=1:%s\a", len(file), previewRows, base64.StdEncoding.EncodeToString(file))
}

// sixelPicture writes a picture in 216 colours, six lines at a time (DEC STD 070, chapter 9).
func sixelPicture(m *vision.Image) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\x1bPq\"1;1;%d;%d", m.Width, m.Height)
	for c := range 216 {
		fmt.Fprintf(&b, "#%d;2;%d;%d;%d", c, c/36*20, c/6%6*20, c%6*20)
	}
	colour := make([]int, m.Width*m.Height)
	for i := range colour {
		p := m.Pix[3*i:]
		level := func(v uint8) int { return (int(v)*5 + 127) / 255 }
		colour[i] = level(p[0])*36 + level(p[1])*6 + level(p[2])
	}
	for y := 0; y < m.Height; y += 6 {
		band := colour[y*m.Width : min(y+6, m.Height)*m.Width]
		var used [216]bool
		for _, c := range band {
			used[c] = true
		}
		for c, is := range used {
			if is {
				fmt.Fprintf(&b, "#%d", c)
				sixelLine(&b, band, m.Width, c)
				b.WriteByte('$')
			}
		}
		b.WriteByte('-')
	}
	return b.String() + "\x1b\\"
}

// sixelLine writes where one colour is in up to six lines.
func sixelLine(b *strings.Builder, band []int, width, colour int) {
	last, count := byte(0), 0
	flush := func() {
		if count > 3 {
			fmt.Fprintf(b, "!%d%c", count, last)
		} else {
			b.WriteString(strings.Repeat(string(last), count))
		}
	}
	for x := range width {
		bits := byte(0)
		for k := 0; k*width+x < len(band); k++ {
			if band[k*width+x] == colour {
				bits |= 1 << k
			}
		}
		if letter := '?' + bits; letter != last || count == 0 {
			flush()
			last, count = letter, 0
		}
		count++
	}
	flush()
}
