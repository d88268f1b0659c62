package loader

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mminfer/mminfer/internal/cputime"
	"github.com/mminfer/mminfer/tensor"
)

// files are the contents of a directory, by name.
type files map[string]string

// write puts the files into a new directory.
func (fs files) write(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range fs {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// st is a safetensors file with the given text as header and n bytes of data.
func st(header string, n int) string {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return string(b) + header + strings.Repeat("d", n)
}

// entry is the header entry of a tensor of n bytes that begins at the given offset.
func entry(name string, begin, n int) string {
	return fmt.Sprintf(`%q:{"dtype":"U8","shape":[%d],"data_offsets":[%d,%d]}`, name, n, begin, begin+n)
}

// shard is a file with tensors of the given names, 4 bytes each.
func shard(names ...string) string {
	var entries []string
	for i, name := range names {
		entries = append(entries, entry(name, 4*i, 4))
	}
	return st("{"+strings.Join(entries, ",")+"}", 4*len(names))
}

// parseBytes parses a file in memory.
func parseBytes(b []byte) (contents, error) { return parseLimited(b, defaultHeader) }

func parseLimited(b []byte, limit int) (contents, error) {
	return parse(&file{path: "memory", size: int64(len(b)), left: int64(len(b)), whole: b[:len(b):len(b)]}, limit)
}

func readTestdata(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// compareWithJSON checks an accepted file against encoding/json, an independent reader that
// is more lenient in everything: each tensor is the same, and together they are the file.
func compareWithJSON(t *testing.T, b []byte, got []tensor.Tensor) {
	t.Helper()
	n := binary.LittleEndian.Uint64(b)
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b[8:8+n], &raw); err != nil {
		t.Fatalf("accepted a header that is not JSON: %v", err)
	}
	delete(raw, "__metadata__")
	if len(raw) != len(got) {
		t.Fatalf("found %d tensors, want %d", len(got), len(raw))
	}
	data, covered := b[8+n:], 0
	for _, ts := range got {
		var want struct {
			Dtype   string
			Shape   []int
			Offsets [2]int `json:"data_offsets"`
		}
		if err := json.Unmarshal(raw[ts.Name], &want); err != nil {
			t.Fatalf("%s: %v", ts.Name, err)
		}
		if ts.Type.String() != want.Dtype || fmt.Sprint(ts.Shape) != fmt.Sprint(want.Shape) {
			t.Fatalf("found %v, want %v", ts, want)
		}
		if !bytes.Equal(ts.Data, data[want.Offsets[0]:want.Offsets[1]]) {
			t.Fatalf("%s: data differ from bytes %v", ts.Name, want.Offsets)
		}
		if len(ts.Data) != ts.Elements()*ts.Type.Size() || len(ts.Data) != cap(ts.Data) {
			t.Fatalf("%v: %d bytes of data, capacity %d", ts, len(ts.Data), cap(ts.Data))
		}
		covered += len(ts.Data)
	}
	if covered != len(data) {
		t.Fatalf("tensors cover %d of %d bytes", covered, len(data))
	}
}

// allocated returns the bytes that the program has allocated so far.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// cost is what an attempt took.
type cost struct {
	time  time.Duration
	bytes uint64
}

// measure returns the cost of f, the shortest time of a few if it is above promisedTime.
func measure(t testing.TB, f func()) cost {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := cost{time: time.Hour}
	for i := 0; i < 5 && c.time > promisedTime && !(raceDetector && i > 0); i++ {
		before, start := allocated(), cputime.Thread()
		f()
		c.time = min(c.time, cputime.Thread()-start)
		c.bytes = allocated() - before
	}
	return c
}

const (
	promisedTime = 50 * time.Millisecond  // to refuse a checkpoint
	longestTime  = 200 * time.Millisecond // if as much must be read first as the limits allow a good one
)

// checkRefusal checks the cost of refusing files of size bytes.
func (c cost) checkRefusal(t testing.TB, size int, limit time.Duration) {
	t.Helper()
	if c.bytes > uint64(2*size+16<<20) {
		t.Errorf("allocated %d bytes for files of %d", c.bytes, size)
	}
	if c.time > limit && !raceDetector && runtime.GOARCH != "wasm" {
		t.Errorf("took %v", c.time)
	}
}
