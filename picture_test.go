package mminfer_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mminfer/mminfer"
	"github.com/mminfer/mminfer/demo"
	"github.com/mminfer/mminfer/vision"
)

const pictures = "demo/reader/pictures/"

// reader returns an engine of the demo model that looks at pictures.
func reader(t testing.TB, opts ...mminfer.Option) *mminfer.Engine {
	t.Helper()
	e, err := mminfer.OpenFS(demo.FS, demo.Reader, append([]mminfer.Option{mminfer.WithThreads(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// look reads a test picture.
func look(t testing.TB, e *mminfer.Engine, name string) *mminfer.Picture {
	t.Helper()
	data, err := os.ReadFile(pictures + name)
	if err != nil {
		t.Fatal(err)
	}
	p, err := e.Picture(data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ask has the model reply to a question and returns the text.
func ask(t testing.TB, c *mminfer.Chat, question string, pictures ...*mminfer.Picture) string {
	t.Helper()
	var text strings.Builder
	for tok, err := range c.Say(t.Context(), question, mminfer.GenerateOptions{MaxTokens: 24}, pictures...) {
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString(tok.Text)
	}
	return text.String()
}

func newChat(t testing.TB, s *mminfer.Session, messages ...mminfer.Message) *mminfer.Chat {
	t.Helper()
	c, err := s.Chat(mminfer.Conversation{Messages: messages})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestReader asks the demo model about its test pictures: the tokens are those of its own float64
// reference.
func TestReader(t *testing.T) {
	e := reader(t)
	data, err := os.ReadFile(pictures + "answers.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Prompts  map[string][]int32 `json:"prompt_ids"`
		Pictures []struct {
			File, Question, Answer string
			IDs                    []int32
		}
	}
	if err := json.Unmarshal(data, &want); err != nil || len(want.Pictures) != 12 {
		t.Fatal(err, len(want.Pictures))
	}
	for _, x := range want.Pictures {
		p := look(t, e, x.File)
		s := e.NewSession()
		text := ask(t, newChat(t, s), x.Question, p)
		if prompt := want.Prompts[x.Question]; !slices.Equal(s.Tokens(), append(slices.Clone(prompt), x.IDs...)) {
			t.Errorf("%s: found %v, want %v after %v", x.File, s.Tokens(), x.IDs, prompt)
		}
		if text != x.Answer {
			t.Errorf("%s: %q, want %q", x.File, text, x.Answer)
		}
		if info := p.Info(); info.Tiles != 1 || info.Tokens != 16 || info.Width < 112 {
			t.Errorf("%s: %+v", x.File, info)
		}
	}
}

// A picture is read once: later turns, and those of a session that was stored, feed only what is new,
// and say what a session that was not stored says.
func TestPictureReadOnce(t *testing.T) {
	e := reader(t)
	s := e.NewSession()
	c := newChat(t, s)
	if got := ask(t, c, "What colour is the circle?", look(t, e, "colour_circle.png")); got != "red" {
		t.Fatalf("%q, want red", got)
	}
	messages, err := json.Marshal(c.Messages())
	if err != nil {
		t.Fatal(err)
	}
	file := saved(t, s)
	before := s.Len()
	second := ask(t, c, "How many circles?")
	if c.Fed() >= 16 || s.Len() <= before {
		t.Errorf("%d tokens fed for a question without a picture, after %d", c.Fed(), before)
	}
	third := ask(t, c, "What does it say?", look(t, e, "word_river.png"))
	if n := len(s.Pictures()); n != 2 {
		t.Errorf("%d pictures, want 2", n)
	}

	loaded, err := e.Load(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var known []mminfer.Message
	if err := json.Unmarshal(messages, &known); err != nil {
		t.Fatal(err)
	}
	later := newChat(t, loaded, known...)
	if got := ask(t, later, "How many circles?"); got != second || later.Fed() >= 16 {
		t.Errorf("after a restore %q, %d tokens fed; before %q", got, later.Fed(), second)
	}
	if got := ask(t, later, "What does it say?", look(t, e, "word_river.png")); got != third {
		t.Errorf("after a restore %q, before %q", got, third)
	}
	if !slices.Equal(loaded.Tokens(), s.Tokens()) || !bytes.Equal(saved(t, loaded), saved(t, s)) {
		t.Error("the timelines differ")
	}
}

// Where a stored conversation would have to be read anew its pictures are missing: one error, and
// the session stays as it was. With the picture it is read anew.
func TestPictureGone(t *testing.T) {
	e := reader(t)
	circle := look(t, e, "colour_circle.png")
	s := e.NewSession()
	c := newChat(t, s)
	ask(t, c, "What colour is the circle?", circle)
	loaded, err := e.Load(bytes.NewReader(saved(t, s)))
	if err != nil {
		t.Fatal(err)
	}
	stub := loaded.Pictures()[0]
	if stub.Info() != circle.Info() {
		t.Errorf("%+v was stored as %+v", circle.Info(), stub.Info())
	}
	changed := func(p *mminfer.Picture) []mminfer.Message {
		return []mminfer.Message{{Role: "system", Content: "Be brief."}, {Role: "user", Content: "What colour is the circle?", Pictures: []*mminfer.Picture{p}}}
	}
	before := slices.Clone(loaded.Tokens())
	if _, _, err := newChat(t, loaded, changed(stub)...).Prompt(); !errors.Is(err, mminfer.ErrPictureGone) || !strings.Contains(err.Error(), "picture 1 of the conversation") {
		t.Errorf("error %v, want ErrPictureGone", err)
	}
	if !slices.Equal(loaded.Tokens(), before) {
		t.Error("the session changed")
	}
	if err := loaded.FeedPicture(t.Context(), stub); !errors.Is(err, mminfer.ErrPictureGone) || !slices.Equal(loaded.Tokens(), before) {
		t.Errorf("error %v, want ErrPictureGone", err)
	}
	// Another picture in the same place is another conversation, although its text is the same.
	other := slices.Clone(c.Messages())
	other[0].Pictures = []*mminfer.Picture{look(t, e, "colour_square_224.png")}
	again := newChat(t, loaded, other...)
	if ids, list, err := again.Prompt(); err != nil || len(list) != 1 || list[0] != other[0].Pictures[0] || len(ids) < len(before) {
		t.Errorf("%d tokens and %d pictures to feed, %v; all were expected", len(ids), len(list), err)
	}
	if len(loaded.Pictures()) != 0 {
		t.Error("the session still holds what it saw")
	}
}

// However a prompt with pictures is cut, forked, stored and rewound, the bits are the same.
func TestPictureBits(t *testing.T) {
	e, three := reader(t), reader(t, mminfer.WithThreads(3))
	conversation := func(e *mminfer.Engine) (ids []int32, list []*mminfer.Picture) {
		c := mminfer.Conversation{AddGenerationPrompt: true, Messages: []mminfer.Message{
			{Role: "user", Content: "What does it say?", Pictures: []*mminfer.Picture{look(t, e, "word_river.png"), look(t, e, "number_57.png")}},
		}}
		ids, err := e.EncodeChat(c)
		if err != nil {
			t.Fatal(err)
		}
		return ids, c.Pictures()
	}
	whole := e.NewSession()
	ids, list := conversation(e)
	if err := whole.Feed(t.Context(), ids, list...); err != nil {
		t.Fatal(err)
	}
	want := saved(t, whole)
	empty := e.NewSession()
	mark, fork := empty.Mark(), whole.Fork()
	if err := errors.Join(fork.Rewind(mark), empty.Rewind(whole.Mark())); err != nil {
		t.Fatal(err)
	}
	if len(fork.Pictures()) != 0 || !bytes.Equal(saved(t, fork), saved(t, e.NewSession())) || !bytes.Equal(saved(t, empty), want) {
		t.Error("marks do not hold the pictures of their points")
	}
	if err := three.NewSession().Feed(t.Context(), ids, list...); err == nil || !strings.Contains(err.Error(), "picture 1 belongs to another engine") {
		t.Errorf("a picture of another engine: %v", err)
	}
	ids, list = conversation(three)
	s := three.NewSession()
	if err := s.Feed(t.Context(), ids, list...); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(saved(t, s), want) {
		t.Error("three threads give other bits")
	}
	s = three.NewSession()
	if err := s.Append(ids, list...); err != nil {
		t.Fatal(err)
	}
	for left := 1; left > 0; {
		var err error
		mark := s.Mark()
		if left, err = s.Absorb(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
		if err := s.Rewind(mark); err != nil {
			t.Fatal(err)
		}
		if s, err = three.Load(bytes.NewReader(saved(t, s.Fork()))); err != nil {
			t.Fatal(err)
		}
		if left, err = s.Absorb(t.Context(), 1+left%4); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(saved(t, s), want) {
		t.Error("pieces give other bits")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s = e.NewSession()
	ids, list = conversation(e)
	if err := s.Feed(ctx, ids, list...); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	both := []mminfer.Continuation{{Session: s, Options: e.Defaults()}, {Session: whole, Options: e.Defaults()}}
	for _, err := range e.Together(t.Context(), both) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(s.Tokens(), whole.Tokens()) || !bytes.Equal(saved(t, s), saved(t, whole)) {
		t.Error("together, other bits")
	}
}

// TestPictureDamaged damages a session that was stored within a picture.
func TestPictureDamaged(t *testing.T) {
	e := openGolden(t, "models/testdata/golden/mmmamba_linear")
	p, err := e.PictureOf(&vision.Tiles{N: 1, Size: 28, Columns: 1, Rows: 1, Pix: make([]byte, 3*28*28)})
	if err != nil {
		t.Fatal(err)
	}
	s := e.NewSession()
	if err := s.Append([]int32{1, 122, 122, 122, 122, 7}, p); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Absorb(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	data := saved(t, s)
	loaded, err := e.Load(bytes.NewReader(data))
	if err != nil || !bytes.Equal(saved(t, loaded), data) {
		t.Fatalf("%v", err)
	}
	for n := 0; n < len(data); n += 1 + n/2000*7 {
		if _, err := e.Load(bytes.NewReader(data[:n])); !errors.Is(err, mminfer.ErrCorrupt) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
	const numbers = 8 + 32 + 12 + 20 + 4*6 // after magic, fingerprint, sizes, generator and ids
	for i, bad := range []uint32{0, 1 << 31, 2, 5} {
		for _, at := range []int{0, 6, 7} { // begin, tokens, first row
			if _, err := e.Load(bytes.NewReader(sealed(data, numbers+4*at, bad))); at == 7 && bad == 2 {
				if err != nil {
					t.Error(err)
				}
			} else if !errors.Is(err, mminfer.ErrCorrupt) {
				t.Errorf("number %d set to %d (%d): %v", at, bad, i, err)
			}
		}
	}
	if _, err := e.Load(bytes.NewReader(sealed(data, numbers+32+32, 0x7fc00000))); !errors.Is(err, mminfer.ErrCorrupt) || !strings.Contains(err.Error(), "number 0 of picture 1 is NaN") {
		t.Errorf("a row that is no number: %v", err)
	}
	if _, err := e.Load(bytes.NewReader(sealed(data, numbers-4*4, 3))); !errors.Is(err, mminfer.ErrCorrupt) || !strings.Contains(err.Error(), "stands at a token that is 3") {
		t.Errorf("a picture at another token: %v", err)
	}
	two := e.NewSession()
	if err := two.Feed(t.Context(), []int32{122, 122, 122, 122, 122, 122, 122, 122, 7}, p, p); err != nil {
		t.Fatal(err)
	}
	const second = 8 + 32 + 12 + 20 + 4*9 + 32 + 32 // of two pictures without rows
	for at, ok := range map[uint32]bool{4: true, 3: false, 0: false, 5: false} {
		if _, err := e.Load(bytes.NewReader(sealed(saved(t, two), second, at))); (err == nil) != ok || err != nil && !errors.Is(err, mminfer.ErrCorrupt) {
			t.Errorf("the second picture at %d: %v", at, err)
		}
	}
}

// TestPicturePlaces: pictures take all places, side by side, in order.
func TestPicturePlaces(t *testing.T) {
	e := openGolden(t, "models/testdata/golden/mmmamba_linear")
	tile := make([]byte, 3*28*28)
	p, err := e.PictureOf(&vision.Tiles{N: 1, Size: 28, Pix: tile})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		ids  []int32
		list []*mminfer.Picture
		want string
	}{
		{[]int32{122, 122, 122, 122}, []*mminfer.Picture{p}, ""},
		{[]int32{122, 122, 122, 122, 122, 122, 122, 122}, []*mminfer.Picture{p, p}, ""},
		{[]int32{5, 122, 6}, nil, ""},
		{[]int32{122, 122, 122}, []*mminfer.Picture{p}, "picture 1: found 3 places side by side, expected 4 of token 122"},
		{[]int32{122, 122, 5, 122, 122}, []*mminfer.Picture{p}, "picture 1: found 2 places side by side"},
		{[]int32{122, 122, 122, 122}, []*mminfer.Picture{p, p}, "picture 2: found 0 places side by side"},
		{[]int32{122, 122, 122, 122, 5, 122}, []*mminfer.Picture{p}, "found 1 places after those of the 1 pictures"},
		{[]int32{122, 122, 122, 122}, []*mminfer.Picture{nil}, "picture 1: mminfer: the picture itself is needed"},
		{[]int32{200}, []*mminfer.Picture{p}, "token 0 is 200"},
	} {
		s := e.NewSession()
		err := s.Append(c.ids, c.list...)
		if c.want == "" && (err != nil || s.Len() != len(c.ids) || len(s.Pictures()) != len(c.list)) {
			t.Errorf("%v: %v", c.ids, err)
		}
		if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || s.Len() != 0) {
			t.Errorf("%v: %v, want %q", c.ids, err, c.want)
		}
	}
	for _, bad := range []*vision.Tiles{{N: 0, Size: 28}, {N: 2, Size: 28, Pix: tile}, {N: 1, Size: 21, Pix: tile}} {
		if _, err := e.PictureOf(bad); err == nil {
			t.Errorf("%d tiles of %d pixels were accepted", bad.N, bad.Size)
		}
	}
	if _, err := e.Picture([]byte("no picture")); err == nil {
		t.Error("a text was accepted as a picture")
	}
	text := fable(t)
	_, errPicture := text.Picture(nil)
	_, errOptions := text.PictureOptions()
	if !errors.Is(errPicture, mminfer.ErrNoPictures) || !errors.Is(errOptions, mminfer.ErrNoPictures) || !errors.Is(text.NewSession().Append([]int32{1}, p), mminfer.ErrNoPictures) {
		t.Errorf("%v, %v, expected ErrNoPictures", errPicture, errOptions)
	}
}

// The embedding of a picture is the hidden state after it; it is not that of another picture.
func TestEmbedPicture(t *testing.T) {
	e := reader(t)
	river, again, window := look(t, e, "word_river.png"), look(t, e, "word_river.png"), look(t, e, "word_window_wide.png")
	embed := func(text string, list ...*mminfer.Picture) []float32 {
		t.Helper()
		h, err := e.Embed(t.Context(), text, list...)
		if err != nil || len(h) != 128 {
			t.Fatal(err, len(h))
		}
		return h
	}
	a := embed("", river)
	if !slices.Equal(a, embed("", again)) || slices.Equal(a, embed("", window)) || slices.Equal(a, embed("What", river)) || slices.Equal(a, embed("")) {
		t.Error("the embedding does not tell pictures from each other")
	}
	s := e.NewSession()
	if err := errors.Join(s.FeedText(t.Context(), ""), s.FeedPicture(t.Context(), river)); err != nil {
		t.Fatal(err)
	}
	if ids := s.Tokens(); len(ids) != 19 || ids[0] != 1 || ids[1] != 512 || ids[2] != 514 || ids[18] != 513 {
		t.Errorf("tokens %v", ids)
	}
}

// edit returns the demo model with a file replaced, or removed if it is empty.
func edit(t testing.TB, name, content string) (*mminfer.Engine, error) {
	t.Helper()
	files := fstest.MapFS{}
	err := fs.WalkDir(demo.FS, demo.Reader, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			data, err := demo.FS.ReadFile(path)
			files[path] = &fstest.MapFile{Data: data}
			return err
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	delete(files, demo.Reader+"/"+name)
	if content != "" {
		files[demo.Reader+"/"+name] = &fstest.MapFile{Data: []byte(content)}
	}
	return mminfer.OpenFS(files, demo.Reader, mminfer.WithThreads(1))
}

// The rules are those of the released code: greedy unless top_k is given, the order of mamba_ssm, and
// an end of turn that stops, which an end of text does not.
func TestReleasedRules(t *testing.T) {
	for _, c := range []struct {
		config string
		want   mminfer.Sampling
	}{
		{"", mminfer.Sampling{}},
		{`{"do_sample": true, "temperature": 0.7}`, mminfer.Sampling{}},
		{`{"do_sample": true, "top_k": 5}`, mminfer.Sampling{Temperature: 1, TopK: 5}},
		{`{"do_sample": true, "top_k": 0, "top_p": 0.5}`, mminfer.Sampling{Temperature: 1, TopP: 0.5}},
	} {
		e, err := edit(t, "generation_config.json", c.config)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		got := e.Defaults().Sampling
		if got.Order != mminfer.OrderMamba || got.Temperature != c.want.Temperature || got.TopK != c.want.TopK || got.TopP != c.want.TopP {
			t.Errorf("%s: %+v", c.config, got)
		}
		for id, ends := range map[int32]bool{2: false, 510: true} {
			s := e.NewSession()
			if err := s.FeedText(t.Context(), ""); err != nil {
				t.Fatal(err)
			}
			tokens := collect(t, s.Continue(t.Context(), mminfer.GenerateOptions{MaxTokens: 1, Sampling: mminfer.Sampling{LogitBias: map[int32]float64{id: 1e6}}}))
			if (tokens[0].Stop == mminfer.StopEOS) != ends {
				t.Errorf("%s: token %d stops with %q", c.config, id, tokens[0].Stop)
			}
		}
	}
}

// The template that config.json names comes before the tokenizer's, which the model's own code does
// not use.
func TestTemplateOfConfig(t *testing.T) {
	c := mminfer.Conversation{Messages: []mminfer.Message{{Role: "user", Content: "Hi"}}, AddGenerationPrompt: true}
	want, err := reader(t).EncodeChat(c)
	if err != nil {
		t.Fatal(err)
	}
	e, err := edit(t, "chat_template.jinja", "{{ messages[0].content }}")
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if got, err := e.EncodeChat(c); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}

// Pixels are normalised as preprocessor_config.json says.
func TestNormalization(t *testing.T) {
	open := func(config string) (*mminfer.Engine, error) { return edit(t, "preprocessor_config.json", config) }
	own := reader(t)
	want, err := own.Embed(t.Context(), "", look(t, own, "word_river.png"))
	if err != nil {
		t.Fatal(err)
	}
	for config, same := range map[string]bool{"": true, `{"image_mean": null}`: true, `{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}`: false} {
		e, err := open(config)
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.Embed(t.Context(), "", look(t, e, "word_river.png"))
		if err := errors.Join(err, e.Close()); err != nil || slices.Equal(got, want) != same {
			t.Errorf("%s: the same as with the model's own: %v, %v", config, !same, err)
		}
	}
	for config, want := range map[string]string{
		`{"image_mean": [0.5]}`: "image_mean: found 1 numbers, expected 3", `{"image_std": [1, 0, 1]}`: "image_std: found 0,", `[]`: "preprocessor_config.json: json",
		`{"image_mean": [0, 1e9, 0]}`: "image_mean: found 1e+09",
	} {
		if _, err := open(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", config, err, want)
		}
	}
}

// sealed returns a stored session with a number changed and its checksum right.
func sealed(data []byte, at int, v uint32) []byte {
	data = bytes.Clone(data)
	binary.LittleEndian.PutUint32(data[at:], v)
	n := 8 + 32 + 12
	for i := range 3 {
		n += int(binary.LittleEndian.Uint32(data[8+32+4*i:]))
	}
	sum := sha256.Sum256(data[:n])
	copy(data[n:], sum[:])
	return data
}
