package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/vision"
)

// picturesOf decodes files of a directory.
func picturesOf(t *testing.T, dir string, names ...string) (list []*vision.Image) {
	t.Helper()
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		m, err := vision.Decode(data, vision.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, m)
	}
	return list
}

// Pictures of -n are those of single runs, grids are made of them, and --redo draws any of them again, to
// the same file; a file that says another thing than it shows is found out.
func TestImage(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	out := must(t, "", "image", "--class", "animals", "-n", "2", "--seed", "5", "--steps", "3", "-o", in("a.png"))
	if out != in("a-1.png")+"  24x24, seed 5\n"+in("a-2.png")+"  24x24, seed 6\n" {
		t.Errorf("found %q", out)
	}
	must(t, "", "image", "--class", "3", "--seed", "6", "--steps", "3", "-t", "1", "-o", in("b.png"))
	must(t, "", "image", "--class", "animal,heart", "-n", "2", "--grid", "--columns", "2", "--scale", "2", "--seed", "5", "--steps", "3", "-o", in("grid.png"))
	m := picturesOf(t, dir, "a-1.png", "a-2.png", "b.png", "grid.png")
	if !samePixels(m[1], m[2]) {
		t.Error("the second picture of two is not that of its seed alone")
	}
	if g := m[3]; g.Width != 96 || g.Height != 48 || !bytes.Equal(g.Pix[:3], m[0].Pix[:3]) || !bytes.Equal(g.Pix[3*94:3*95], g.Pix[3*95:3*96]) {
		t.Errorf("a grid of %d x %d pixels", g.Width, g.Height)
	}
	for _, name := range []string{"a-2.png", "grid.png"} {
		if out := must(t, "", "image", "--redo", in(name), "-o", in("again.png")); !strings.Contains(out, "the same pixels") {
			t.Errorf("found %q", out)
		}
		a, _ := os.ReadFile(in(name))
		b, _ := os.ReadFile(in("again.png"))
		if !bytes.Equal(a, b) {
			t.Errorf("%s: drawn again, the file differs", name)
		}
	}
	params, _, err := readParams(in("b.png"))
	if err != nil || params.Seed != 6 || params.Class != "3" || params.Steps != 3 || params.Guidance != 2 || params.Quant != "auto" {
		t.Errorf("%+v, %v", params, err)
	}
	texts, err := params.texts()
	if err != nil {
		t.Fatal(err)
	}
	lying, err := encodePNG(m[0], texts)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in("lying.png"), lying, 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := cli(t, "", "image", "--redo", in("lying.png")); code != exitError || !strings.Contains(errs, "the picture differs") {
		t.Errorf("exit code %d, %s", code, errs)
	}
}

// A picture is changed, painted into, inverted and led back to; what it depends on is in the file, and
// another file in its place is found out.
func TestImageFromPicture(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	must(t, "", "image", "--class", "heart", "--seed", "3", "--steps", "6", "--scale", "2", "-o", in("heart.png"))
	must(t, "", "image", "--class", "heart", "--seed", "4", "--steps", "6", "--init", in("heart.png"), "--strength", "0.5", "-o", in("other.png"))
	mask := blank(24, 24)
	clear(mask.Pix[24*36:])
	file, err := encodePNG(mask, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in("mask.png"), file, 0o644); err != nil {
		t.Fatal(err)
	}
	must(t, "", "image", "--class", "clock", "--seed", "4", "--steps", "6", "--init", in("other.png"), "--mask", in("mask.png"), "-o", in("painted.png"))
	m := picturesOf(t, dir, "other.png", "painted.png")
	if half := len(m[0].Pix) / 2; !bytes.Equal(m[0].Pix[half:], m[1].Pix[half:]) || bytes.Equal(m[0].Pix[:half], m[1].Pix[:half]) {
		t.Error("painting changes what the mask keeps, or nothing")
	}
	must(t, "", "image", "--redo", in("painted.png"))
	must(t, "", "image", "--class", "heart", "--guidance", "1", "--init", in("other.png"), "--steps", "12", "--invert", "--latent-out", in("z.safetensors"))
	must(t, "", "image", "--class", "heart", "--guidance", "1", "--latents", in("z.safetensors"), "--steps", "12", "--solver", "dpmpp-2m", "--spacing", "logsnr", "-o", in("back.png"))
	must(t, "", "image", "--redo", in("back.png"))
	if back := picturesOf(t, dir, "back.png")[0]; !(decibels(t, psnr(m[0], back)) > 15) {
		t.Errorf("the way back ends %s away", psnr(m[0], back))
	}
	must(t, "", "image", "--class", "sky", "--seed", "4", "--steps", "2", "-o", in("other.png"))
	if code, _, errs := cli(t, "", "image", "--redo", in("painted.png")); code != exitError || !strings.Contains(errs, "not the file that the picture was drawn with") {
		t.Errorf("exit code %d, %s", code, errs)
	}
}

func decibels(t *testing.T, text string) float64 {
	t.Helper()
	x, err := strconv.ParseFloat(strings.TrimSuffix(text, " dB"), 64)
	if err != nil {
		t.Fatal(text)
	}
	return x
}

// --compare tells a distance for lossy weights, and no more than rounding for those that keep every value; --sweep writes a picture and a
// table whose distances fall.
func TestImageMeasures(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	base := []string{"image", "--class", "heart", "--seed", "3", "--steps", "3", "--compare", "-o", in("c.png"), "--quant"}
	if out := must(t, "", append(base, "f16")...); !regexp.MustCompile(`f16 against f32: error (0|\S+e-0[678]), at most \S+ of 2; PSNR infinite, the same pixels`).MatchString(out) {
		t.Errorf("found %q", out)
	}
	if out := must(t, "", append(base, "q8")...); !regexp.MustCompile(`seed 3: q8 against f32: error 0\.0\d+, at most \d\.\d+ of 2; PSNR \d\d\.\d dB`).MatchString(out) {
		t.Errorf("found %q", out)
	}
	out := must(t, "", "image", "--class", "heart", "--seed", "3", "--sweep", "--sweep-solvers", "ddim,dpmpp-2m", "--sweep-steps", "4,12", "--sweep-reference", "60", "-o", in("s.png"))
	if !strings.Contains(out, "rmse to ddim 60  4 ") || !strings.Contains(out, "s.csv") {
		t.Errorf("found %q", out)
	}
	f, err := os.Open(in("s.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) != 5 || !slices.Equal(rows[0], []string{"solver", "steps", "calls", "rmse"}) {
		t.Fatalf("%v, %v", rows, err)
	}
	d := map[string]float64{}
	for _, row := range rows[1:] {
		if row[1] != row[2] {
			t.Errorf("%s calls for %s steps", row[2], row[1])
		}
		if d[row[0]+row[1]], err = strconv.ParseFloat(row[3], 64); err != nil {
			t.Error(err)
		}
	}
	if !(d["ddim12"] < d["ddim4"] && d["dpmpp-2m12"] < d["ddim12"]) {
		t.Errorf("distances %v", d)
	}
	m := picturesOf(t, dir, "s.png")[0]
	if m.Width < 3*24 || m.Height < 2*24 || !slices.Contains(m.Pix, 0) {
		t.Errorf("a picture of %d x %d pixels without labels", m.Width, m.Height)
	}
}

// Previews reach a terminal in its own form, and a file.
func TestImagePreview(t *testing.T) {
	file := filepath.Join(t.TempDir(), "p.png")
	for how, want := range map[string]string{showKitty: "\x1b_Ga=T,f=100,", showITerm: "\x1b]1337;File=inline=1;", showSixel: "\x1bPq\"1;1;"} {
		code, _, errs := cli(t, "", "image", "--class", "heart", "--steps", "2", "--preview", how, "--preview-file", file, "-o", filepath.Join(t.TempDir(), "o.png"))
		if code != exitOK || strings.Count(errs, want) < 2 {
			t.Errorf("%s: exit code %d, %d pictures", how, code, strings.Count(errs, want))
		}
	}
	if m := picturesOf(t, filepath.Dir(file), "p.png")[0]; m.Width != 24 {
		t.Errorf("a preview of %d pixels", m.Width)
	}
	for env, want := range map[string]string{
		"TERM=xterm-kitty": showKitty, "TERM=xterm-256color": showNone, "TERM=foot": showSixel, "TERM=screen": showNone,
		"TERM=xterm TERM_PROGRAM=iTerm.app": showITerm, "TERM=xterm TERM_PROGRAM=WezTerm": showITerm, "TERM=xterm-ghostty": showKitty,
		"TERM=xterm-kitty TMUX=/tmp/x": showNone, "TERM=xterm-sixel": showSixel, "": showNone, "TERM=dumb KITTY_WINDOW_ID=1": showNone,
	} {
		vars := map[string]string{}
		for word := range strings.FieldsSeq(env) {
			name, value, _ := strings.Cut(word, "=")
			vars[name] = value
		}
		if got := detectShow(vars); got != want {
			t.Errorf("%s: %s, want %s", env, got, want)
		}
	}
}

// The three forms carry the picture whole.
func TestTerminalPictures(t *testing.T) {
	m, random := blank(50, 50), rand.New(rand.NewPCG(1, 2))
	for i := range m.Pix {
		m.Pix[i] = uint8(random.Uint32())
	}
	file, err := encodePNG(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	var text string
	for _, part := range strings.Split(strings.TrimSuffix(kittyPicture(file), "\x1b\\"), "\x1b\\") {
		control, body, found := strings.Cut(part, ";")
		if !found || !strings.HasPrefix(control, "\x1b_G") || len(body) > 4096 || len(body)%4 != 0 {
			t.Fatalf("a piece of %d letters after %q", len(body), control)
		}
		text += body
	}
	if got, err := base64.StdEncoding.DecodeString(text); err != nil || !bytes.Equal(got, file) || len(text) <= 4096 {
		t.Errorf("kitty: %d letters, %v", len(text), err)
	}
	_, text, _ = strings.Cut(itermPicture(file), ":")
	if got, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(text, "\a")); err != nil || !bytes.Equal(got, file) {
		t.Errorf("iTerm2: %v", err)
	}
	for i, c := range readSixel(t, sixelPicture(m), 50, 50) {
		for k := range 3 {
			if d := c[k]*255/100 - int(m.Pix[3*i+k]); d > 27 || d < -27 { // half of a step of 51, and rounding
				t.Fatalf("sixel: pixel %d is %v, want %v", i, c, m.Pix[3*i:3*i+3])
			}
		}
	}
}

// readSixel decodes a picture in percents.
func readSixel(t *testing.T, text string, width, height int) [][3]int {
	t.Helper()
	body, ok := strings.CutPrefix(text, fmt.Sprintf("\x1bPq\"1;1;%d;%d", width, height))
	if !ok || !strings.HasSuffix(body, "\x1b\\") {
		t.Fatal("not a sixel picture")
	}
	pixels, palette := make([][3]int, width*height), map[int][3]int{}
	x, y, colour := 0, 0, 0
	for _, token := range regexp.MustCompile(`#\d+(;2;\d+;\d+;\d+)?|!\d+.|.`).FindAllString(strings.TrimSuffix(body, "\x1b\\"), -1) {
		count := 1
		switch token[0] {
		case '#':
			var r, g, b int
			n, _ := fmt.Sscanf(token, "#%d;2;%d;%d;%d", &colour, &r, &g, &b)
			if n == 4 {
				palette[colour] = [3]int{r, g, b}
			}
			continue
		case '$':
			x = 0
			continue
		case '-':
			x, y = 0, y+6
			continue
		case '!':
			count, _ = strconv.Atoi(token[1 : len(token)-1])
			token = token[len(token)-1:]
		}
		for range count {
			for k := range 6 {
				if (token[0]-'?')>>k&1 == 1 {
					pixels[(y+k)*width+x] = palette[colour]
				}
			}
			x++
		}
	}
	return pixels
}

// An interruption ends a drawing and leaves no file behind.
func TestImageInterrupted(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := &watcher{cancel: cancel}
	code := run(ctx, []string{"image", "--class", "heart", "--solver", "ddim", "--steps", "1000", "--preview", "kitty", "-o", filepath.Join(dir, "o.png")}, strings.NewReader(""), io.Discard, seen, nil)
	if files, err := os.ReadDir(dir); code != exitInterrupted || err != nil || len(files) > 0 || !seen.drawn {
		t.Errorf("exit code %d, %d files, %v", code, len(files), err)
	}
}

// watcher cancels at the first picture that is shown.
type watcher struct {
	cancel context.CancelFunc
	drawn  bool
}

func (w *watcher) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("\x1b_G")) {
		w.drawn = true
		w.cancel()
	}
	return len(p), nil
}
