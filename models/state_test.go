package models_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mminfer/mminfer/internal/golden"
	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// small and hybrid are goldens with a short state and with windowed and full attentions.
const (
	small  = "testdata/golden/mom_fla/topk_all"
	hybrid = "testdata/golden/mom_fla_hybrid"
)

// need skips a test without the goldens.
func need(t testing.TB) {
	if _, err := golden.Open(small); err != nil {
		t.Skip("the goldens are in the repository, not in a module download")
	}
}

// text returns n tokens.
func text(m *models.Model, n int, seed uint64) []int32 {
	rng, ids := rand.New(rand.NewPCG(seed, 0)), make([]int32, n)
	for i := range ids {
		ids[i] = int32(rng.IntN(m.Vocab))
	}
	return ids
}

// advance feeds ids and returns all their logits.
func advance(t testing.TB, m *models.Model, s *models.State, ids ...int32) []float32 {
	t.Helper()
	b := models.Batch{Seqs: []models.Seq{{IDs: ids, State: s, Want: models.WantAll}}}
	if err := m.Forward(&b, new(tensor.Workspace)); err != nil {
		t.Fatal(err)
	}
	return b.Logits.Data
}

func stored(t testing.TB, s *models.State) []byte {
	t.Helper()
	data, err := s.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func sameFloats(t testing.TB, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: [%d] = %v, want %v", what, i, got[i], want[i])
		}
	}
}

// TestStateStored stores, restores, forks and rewinds every golden model at awkward places.
func TestStateStored(t *testing.T) {
	goldens(t, func(t *testing.T, dir string) {
		m := open(t, dir, models.Options{})
		ids := text(m, 150, 1)
		want := advance(t, m, m.NewState(), ids...)
		s := m.NewState()
		at := 0
		for _, cut := range []int{0, 1, 16, 63, 64, 65, 79, 80, 128} {
			for ; at < cut; at++ {
				advance(t, m, s, ids[at])
			}
			advance(t, m, s) // nothing: changes nothing
			data := stored(t, s)
			whole := m.NewState()
			advance(t, m, whole, ids[:cut]...)
			whole.Reserve(200)
			if !bytes.Equal(stored(t, whole), data) {
				t.Fatalf("at %d: the state depends on how the text was fed", cut)
			}
			restored := m.NewState()
			advance(t, m, restored, ids[100:]...) // something to be replaced
			if err := restored.UnmarshalBinary(data); err != nil {
				t.Fatalf("at %d: %v", cut, err)
			}
			if restored.Pos() != cut || !bytes.Equal(stored(t, restored), data) {
				t.Fatalf("at %d: the restored state differs", cut)
			}
			fork, mark := restored.Clone(), restored.Clone()
			rest := want[cut*m.Vocab:]
			sameFloats(t, "restored", advance(t, m, restored, ids[cut:]...), rest)
			advance(t, m, fork, text(m, 70, 2)...)
			for range 2 { // a mark can be returned to again
				fork.CopyFrom(mark)
				sameFloats(t, "rewound", advance(t, m, fork, ids[cut:]...), rest)
			}
			if !bytes.Equal(stored(t, mark), data) || !bytes.Equal(stored(t, s), data) {
				t.Fatalf("at %d: another timeline changed this one", cut)
			}
		}
	})
}

// TestStateCopyFrom checks what it promises about memory and other models.
func TestStateCopyFrom(t *testing.T) {
	need(t)
	m := open(t, small, models.Options{})
	a, b := m.NewState(), m.NewState()
	advance(t, m, a, 1, 2, 3)
	if n := testing.AllocsPerRun(10, func() { b.CopyFrom(a) }); n > 1 { // the list of its caches
		t.Errorf("%v allocations", n)
	}
	if b.Pos() != 3 {
		t.Errorf("position %d, want 3", b.Pos())
	}
	defer func() {
		if r := recover(); r == nil || !strings.Contains(r.(string), "different models") {
			t.Errorf("recovered %v", r)
		}
	}()
	open(t, hybrid, models.Options{}).NewState().CopyFrom(a)
}

func TestStateBytes(t *testing.T) {
	need(t)
	m := open(t, hybrid, models.Options{})
	s := m.NewState()
	if got, want := s.Bytes(), int64(4*m.StateFloats()); got != want || got == 0 {
		t.Errorf("an empty state takes %d bytes, want %d", got, want)
	}
	advance(t, m, s, text(m, 130, 1)...)
	// Of 130 positions the full attention (2 heads of 16) has three pages, the windowed one
	// (2 of 4 heads of 8, padded to 16 values) two.
	want := int64(4*m.StateFloats()) + 4*nn.PageLen*(3*2*(16+16)+2*2*(8+16))
	if got := s.Bytes(); got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
	if got, want := m.BytesPerToken(), 4*2*(16+16); got != want {
		t.Errorf("%d floats a token, want %d", got, want)
	}
	c := s.Clone()
	if got, want := c.Bytes(), int64(4*m.StateFloats()); got != want {
		t.Errorf("a fork takes %d bytes, want %d", got, want)
	}
}

// refused checks that a damaged state is refused for the given reason and changes nothing.
func refused(t *testing.T, s *models.State, data []byte, want ...error) {
	t.Helper()
	pos := s.Pos()
	err := s.UnmarshalBinary(data)
	for _, w := range want {
		if errors.Is(err, w) {
			if s.Pos() != pos {
				t.Fatal("a refused state changed the old one")
			}
			return
		}
	}
	t.Fatalf("found error %v, want %v", err, want)
}

// TestStateDamage cuts a stored state everywhere and flips every bit.
func TestStateDamage(t *testing.T) {
	need(t)
	rng := rand.New(rand.NewPCG(1, 1))
	for _, dir := range []string{small, hybrid} {
		m := open(t, dir, models.Options{})
		s := m.NewState()
		advance(t, m, s, text(m, 90, 3)...)
		data := stored(t, s)
		t.Logf("%s: %d bytes", dir, len(data))
		lengths, flips := len(data), 8*len(data)
		if dir == hybrid || testing.Short() {
			lengths, flips = 500, 1500
		}
		for i := range lengths {
			n := i
			if lengths < len(data) {
				n = rng.IntN(len(data))
			}
			refused(t, s, data[:n], models.ErrCorrupt)
		}
		for i := range flips {
			bit := i
			if flips < 8*len(data) {
				bit = rng.IntN(8 * len(data))
			}
			data[bit/8] ^= 1 << (bit % 8)
			refused(t, s, data, models.ErrCorrupt, models.ErrOtherModel)
			data[bit/8] ^= 1 << (bit % 8)
		}
		if err := s.UnmarshalBinary(data); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStateForged seals headers that lie.
func TestStateForged(t *testing.T) {
	need(t)
	m, other := open(t, hybrid, models.Options{}), open(t, small, models.Options{})
	q8 := open(t, hybrid, models.Options{Format: tensor.FormatQ8})
	s := m.NewState()
	advance(t, m, s, text(m, 90, 3)...)
	good := stored(t, s)
	forge := func(at int, b ...byte) []byte {
		data := bytes.Clone(good)
		copy(data[at:], b)
		models.Seal(data)
		return data
	}
	const frames = models.HeaderSize + 4
	notFinite := bytes.Clone(good)
	copy(notFinite[frames+12:], []byte{0, 0, 0x80, 0xff}) // -Inf
	models.SealFrame(notFinite, m.StateFloats())
	const page = 4*2*nn.PageLen*(8+16) + 4 // of the windowed attention, which comes first
	swapped := bytes.Clone(good)
	pages := swapped[frames+4*m.StateFloats()+4:]
	copy(pages, good[len(good)-len(pages)+page:][:page])
	copy(pages[page:], good[len(good)-len(pages):][:page])
	pos := func(n uint64) []byte {
		return forge(models.HeaderSize-8, binary.LittleEndian.AppendUint64(nil, n)...)
	}
	for _, c := range []struct {
		name string
		data []byte
		want error
		text string
	}{
		{"nothing", nil, models.ErrCorrupt, "ends after 0 of"},
		{"magic", forge(0, 'M'), models.ErrCorrupt, `begins with "Mmistate"`},
		{"version", forge(8, 1), models.ErrCorrupt, "version 1, this program reads version 2"},
		{"fingerprint", forge(12, good[12]+1), models.ErrOtherModel, ""},
		{"position 2^63", pos(1 << 63), models.ErrCorrupt, "tokens"},
		{"position 2^31", pos(1 << 31), models.ErrCorrupt, "2147483648 tokens"},
		{"position 2^31-1", pos(1<<31 - 1), models.ErrCorrupt, "ends after"},
		{"position 40", pos(40), models.ErrCorrupt, "bytes after its end"},
		{"position 89", pos(89), nil, ""}, // of the same pages: nothing to tell it by but the sum
		{"position 200", pos(200), models.ErrCorrupt, "checksum of frame"},
		{"not finite", notFinite, models.ErrCorrupt, "number 3 of frame 1 is -Inf"},
		{"pages swapped", swapped, models.ErrCorrupt, "checksum of frame 2"},
		{"trailing byte", append(bytes.Clone(good), 0), models.ErrCorrupt, "1 bytes after its end"},
		{"twice", append(bytes.Clone(good), good...), models.ErrCorrupt, "after its end"},
		{"another model", stored(t, other.NewState()), models.ErrOtherModel, ""},
		{"lossy weights", stored(t, q8.NewState()), models.ErrOtherModel, ""},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := m.NewState().UnmarshalBinary(c.data)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, want %v with %q", c.name, err, c.want, c.text)
		}
		// The state and the frames before the damage are read twice over: in bytes and in numbers.
		if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(3*len(good)+16*m.StateFloats()+1<<16); got > limit {
			t.Errorf("%s: %d bytes allocated, want at most %d", c.name, got, limit)
		}
	}
}

func TestStateNotFinite(t *testing.T) {
	need(t)
	m := open(t, small, models.Options{})
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		s := m.NewState()
		advance(t, m, s, 1, 2, 3)
		s.Share(0).Floats[7] = float32(bad)
		if _, err := s.MarshalBinary(); err == nil || !strings.Contains(err.Error(), "number 7 of frame 1 of the state is") {
			t.Errorf("a state with %v was stored: %v", bad, err)
		}
	}
	for format, what := range map[tensor.Format]string{tensor.FormatF32: "number 0 of frame 1", tensor.FormatF16: "number 0 of frame 1", tensor.FormatQ8: "number 0 of frame 2"} {
		m := open(t, "testdata/golden/hf_llama", models.Options{KV: format})
		s := m.NewState()
		advance(t, m, s, 1, 2, 3)
		for p := range s.Share(0).KV.Pages() {
			if p.Floats != nil {
				p.Floats[0] = float32(math.Inf(1))
			} else {
				p.Halves[0] = 0x7f80 // as float16 NaN
			}
		}
		if _, err := s.MarshalBinary(); err == nil || !strings.Contains(err.Error(), what+" of the state is") {
			t.Errorf("keys that are not finite were stored as %v: %v", format, err)
		}
	}
}

// TestStateReader checks what is read, and whose errors come back.
func TestStateReader(t *testing.T) {
	need(t)
	m := open(t, hybrid, models.Options{})
	s := m.NewState()
	advance(t, m, s, text(m, 90, 3)...)
	data := stored(t, s)
	r := strings.NewReader(string(data) + "what follows")
	got, err := m.ReadState(iotest.OneByteReader(r), nil)
	if err != nil || !bytes.Equal(stored(t, got), data) {
		t.Fatalf("read in single bytes: %v", err)
	}
	if rest, _ := io.ReadAll(r); string(rest) != "what follows" {
		t.Errorf("%q follows, want all that does", rest)
	}
	pool := tensor.NewPool(3)
	defer pool.Close()
	r = strings.NewReader("what was before" + string(data) + "what follows")
	if _, err := r.Seek(15, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if got, err := m.ReadState(r, pool); err != nil || !bytes.Equal(stored(t, got), data) {
		t.Fatalf("read by three threads: %v", err)
	}
	if rest, _ := io.ReadAll(r); string(rest) != "what follows" {
		t.Errorf("%q follows what three threads read, want all that does", rest)
	}
	broken := errors.New("broken")
	for _, n := range []int{0, 10, len(data) / 2, len(data) - 1} {
		_, err := m.ReadState(io.MultiReader(bytes.NewReader(data[:n]), iotest.ErrReader(broken)), nil)
		if !errors.Is(err, broken) || errors.Is(err, models.ErrCorrupt) {
			t.Errorf("a reader that breaks at %d: %v", n, err)
		}
		w := &failing{left: n, err: broken}
		if written, err := s.WriteTo(w); err != broken || written != int64(n) {
			t.Errorf("a writer that breaks at %d: %d bytes, %v", n, written, err)
		}
	}
}

// TestStateBatches reads a state of more than a batch, whole and damaged behind the first.
func TestStateBatches(t *testing.T) {
	m := open(t, "testdata/golden/hf_llama", models.Options{})
	s := m.NewState()
	s.Skip(72<<20/m.BytesPerToken() + 1)
	advance(t, m, s, 1, 2, 3)
	data := stored(t, s)
	back := m.NewState()
	if err := back.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(stored(t, back), data) {
		t.Error("the state comes back as another")
	}
	data[len(data)-5] ^= 1 // of the last frame
	refused(t, back, data, models.ErrCorrupt)
}

// failing is a writer that breaks after some bytes.
type failing struct {
	left int
	err  error
}

func (f *failing) Write(b []byte) (int, error) {
	if len(b) > f.left {
		n := f.left
		f.left = 0
		return n, f.err
	}
	f.left -= len(b)
	return len(b), nil
}

// FuzzState feeds stored states, some with their header sealed anew. What is accepted must be
// stored again as it was. (-fuzzminimizetime 10x: the states are large.)
func FuzzState(f *testing.F) {
	need(f)
	m := open(f, hybrid, models.Options{})
	s := m.NewState()
	f.Add([]byte(nil), false)
	f.Add(stored(f, s), true)
	advance(f, m, s, text(m, 70, 3)...)
	f.Add(stored(f, s), false)
	f.Fuzz(func(t *testing.T, data []byte, seal bool) {
		if seal && len(data) >= models.HeaderSize+4 {
			data = bytes.Clone(data)
			models.Seal(data)
		}
		s := m.NewState()
		if s.UnmarshalBinary(data) != nil {
			if s.Pos() != 0 {
				t.Fatal("a refused state changed the old one")
			}
			return
		}
		if again := stored(t, s); !bytes.Equal(again, data) {
			t.Fatalf("%d bytes came back as %d others", len(data), len(again))
		}
		advance(t, m, s, 1, 2, 3)
	})
}

// TestSkip continues after skipped tokens: pages are held and bytes counted as if they were computed.
func TestSkip(t *testing.T) {
	for _, name := range []string{"hf_qwen3_next", "hf_mistral"} {
		m := open(t, "testdata/golden/"+name, models.Options{})
		skipped, real := m.NewState(), m.NewState()
		skipped.Skip(200)
		advance(t, m, real, text(m, 200, 1)...)
		if skipped.Pos() != 200 || skipped.Bytes() != real.Bytes() {
			t.Errorf("%s: position %d, %d bytes, expected 200, %d", name, skipped.Pos(), skipped.Bytes(), real.Bytes())
		}
		for _, x := range advance(t, m, skipped, text(m, 70, 2)...) {
			if math.IsNaN(float64(x)) {
				t.Fatalf("%s: not a number", name)
			}
		}
	}
}

// TestKVFormat: with keys and values rounded, too, the feed changes nothing, a stored state goes on
// alike and is not taken for one of another format.
func TestKVFormat(t *testing.T) {
	const dir = "testdata/golden/hf_qwen3_next"
	wide := open(t, dir, models.Options{})
	for _, format := range []tensor.Format{tensor.FormatBF16, tensor.FormatF16, tensor.FormatQ8} {
		m := open(t, dir, models.Options{KV: format})
		want := wide.BytesPerToken() / 2
		if format == tensor.FormatQ8 {
			want = wide.BytesPerToken()/4 + 2*2*2 // scales of a key and a value of two heads of 16
		}
		if m.BytesPerToken() != want {
			t.Errorf("%v: %d bytes a token, as float32 %d", format, m.BytesPerToken(), wide.BytesPerToken())
		}
		logits := runs(t, dir, m, nil, golden.Options{})
		for _, feed := range feeds[1:6] {
			sameBits(t, feed, runs(t, dir, m, nil, feed), logits)
		}
		s := m.NewState()
		advance(t, m, s, text(m, 100, 1)...)
		data := stored(t, s)
		back := m.NewState()
		if err := back.UnmarshalBinary(data); err != nil {
			t.Fatal(err)
		}
		if got, want := advance(t, m, back, text(m, 9, 2)...), advance(t, m, s, text(m, 9, 2)...); !slices.Equal(got, want) {
			t.Errorf("%v: a restored state goes on otherwise", format)
		}
		if err := wide.NewState().UnmarshalBinary(data); !errors.Is(err, models.ErrOtherModel) {
			t.Errorf("%v: as float32: %v", format, err)
		}
	}
	ck, err := loader.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	if _, err := models.New(ck, models.Options{KV: tensor.FormatQ6}); err == nil {
		t.Error("keys and values in q6 are taken")
	}
}

// TestKVQ8: with keys and values in 8 bits, states that were cut, forked or stored go on as one that
// never held more.
func TestKVQ8(t *testing.T) {
	m := open(t, "testdata/golden/hf_llama", models.Options{KV: tensor.FormatQ8})
	plain, cut, back := m.NewState(), m.NewState(), m.NewState()
	advance(t, m, plain, text(m, 100, 1)...)
	advance(t, m, cut, text(m, 100, 1)...)
	advance(t, m, cut, text(m, 70, 3)...)
	long := cut.Clone()
	if !cut.Truncate(100) {
		t.Fatal("the state cannot be cut")
	}
	if err := back.UnmarshalBinary(stored(t, cut)); err != nil {
		t.Fatal(err)
	}
	fork := cut.Clone()
	want := advance(t, m, plain, text(m, 9, 2)...)
	for name, s := range map[string]*models.State{"cut": cut, "forked": fork, "stored": back} {
		if !slices.Equal(advance(t, m, s, text(m, 9, 2)...), want) {
			t.Errorf("a state that was %s goes on otherwise", name)
		}
	}
	whole := m.NewState()
	advance(t, m, whole, append(text(m, 100, 1), text(m, 70, 3)...)...)
	if !slices.Equal(advance(t, m, long, text(m, 9, 2)...), advance(t, m, whole, text(m, 9, 2)...)) {
		t.Error("what a state went on with changed its fork")
	}
}
