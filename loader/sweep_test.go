package loader

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// TestTruncation cuts a good file at every byte up to its data and at random bytes of them.
func TestTruncation(t *testing.T) {
	b := readTestdata(t, "model.safetensors")
	header := 8 + int(binary.LittleEndian.Uint64(b))
	cuts := rand.New(rand.NewPCG(1, 2))
	for i := range header + 1000 {
		n := i
		if i >= header {
			n = header + cuts.IntN(len(b)-header)
		}
		if _, err := parseBytes(b[:n]); err == nil {
			t.Fatalf("accepted the first %d of %d bytes", n, len(b))
		}
	}
	if _, err := parseBytes(append(bytes.Clone(b), 0)); err == nil {
		t.Fatal("accepted a trailing byte")
	}
}

// TestFlips changes each byte up to the data in several ways. What is accepted all the same,
// such as another letter in a name, must be what encoding/json reads.
func TestFlips(t *testing.T) {
	b := readTestdata(t, "model.safetensors")
	header := 8 + int(binary.LittleEndian.Uint64(b))
	accepted := 0
	for i := range header {
		for _, mask := range []byte{0x01, 0x20, 0xff} {
			b[i] ^= mask
			if c, err := parseBytes(b); err == nil {
				compareWithJSON(t, b, c.tensors)
				accepted++
			}
			b[i] ^= mask
		}
	}
	t.Logf("%d of %d flips are other good files", accepted, 3*header)
	if accepted == 0 || accepted > 3*header/2 {
		t.Errorf("accepted %d of %d", accepted, 3*header)
	}
}

// TestAccepted holds what the format allows and other readers write.
func TestAccepted(t *testing.T) {
	for _, test := range []struct{ name, data string }{
		{"no tensors", st("{}", 0)},
		{"white space", st(" \t\r\n{ \"t\" : { \"shape\" : [ 1 , 1 ] , \"data_offsets\" : [ 0 , 1 ] , \"dtype\" : \"U8\" } } \n ", 1)},
		{"scalar", tensorOf(`{"dtype":"F32","shape":[],"data_offsets":[0,4]}`, 4)},
		{"empty tensors at every place", st("{"+entry("a", 0, 0)+","+entry("d", 4, 0)+","+entry("b", 0, 4)+","+entry("c", 4, 0)+","+entry("e", 0, 0)+"}", 4)},
		{"zero among large dimensions", tensorOf(`{"dtype":"F32","shape":[0,1048576],"data_offsets":[0,0]}`, 0)},
		{"rank 8", tensorOf(`{"dtype":"F16","shape":[1,1,1,2,1,1,1,2],"data_offsets":[0,8]}`, 8)},
		{"name of 512 bytes", st("{"+entry(strings.Repeat("n", 512), 0, 1)+"}", 1)},
		{"empty name", st("{"+entry("", 0, 1)+"}", 1)},
		{"escapes", st(`{"\"\\\/\b\f\n\r\tA\u00e9\uD83D\uDE00é":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}`, 1)},
		{"escaped field", tensorOf(`{"\u0064type":"U\u0038","shape":[],"data_offsets":[0,1]}`, 1)},
		{"metadata last", st("{"+entry("t", 0, 1)+`,"__metadata__":{"":"","k":"é\u0000"}}`, 1)},
		{"many braces in a string", st("{"+entry("t", 0, 1)+`,"__metadata__":{"k":"\"`+strings.Repeat("{", maxTensors+9)+`"}}`, 1)},
		{"data at an odd byte", st("{"+entry("a", 0, 3)+`,"b":{"dtype":"F64","shape":[1],"data_offsets":[3,11]}}  `, 11)},
	} {
		c, err := parseBytes([]byte(test.data))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		compareWithJSON(t, []byte(test.data), c.tensors)
	}
	types := []string{"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"}
	sizes := []int{8, 4, 2, 2, 1, 1, 8, 4, 2, 1, 8, 4, 2, 1, 1}
	for i, name := range types {
		data := tensorOf(fmt.Sprintf(`{"dtype":"%s","shape":[3],"data_offsets":[0,%d]}`, name, 3*sizes[i]), 3*sizes[i])
		if c, err := parseBytes([]byte(data)); err != nil || c.tensors[0].Type.String() != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// many is a file of n empty tensors.
func many(n int) []byte {
	return []byte(st("{"+numbered(n, `"t%":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},`)+"}", 0))
}

// TestHeaderBombs measures headers of very many small tensors.
func TestHeaderBombs(t *testing.T) {
	if raceDetector {
		t.Skip("measures, in one goroutine")
	}
	million := many(1_000_000)
	short := many(500_000)
	twice := bytes.Replace(many(200_000), []byte(`"t199999"`), []byte(`"t199998"`), 1)
	for _, test := range []struct {
		name  string
		data  []byte
		limit int
		want  string
	}{
		{"1,000,000 tensors", million, defaultHeader, "header length: found"},
		{"1,000,000 tensors, limit raised", million, maxHeader, "more than 200000 tensors"},
		{"500,000 tensors", short, defaultHeader, "more than 200000 tensors"},
		{"200,000 tensors, one twice", twice, defaultHeader, "found twice"},
		{"200,000 tensors, cut", many(200_000)[:9_000_000], defaultHeader, "cut short"},
		{"200,001 tensors", many(200_001), defaultHeader, "more than 200000 tensors"},
		{"white space", []byte(st(strings.Repeat(" ", defaultHeader), 0)), defaultHeader, "found the end"},
		{"one long string", []byte(st(`{"`+strings.Repeat("x", defaultHeader-2), 0)), defaultHeader, "found the end"},
		{"one long string of escapes", []byte(st(`{"__metadata__":{"`+strings.Repeat(`\n`, 1<<24-50)+`"`, 0)), defaultHeader, "found a string"},
		{"metadata above 8 MiB", []byte(st(`{"__metadata__":{"a":"`+strings.Repeat("x", 5<<20)+`","b":"`+strings.Repeat(`\n`, 4<<20)+`"}}`, 0)), defaultHeader,
			`__metadata__: key "b": byte 13631518: found a string of 4194304 bytes`},
		{"brackets", []byte(st(strings.Repeat(`{"a":`, defaultHeader/5), 0)), defaultHeader, "more than 200000 tensors"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var err error
			c := measure(t, func() { _, err = parseLimited(test.data, test.limit) })
			t.Logf("%9d bytes: %8v, %9d bytes allocated", len(test.data), c.time.Round(10*time.Microsecond), c.bytes)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			c.checkRefusal(t, len(test.data), longestTime)
		})
	}
	full := many(200_000)
	var c contents
	var err error
	n := measure(t, func() { c, err = parseLimited(full, defaultHeader) })
	if err != nil || len(c.tensors) != 200_000 {
		t.Fatalf("200,000 tensors: %d found, %v", len(c.tensors), err)
	}
	t.Logf("200,000 tensors accepted: %d bytes: %v, %d bytes allocated", len(full), n.time, n.bytes)
	if n.bytes > uint64(3*len(full)) {
		t.Errorf("200,000 tensors: allocated %d bytes for a file of %d", n.bytes, len(full))
	}
}

// TestIndexBombs measures indexes of very many names.
func TestIndexBombs(t *testing.T) {
	if raceDetector {
		t.Skip("measures, in one goroutine")
	}
	for _, test := range []struct {
		name  string
		entry string
		n     int
		want  string
	}{
		{"200,001 tensors", `"%":"s",`, 200_001, "more than 200000 tensors"},
		{"200,000 tensors, one twice", `"%":"s",`, 200_000, "found twice"},
		{"2,000,000 tensors", `"t%":"s",`, 2_000_000, "more than 200000 tensors"},
		{"100,000 shards", `"%":"%",`, 100_000, "more than 1000 shards"},
		{"long names", `"%` + strings.Repeat("n", 500) + `":"s",`, 60_000, "found twice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			data := []byte(`{"weight_map":{` + numbered(test.n, test.entry) + `,"0":"s","0":"s"}}`)
			var err error
			c := measure(t, func() { _, err = parseIndex(data) })
			t.Logf("%9d bytes: %8v, %9d bytes allocated", len(data), c.time.Round(10*time.Microsecond), c.bytes)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			c.checkRefusal(t, len(data), longestTime)
		})
	}
}
