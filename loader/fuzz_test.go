package loader

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"slices"
	"testing"
)

// FuzzHeader checks that any file is either refused or what encoding/json reads in it, and
// that a written copy of it reads the same.
func FuzzHeader(f *testing.F) {
	for _, test := range headers {
		if len(test.data) < 1<<12 {
			f.Add([]byte(test.data))
		}
	}
	f.Add([]byte(shard("a", "b")))
	f.Add([]byte(st(`{"__metadata__":{"k":"\u00e9"},"\ud83d\ude00":{"data_offsets":[0,8],"shape":[2,0,1],"dtype":"I8"}} `, 0)))
	f.Add([]byte(st(`{"x":{"data_offsets":[0,8],"shape":[2,1],"dtype":"F32"},"y":{"data_offsets":[8,8],"shape":[0],"dtype":"BOOL"}}`, 8)))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseBytes(data)
		if err != nil {
			return
		}
		compareWithJSON(t, data, c.tensors)
		var buf bytes.Buffer
		if err := Write(&buf, c.tensors, c.metadata); err != nil {
			t.Fatal(err)
		}
		again, err := parseBytes(buf.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		compareWithJSON(t, buf.Bytes(), again.tensors)
		if len(again.tensors) != len(c.tensors) || len(again.metadata) != len(c.metadata) {
			t.Fatalf("%v %v written, %v %v read", c.tensors, c.metadata, again.tensors, again.metadata)
		}
	})
}

// FuzzText fuzzes the header's text by itself, without the length that most changes break.
func FuzzText(f *testing.F) {
	for _, test := range headers {
		if len(test.data) < 1<<12 && len(test.data) > 8 {
			n := min(binary.LittleEndian.Uint64([]byte(test.data)), uint64(len(test.data)-8))
			f.Add([]byte(test.data[8:8+n]), uint16(len(test.data)-8-int(n)))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, n uint16) {
		data := []byte(st(string(text), int(n)))
		if c, err := parseBytes(data); err == nil {
			compareWithJSON(t, data, c.tensors)
		}
	})
}

// FuzzIndex checks that any index is either refused or what encoding/json reads in it, with
// nothing but base names in it.
func FuzzIndex(f *testing.F) {
	for _, d := range directories {
		if text := d.files[indexName]; text != "" && len(text) < 1<<12 {
			f.Add([]byte(text))
		}
	}
	f.Add([]byte(`{"metadata":{"total_size":1.5e9},"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := parseIndex(data)
		if err != nil {
			return
		}
		var want struct {
			Map map[string]string `json:"weight_map"`
		}
		var raw map[string]json.RawMessage
		if err := json.Unmarshal(data, &raw); err != nil {
			t.Skip("numbers of skipped values are not checked in depth")
		}
		if err := json.Unmarshal(raw["weight_map"], &want.Map); err != nil {
			t.Fatalf("accepted %s: %v", data, err)
		}
		if len(want.Map) != len(x.places) {
			t.Fatalf("found %d tensors, want %d", len(x.places), len(want.Map))
		}
		for name, shard := range want.Map {
			i, ok := x.places[name]
			if !ok || x.shards[i] != shard || !isBaseName(shard) {
				t.Fatalf("tensor %q: found %v, want %q", name, x.shards, shard)
			}
		}
		if got := slices.Compact(slices.Sorted(slices.Values(x.shards))); len(got) != len(x.shards) {
			t.Fatalf("shards repeat: %q", x.shards)
		}
	})
}

// FuzzStandardJSON checks that valid JSON is left alone, and that a second pass changes
// nothing.
func FuzzStandardJSON(f *testing.F) {
	for _, test := range configs {
		f.Add([]byte(test.in))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		out := StandardJSON(data)
		if json.Valid(data) && !bytes.Equal(out, data) {
			t.Fatalf("%q became %q", data, out)
		}
		if again := StandardJSON(out); !bytes.Equal(again, out) {
			t.Fatalf("%q became %q, then %q", data, out, again)
		}
	})
}
