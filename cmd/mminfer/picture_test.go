package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mminfer/mminfer"
	"github.com/mminfer/mminfer/demo"
	"github.com/mminfer/mminfer/internal/cputime"
)

// drawn are small pictures in the formats that the standard library writes.
func drawn(t *testing.T) (asPNG, asJPEG, asGIF []byte) {
	t.Helper()
	m := image.NewPaletted(image.Rect(0, 0, 40, 30), color.Palette{color.White, color.Black, color.RGBA{200, 30, 30, 255}})
	for i := range m.Pix {
		m.Pix[i] = uint8(i * i % 3)
	}
	var p, j, g bytes.Buffer
	for _, err := range []error{png.Encode(&p, m), jpeg.Encode(&j, m, nil), gif.Encode(&g, m, nil)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return p.Bytes(), j.Bytes(), g.Bytes()
}

// overwrite changes bytes of a copy.
func overwrite(data []byte, at int, b ...byte) []byte {
	data = slices.Clone(data)
	copy(data[at:], b)
	return data
}

// sized returns a PNG whose header claims another size.
func sized(data []byte, width, height uint32) []byte {
	data = slices.Clone(data)
	binary.BigEndian.PutUint32(data[16:], width)
	binary.BigEndian.PutUint32(data[20:], height)
	binary.BigEndian.PutUint32(data[29:], crc32.ChecksumIEEE(data[12:29]))
	return data
}

// bytesOf puts little-endian numbers of two and four bytes together.
func bytesOf(t *testing.T, parts ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, p := range parts {
		if s, ok := p.(string); ok {
			b.WriteString(s)
		} else if err := binary.Write(&b, binary.LittleEndian, p); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// badPictures are files that are no pictures, by name: damaged, cut short, or lying about their size.
func badPictures(t *testing.T) map[string][]byte {
	t.Helper()
	p, j, g := drawn(t)
	frame := bytes.Index(j, []byte("\xff\xc0"))
	bmp := func(width, height int32, bits uint16) []byte {
		return bytesOf(t, "BM", uint32(54+3600), uint32(0), uint32(54), uint32(40), width, height, uint16(1), bits, make([]byte, 24+3600))
	}
	tiff := bytesOf(t, "II*\x00", uint32(8), uint16(3), uint16(256), uint16(4), uint32(1), uint32(100_000), uint16(257), uint16(4), uint32(1), uint32(100_000),
		uint16(258), uint16(3), uint32(1), uint32(8), uint32(0))
	webp := bytesOf(t, "RIFF", uint32(30), "WEBPVP8 ", uint32(18), "\x30\x01\x00\x9d\x01\x2a", uint16(16383), uint16(16383), make([]byte, 8))
	return map[string][]byte{
		"empty.png":            {},
		"text.png":             []byte("What does it say?\n"),
		"pdf.png":              []byte("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj"),
		"svg.png":              []byte("<svg xmlns='http://www.w3.org/2000/svg'><rect width='1e9' height='1e9'/></svg>"),
		"zip.png":              []byte("PK\x03\x04\x14\x00\x00\x00"),
		"zeros.png":            make([]byte, 1<<20),
		"magic.png":            overwrite(p, 0, 0x88),
		"signature.png":        p[:8],
		"header.png":           p[:33],
		"cut.png":              p[:len(p)/2],
		"no_end.png":           p[:len(p)-16],
		"no_width.png":         sized(p, 0, 30),
		"no_height.png":        sized(p, 40, 0),
		"negative.png":         sized(p, 1<<31, 30),
		"hundred_thousand.png": sized(p, 100_000, 100_000),
		"wide.png":             sized(p, 1<<30, 1),
		"bomb.png":             sized(p, 8000, 8000),
		"checksum.png":         overwrite(p, 29, 0, 0, 0, 0),
		"zlib.png":             overwrite(p, bytes.Index(p, []byte("IDAT"))+4, 0xff, 0xff),
		"marker.jpg":           j[:2],
		"frame.jpg":            j[:frame+9],
		"scan.jpg":             j[:len(j)-100],
		"no_height.jpg":        overwrite(j, frame+5, 0, 0),
		"huge.jpg":             overwrite(j, frame+5, 0xff, 0xff, 0xff, 0xff),
		"bomb.jpg":             overwrite(j, frame+5, 0x1f, 0xff, 0x1f, 0xff),
		"twelve_bits.jpg":      overwrite(j, frame+4, 12),
		"header.gif":           g[:6],
		"cut.gif":              g[:len(g)-100],
		"no_width.gif":         overwrite(g, 6, 0, 0),
		"bomb.gif":             overwrite(g, 6, 0xff, 0x1f, 0xff, 0x1f),
		"hundred_thousand.bmp": bmp(100_000, 100_000, 24),
		"negative.bmp":         bmp(-40, 30, 24),
		"cut.bmp":              bmp(40, 30, 24)[:400],
		"bits.bmp":             bmp(40, 30, 7),
		"huge.tif":             tiff,
		"header.tif":           tiff[:8],
		"bomb.webp":            webp,
		"header.webp":          webp[:16],
	}
}

// Each bad picture is one error that names the file, found in little time and memory, before a model
// is loaded.
func TestBadPictures(t *testing.T) {
	dir := t.TempDir()
	bad := badPictures(t)
	if len(bad) < 30 {
		t.Fatalf("only %d bad pictures", len(bad))
	}
	for name, data := range bad {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, name)
			if err := os.WriteFile(file, data, 0o644); err != nil {
				t.Fatal(err)
			}
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			var before, later runtime.MemStats
			runtime.ReadMemStats(&before)
			begin := cputime.Thread()
			_, err := readPictures([]string{file})
			took := cputime.Thread() - begin
			runtime.ReadMemStats(&later)
			if limit := 50 * time.Millisecond; took > limit {
				t.Errorf("took %v, expected at most %v", took, limit)
			}
			if used := later.TotalAlloc - before.TotalAlloc; used > uint64(3*len(data)+16<<20) {
				t.Errorf("%d bytes of memory for a file of %d", used, len(data))
			}
			code, out, errs := cli(t, "", "generate", "--image", file, "-m", "no/such/model", "What does it say?")
			if err == nil || code != exitError || out != "" || errs != message(err)+"\n" {
				t.Fatalf("exit code %d, %s%s: expected %v", code, out, errs, err)
			}
			if !strings.HasPrefix(errs, "mminfer: "+file+": ") || strings.Count(errs, "\n") != 1 || strings.Contains(errs, "the decoder failed") {
				t.Errorf("found %q, expected one line that names the file", errs)
			}
		})
	}
}

// What a picture may not be is told with what to do.
func TestPictureNames(t *testing.T) {
	asPNG, _, _ := drawn(t)
	sign := filepath.Join(t.TempDir(), "sign.png")
	if err := os.WriteFile(sign, asPNG, 0o644); err != nil {
		t.Fatal(err)
	}
	story, _ := saved(t)
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{exitError, "https://example.org/a.png: pictures are not fetched", []string{"generate", "--image", "https://example.org/a.png", "What?"}},
		{exitError, "curl -o FILE", []string{"chat", "--image", "HTTP://example.org/a.png"}},
		{exitError, "file:///a.png: pictures are not fetched", []string{"embed", "--image", "file:///a.png"}},
		{exitError, "no such file", []string{"generate", "--image", filepath.Join(filepath.Dir(sign), "none.png"), "What?"}},
		{exitError, "it is a directory", []string{"generate", "--image", filepath.Dir(sign), "What?"}},
		{exitUsage, "empty name", []string{"generate", "--image", "", "What?"}},
		{exitError, "expected a data URI in base64, such as data:image/png;base64", []string{"generate", "--image", "data:image/png,abc", "What?"}},
		{exitError, "expected a data URI in base64, such as data:image/png;base64", []string{"generate", "--image", "data:nothing", "What?"}},
		{exitError, `its type is "text/plain"`, []string{"generate", "--image", "data:text/plain;base64,aGk=", "What?"}},
		{exitError, "illegal base64", []string{"generate", "--image", "data:image/png;base64,a~k=", "What?"}},
		{exitError, "not a PNG", []string{"generate", "--image", "data:image/png;base64," + strings.Repeat("aGk", 10_000), "What?"}},
		{exitError, "fable takes no pictures: it is of type mom", []string{"generate", "-m", "fable", "--image", sign, "What?"}},
		{exitError, "the built-in one: -m reader", []string{"chat", "-m", "fable", "--image", sign}},
		{exitError, "mom_fla takes no pictures", []string{"embed", "-m", "../../models/testdata/golden/mom_fla", "--image", sign}},
		{exitError, "another model", []string{"generate", "--load", story, "--image", sign, "What?"}},
		{exitUsage, "nothing to embed", []string{"embed"}},
		{exitUsage, "exclude each other", []string{"generate", "--image", sign, "-p", "What?", "What?"}},
	} {
		code, out, errs := cli(t, "", c.args...)
		if code != c.code || out != "" || !strings.Contains(errs, c.want) || len(errs) > 400 {
			t.Errorf("%.200q: exit code %d, %s%.500s; expected %q", c.args, code, out, errs, c.want)
		}
	}
	for _, name := range []string{
		"data:image/png;base64," + base64.StdEncoding.EncodeToString(asPNG), "DATA:;base64," + base64.RawURLEncoding.EncodeToString(asPNG), sign,
	} {
		if p, err := readPictures([]string{name}); err != nil || p[0].image.Width != 40 || p[0].image.Height != 30 {
			t.Errorf("%.40s: %v", name, err)
		}
	}
}

// readerPictures is where the pictures are whose answers are known.
const readerPictures = "../../demo/reader/pictures/"

// The built-in reader answers what it was recorded to, right or wrong.
func TestReader(t *testing.T) {
	data, err := os.ReadFile(readerPictures + "answers.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Prompts  map[string][]int32 `json:"prompt_ids"`
		Pictures []struct {
			File, Question, Truth, Answer string
			IDs                           []int32
		}
	}
	if err := json.Unmarshal(data, &want); err != nil || len(want.Pictures) != 12 {
		t.Fatal(err, len(want.Pictures))
	}
	wrong := 0
	for i, p := range want.Pictures {
		if testing.Short() && i%4 != 0 {
			continue
		}
		var g generated
		out := must(t, "", "generate", "--image", readerPictures+p.File, p.Question, "--json")
		if err := json.Unmarshal([]byte(out), &g); err != nil {
			t.Fatal(err)
		}
		if g.Model != "reader" || g.Text != p.Answer || !slices.Equal(g.IDs, p.IDs) || !slices.Equal(g.PromptIDs, want.Prompts[p.Question]) || g.Stop != "eos" {
			t.Errorf("%s: %s found %+v, expected %s, ids %v", p.File, p.Question, g, p.Answer, p.IDs)
		}
		if p.Answer != p.Truth {
			wrong++
		}
	}
	if wrong != 1 {
		t.Errorf("%d answers are wrong, expected 1", wrong)
	}
	if out := must(t, "", "generate", "--image", readerPictures+"word_river.png", "-p", "What does it say?"); out != "river\n" {
		t.Errorf("found %q", out)
	}
	if out := must(t, "Read the text.\n", "generate", "--image", readerPictures+"number_2026.png", "--samples", "2", "--temperature", "0.1", "--seed", "1"); out != "--- 1 of 2, seed 1\n2026\n--- 2 of 2, seed 2\n2026\n" {
		t.Errorf("found %q", out)
	}
}

// tokensRead returns the numbers of tokens that -v says were read for each reply.
func tokensRead(errs string) (list []string) {
	for _, m := range regexp.MustCompile(`prompt: (\d+) tokens`).FindAllStringSubmatch(errs, -1) {
		list = append(list, m[1])
	}
	return list
}

// A conversation about pictures reads in each turn only what is new, and so does one that was stored,
// without the pictures.
func TestPictureConversation(t *testing.T) {
	session := filepath.Join(t.TempDir(), "yesterday")
	lines := "/image " + readerPictures + "word_river.png\nWhat does it say?\nHow many circles?\n" +
		"/image " + readerPictures + "number_57.png\n/image " + readerPictures + "shapes_circles.png\nRead the text.\n/undo\nHow many squares?\n"
	code, out, errs := cli(t, lines, "chat", "-m", "reader", "-v", "--greedy", "--save", session)
	if code != exitOK || !strings.HasPrefix(out, "river\n") || strings.Count(out, "\n") != 4 {
		t.Fatalf("exit code %d: %q%s", code, out, errs)
	}
	// A turn is 3 tokens that begin a message, a question of 4 or 5, 1 that ends it and 3 that begin a
	// reply; the first has 5 more in front. A picture has 18 and a line end; "Image-1: ", where there
	// are two, has 9.
	turns := tokensRead(errs)
	if want := []string{"36", "11", "67", "11"}; !slices.Equal(turns, want) {
		t.Errorf("read %v tokens, expected %v", turns, want)
	}

	code, restored, errs := cli(t, "How many triangles?\n", "chat", "--load", session, "-v", "--greedy")
	if code != exitOK || !slices.Equal(tokensRead(errs), []string{"11"}) {
		t.Errorf("exit code %d, %q, %s: expected 11 tokens to be read", code, restored, errs)
	}
	_, unbroken, _ := cli(t, lines+"How many triangles?\n", "chat", "-m", "reader", "--greedy")
	if unbroken != out+restored {
		t.Errorf("stored and restored %q, in one go %q", out+restored, unbroken)
	}
}

// A question of generate becomes a conversation that goes on from its file.
func TestGenerateWithPictures(t *testing.T) {
	session := filepath.Join(t.TempDir(), "yesterday")
	first := must(t, "", "generate", "--image", readerPictures+"shapes_circles.png", "How many circles?", "--save", session)
	code, second, errs := cli(t, "", "generate", "--load", session, "How many triangles?", "-v", "--save", session)
	if code != exitOK || first != "4\n" || second == "" || !slices.Equal(tokensRead(errs), []string{"11"}) {
		t.Fatalf("exit code %d: %q, %q, %s", code, first, second, errs)
	}
	code, third, errs := cli(t, "", "generate", "--load", session, "--image", readerPictures+"word_river.png", "What does it say?", "-v")
	if code != exitOK || !slices.Equal(tokensRead(errs), []string{"31"}) {
		t.Errorf("exit code %d: %q, %s", code, third, errs)
	}
	pictures := must(t, "", "generate", "--image", readerPictures+"word_river.png", "--image", readerPictures+"number_57.png", "What does it say?", "--json")
	var g generated
	if err := json.Unmarshal([]byte(pictures), &g); err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, id := range g.PromptIDs {
		if id == 514 {
			rows++
		}
	}
	if rows != 32 || len(g.Pictures) != 2 {
		t.Errorf("%d rows of pictures %q, expected 32 of two", rows, g.Pictures)
	}
	messages, err := os.ReadFile(messagesFile(session))
	if err != nil || !bytes.Contains(messages, []byte(`"rows": 16`)) || bytes.Count(messages, []byte(`"role"`)) != 4 {
		t.Errorf("%s, %v", messages, err)
	}
}

func TestEmbed(t *testing.T) {
	vector := func(args ...string) []float32 {
		var e embedded
		if err := json.Unmarshal([]byte(must(t, "", append([]string{"embed"}, args...)...)), &e); err != nil {
			t.Fatal(err)
		}
		return e.Embedding
	}
	river, morning := readerPictures+"word_river.png", readerPictures+"word_morning.png"
	a, b, c := vector("--image", river), vector("--image", morning), vector("--image", river, "What does it say?")
	if len(a) != 128 || slices.Equal(a, b) || slices.Equal(a, c) {
		t.Errorf("%d numbers, or two vectors are the same", len(a))
	}
	line := strings.Split(strings.TrimSpace(must(t, "", "embed", "--image", river, "--csv")), ",")
	if len(line) != len(a) {
		t.Fatalf("%d numbers on a line, %d in JSON", len(line), len(a))
	}
	for i, word := range line {
		if x, err := strconv.ParseFloat(word, 32); err != nil || float32(x) != a[i] {
			t.Fatalf("number %d: %s on a line, %v in JSON", i, word, a[i])
		}
	}
	e, err := mminfer.OpenFS(demo.FS, demo.Reader)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	want, err := e.Embed(t.Context(), "How many circles?")
	if got := vector("-m", "reader", "How many circles?"); err != nil || !slices.Equal(got, want) {
		t.Errorf("the library says otherwise (%v)", err)
	}
}
