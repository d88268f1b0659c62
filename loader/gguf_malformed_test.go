package loader

import (
	"strconv"
	"strings"
	"testing"
)

// oneKey is a file with one key of a value given as bytes.
func oneKey(value ...string) string {
	return ggufFile(0, 1, ggufKey("k")+strings.Join(value, ""))
}

// oneTensor is a file with one tensor and n bytes of data.
func oneTensor(n int, typ uint32, dims ...uint64) string {
	return padded(ggufFile(1, 0, ggufInfo("t", typ, 0, dims...)), n)
}

// aligned is a file with the given value of general.alignment.
func aligned(value ...string) string {
	return ggufFile(0, 1, ggufKey("general.alignment")+strings.Join(value, ""))
}

// malformedGGUF are malformed files and what each error must say. All name the file.
var malformedGGUF = []struct {
	name string
	data string
	want []string
}{
	{"magic only", "GGUF", []string{"byte 4", "found 0 bytes left", "cut short"}},
	{"half a version", "GGUF\x03\x00", []string{"found 2 bytes left", "expected 4 values of 1"}},
	{"version 0", "GGUF" + u32(0), []string{"version: found 0, expected 2 or 3"}},
	{"version 1", "GGUF" + u32(1) + u32(0) + u32(0), []string{"version: found 1, expected 2 or 3"}},
	{"version 4", "GGUF" + u32(4) + u64(0) + u64(0), []string{"version: found 4"}},
	{"big-endian", "GGUF\x00\x00\x00\x03" + u64(0) + u64(0), []string{"found a big-endian file"}},
	{"no counts", "GGUF" + u32(3), []string{"byte 8", "found 0 bytes left"}},
	{"one count", "GGUF" + u32(3) + u64(0), []string{"byte 16"}},
	{"2^63 tensors", ggufFile(1<<63, 0), []string{"found 9223372036854775808 tensors", "expected at most 65536"}},
	{"2^64-1 tensors", ggufFile(1<<64-1, 0), []string{"found 18446744073709551615 tensors"}},
	{"65,536 tensors in no bytes", ggufFile(1<<16, 0), []string{"found 65536 tensors", "expected at most the 0 that the 8 bytes left could hold"}},
	{"2^63 keys", ggufFile(0, 1<<63), []string{"found 9223372036854775808 keys", "expected at most 4096"}},
	{"4,096 keys in few bytes", ggufFile(0, 4096, ggufKey("k"), u32(0), "\x00"), []string{"found 4096 keys", "expected at most the 1"}},
	{"key cut", ggufFile(0, 1, u64(14), "abcdefghij"), []string{"key number 0", "found 10 bytes left", "expected 14"}},
	{"key of 2^63 bytes", ggufFile(0, 1, u64(1<<63), "abcdefghij"), []string{"key number 0", "found a string of 9223372036854775808 bytes, expected at most 512"}},
	{"key of 513 bytes", ggufFile(0, 1, ggufKey(strings.Repeat("k", 513)), u32(0), "\x00"), []string{"found a string of 513 bytes"}},
	{"37 bytes with an empty key", ggufFile(0, 1, ggufKey(""), u32(0), "\x00"), []string{"found 1 keys, expected at most the 0"}},
	{"key is empty", ggufFile(0, 1, ggufKey(""), u32(4), u32(0)), []string{"key number 0", "found no bytes, expected at least one"}},
	{"key in broken UTF-8", ggufFile(0, 1, ggufKey("\xc3\x28"), u32(4), u32(0)), []string{"key number 0", "broken UTF-8"}},
	{"key twice", ggufFile(0, 2, ggufKey("k"), u32(4), u32(1), ggufKey("k"), u32(4), u32(1)), []string{`key "k": found twice, expected once`}},
	{"type 13", oneKey(u32(13), u64(0)), []string{`key "k"`, "found type 13, expected at most 12"}},
	{"type 2^32-1", oneKey(u32(1<<32-1), u64(0)), []string{`key "k"`, "found type 4294967295"}},
	{"no value", oneKey(u32(4)) + "\x00", []string{`key "k"`, "found 1 bytes left"}},
	{"half a value", oneKey(u32(12), "abcd"), []string{`key "k"`, "found 4 bytes left", "expected 1 values of 8"}},
	{"bool of 2", oneKey(u32(7), "\x02"), []string{`key "k"`, "found a bool of 2, expected 0 or 1"}},
	{"string cut", oneKey(u32(8), u64(6), "abcde"), []string{`key "k"`, "found 5 bytes left", "expected 6"}},
	{"string of 2^64-1 bytes", oneKey(u32(8), u64(1<<64-1)), []string{`key "k"`, "found a string of 18446744073709551615 bytes, expected at most 16777216"}},
	{"string above 16 MiB", oneKey(u32(8), u64(16<<20+1), strings.Repeat("x", 16<<20+1)), []string{`key "k"`, "found a string of 16777217 bytes"}},
	{"array without a type", oneKey(u32(9), "\x00"), []string{`key "k"`, "found 1 bytes left"}},
	{"array without a length", oneKey(u32(9), u32(0)), []string{`key "k"`, "found 0 bytes left", "expected 8"}},
	{"array of type 13", oneKey(u32(9), u32(13), u64(0)), []string{`key "k"`, "found type 13"}},
	{"array of arrays", oneKey(u32(9), u32(9), u64(1), u32(0), u64(0)), []string{`key "k"`, "found an array of arrays"}},
	{"array of 2^63 bytes", oneKey(u32(9), u32(0), u64(1<<63)), []string{`key "k"`, "found 0 bytes left", "expected 9223372036854775808 values of 1"}},
	{"array of 2^61 float64", oneKey(u32(9), u32(12), u64(1<<61), "abcd"), []string{`key "k"`, "expected 2305843009213693952 values of 8"}},
	{"array of uint8 that would do as bytes, not as float32", oneKey(u32(9), u32(6), u64(4), "abcd"), []string{`key "k"`, "found 4 bytes left", "expected 4 values of 4"}},
	{"array of 2^63 strings", oneKey(u32(9), u32(8), u64(1<<63)), []string{`key "k"`, "found 0 bytes left"}},
	{"array of strings, one cut", oneKey(u32(9), u32(8), u64(2), ggufText("a"), u64(9), "b"), []string{`key "k"`, "found 1 bytes left"}},
	{"array with a bool of 255", oneKey(u32(9), u32(7), u64(3), "\x00\x01\xff"), []string{`key "k"`, "found a bool of 255"}},
	{"alignment of 0", aligned(u32(4), u32(0)), []string{`key "general.alignment": found 0, expected a power of two`}},
	{"alignment of 48", aligned(u32(4), u32(48)), []string{`key "general.alignment": found 48`}},
	{"alignment of 2 MiB", aligned(u32(4), u32(2<<20)), []string{`key "general.alignment": found 2097152`, "at most 1048576"}},
	{"alignment of 64 bits", aligned(u32(10), u64(32)), []string{`key "general.alignment": found uint64, expected uint32`}},
	{"alignment is an array", aligned(u32(9), u32(4), u64(1), u32(32)), []string{`key "general.alignment": found [1]uint32`}},
	{"one file of three", ggufFile(0, 1, ggufKey("split.count"), u32(2), "\x03\x00"), []string{`key "split.count": found 3`, "llama-gguf-split --merge"}},
	{"tensor without a name", padded(ggufFile(1, 0, ggufInfo("", 0, 0, 1)), 4), []string{"tensor number 0", "found no bytes"}},
	{"tensor name in broken UTF-8", padded(ggufFile(1, 0, ggufInfo("\xff", 0, 0, 1)), 4), []string{"tensor number 0", "broken UTF-8"}},
	{"tensor name of 513 bytes", padded(ggufFile(1, 0, ggufInfo(strings.Repeat("t", 513), 0, 0, 1)), 4), []string{"tensor number 0", "513 bytes"}},
	{"tensor name of 2^64-1 bytes", ggufFile(1, 0, u64(1<<64-1), strings.Repeat("x", 32)), []string{"tensor number 0", "found a string of 18446744073709551615 bytes"}},
	{"tensor twice", padded(ggufFile(2, 0, ggufInfo("t", 0, 0, 1), ggufInfo("t", 0, 32, 1)), 36), []string{`tensor "t": name: found twice`}},
	{"rank 5", padded(ggufFile(1, 0, ggufInfo("t", 0, 0, 1, 1, 1, 1, 1)), 4), []string{`tensor "t"`, "shape: found 5 dimensions, expected at most 4"}},
	{"rank 2^32-1", ggufFile(1, 0, ggufText("t"), u32(1<<32-1), strings.Repeat("x", 32)), []string{`tensor "t"`, "found 4294967295 dimensions"}},
	{"shape cut", ggufFile(1, 0, ggufText("t"), u32(4), strings.Repeat("\x01\x00\x00\x00\x00\x00\x00\x00", 3)), []string{`tensor "t"`, "found 0 bytes left"}},
	{"dimension 0", oneTensor(0, 0, 0), []string{`tensor "t"`, "found a dimension of 0"}},
	{"dimension 2^63", oneTensor(4, 0, 1<<63), []string{`tensor "t"`, "found a dimension of 9223372036854775808"}},
	{"dimension -1", oneTensor(4, 0, 1<<64-1), []string{`tensor "t"`, "found a dimension of 18446744073709551615"}},
	{"product 2^64", oneTensor(4, 0, 1<<32, 1<<32), []string{`tensor "t"`, "overflows"}},
	{"product 2^63 bytes", oneTensor(4, 0, 1<<61), []string{`tensor "t"`, "overflows"}},
	{"dimension 2^42+1", oneTensor(32, 0, 1<<42+1, 1<<20), []string{`tensor "t"`, "overflows"}},
	{"exabytes of blocks", oneTensor(32, 14, 256, 1<<55-1), []string{`tensor "t"`, "found 32 bytes of data", "Q6_K"}},
	{"exabytes", oneTensor(4, 24, 1<<60), []string{`tensor "t"`, "found 4 bytes of data", "expected 1152921504606846976 at 0 for I8"}},
	{"half a block", oneTensor(18, 2, 48), []string{`tensor "t"`, "found [48]", "whole blocks of 32 elements for Q4_0"}},
	{"blocks across rows", oneTensor(144, 12, 128, 2), []string{`tensor "t"`, "found [2 128]", "whole blocks of 256 elements for Q4_K"}},
	{"scalar in a block", oneTensor(18, 2), []string{`tensor "t"`, "found []", "whole blocks"}},
	{"type IQ2_XXS", oneTensor(66, 16, 256), []string{`tensor "t"`, "type: found 16 (IQ2_XXS), expected F32", "fetch the model in one of these"}},
	{"type that is gone", oneTensor(66, 4, 256), []string{`tensor "t"`, "type: found 4 (unknown)"}},
	{"type 2^31", oneTensor(66, 1<<31, 256), []string{`tensor "t"`, "type: found 2147483648 (unknown)"}},
	{"no offset", ggufFile(1, 0, ggufText("tensors"), u32(0), u32(0), "abcdef"), []string{`tensor "tensors"`, "found 6 bytes left"}},
	{"offset of no multiple", padded(ggufFile(1, 0, ggufInfo("t", 0, 1, 1)), 4), []string{`tensor "t"`, "offset: found 1, expected 0"}},
	{"offset behind a hole", padded(ggufFile(1, 0, ggufInfo("t", 0, 32, 1)), 36), []string{`tensor "t"`, "offset: found 32, expected 0"}},
	{"overlap", padded(ggufFile(2, 0, ggufInfo("t", 0, 0, 16), ggufInfo("u", 0, 32, 8)), 64), []string{`tensor "u"`, "offset: found 32, expected 64"}},
	{"same place twice", padded(ggufFile(2, 0, ggufInfo("t", 0, 0, 8), ggufInfo("u", 0, 0, 8)), 32), []string{`tensor "u"`, "offset: found 0, expected 32"}},
	{"offset 2^64-32", padded(ggufFile(2, 0, ggufInfo("t", 0, 0, 8), ggufInfo("u", 0, 1<<64-32, 16)), 64), []string{`tensor "u"`, "offset: found 18446744073709551584"}},
	{"data cut", oneTensor(63, 0, 16), []string{`tensor "t"`, "found 63 bytes of data", "expected 64 at 0 for F32 [16]", "cut short"}},
	{"no data, no padding", ggufFile(1, 0, ggufInfo("t", 0, 0, 1)), []string{`tensor "t"`, "found 0 bytes of data"}},
	{"second tensor cut", padded(ggufFile(2, 0, ggufInfo("t", 0, 0, 1), ggufInfo("u", 0, 32, 2)), 36), []string{`tensor "u"`, "found 36 bytes of data", "expected 8 at 32"}},
	{"trailing bytes", oneTensor(65, 0, 16), []string{"data: found 129 bytes", "expected at most the 128"}},
	{"data without tensors", padded(ggufFile(0, 0), 1), []string{"data: found 33 bytes", "expected at most the 32"}},
	{"another file at the end", oneTensor(64, 0, 16) + "PK\x03\x04", []string{"data: found 132 bytes"}},
}

func TestMalformedGGUF(t *testing.T) {
	for _, test := range malformedGGUF {
		t.Run(test.name, func(t *testing.T) {
			dir := files{"m.gguf": test.data}.write(t)
			refuseOpen(t, dir, len(test.data), append(test.want, "m.gguf: ", "loader: dir"), func() (*Checkpoint, error) { return OpenFile(dir + "/m.gguf") })
		})
	}
}

// TestGGUFBombs measures headers that are large or claim to be.
func TestGGUFBombs(t *testing.T) {
	if raceDetector {
		t.Skip("measures, in one goroutine")
	}
	empty := strings.Repeat("\x00", 8)
	for _, test := range []struct {
		name, data string
		limit      int
		want       string
	}{
		{"65,536 tensors, one twice", ggufFile(1<<16, 0, numberedGGUF(1<<16-1), ggufInfo("0", 24, 0, 1)), defaultHeader, "found twice"},
		{"65,537 tensors", ggufFile(1<<16+1, 0, numberedGGUF(1<<16+1)), defaultHeader, "expected at most 65536"},
		{"4,000,000 empty strings and a bool of 2", ggufFile(0, 2, ggufKey("a"), u32(9), u32(8), u64(4e6), strings.Repeat(empty, 4e6), ggufKey("b"), u32(7), "\x02"), defaultHeader, "found a bool of 2"},
		{"4,000,000 empty strings, one missing", ggufFile(0, 1, ggufKey("a"), u32(9), u32(8), u64(4e6+1), strings.Repeat(empty, 4e6)), defaultHeader, "found 0 bytes left"},
		{"array above the limit", ggufFile(0, 1, ggufKey("a"), u32(9), u32(0), u64(defaultHeader), strings.Repeat(" ", defaultHeader)), defaultHeader, "header of more than 33554432 bytes"},
		{"30,000,000 bools, the last wrong", ggufFile(0, 1, ggufKey("a"), u32(9), u32(7), u64(3e7), strings.Repeat("\x01", 3e7-1), "\x02"), defaultHeader, "found a bool of 2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			data := []byte(test.data)
			var err error
			c := measure(t, func() { _, err = parseGGUFLimited(data, test.limit) })
			t.Logf("%9d bytes: %8v, %9d bytes allocated", len(data), c.time, c.bytes)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			c.checkRefusal(t, len(data), longestTime)
		})
	}
	if _, err := parseGGUFLimited([]byte(ggufFile(0, 1, ggufKey("a"), u32(8), ggufText(strings.Repeat("x", 100)))), 64); err == nil || !strings.Contains(err.Error(), "raise the header limit") {
		t.Errorf("above a lower limit: %v", err)
	}
}

// numberedGGUF is the entries of n tensors of a byte.
func numberedGGUF(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(ggufInfo(strconv.Itoa(i), 24, uint64(32*i), 1))
	}
	return b.String()
}
