package loader

import (
	"math"
	"strconv"
	"strings"
	"testing"
)

// tensorOf is a file whose only tensor has the given entry, and n bytes of data.
func tensorOf(text string, n int) string { return st(`{"t":`+text+`}`, n) }

// headers are malformed single files and what each error must say. All name the file.
var headers = []struct {
	name string
	data string
	want []string
}{
	{"empty file", "", []string{"found 0 bytes", "at least the 8", "fetch"}},
	{"seven bytes", "\x01\x00\x00\x00\x00\x00\x00", []string{"found 7 bytes", "at least the 8"}},
	{"header length beyond the file", st("{}", 0)[:9], []string{"header length: found 2 bytes", "expected at most the 1 left", "cut short"}},
	{"header length above the limit", "\x01\x00\x00\x02\x00\x00\x00\x00{}", []string{"found 33554433 bytes", "at most 33554432", "raise"}},
	{"header length above 100 MB", "\x00\x00\x00\x07\x00\x00\x00\x00{}", []string{"found 117440512 bytes", "at most 33554432"}},
	{"header length 2^63-1", "\xff\xff\xff\xff\xff\xff\xff\x7f{}", []string{"found 9223372036854775807 bytes"}},
	{"header length 2^64-1", "\xff\xff\xff\xff\xff\xff\xff\xff{}", []string{"found 18446744073709551615 bytes"}},
	{"header of no bytes", st("", 0), []string{"byte 0", "found the end", "expected '{'"}},
	{"spaces only", st("    ", 0), []string{"byte 4", "found the end", "expected '{'"}},
	{"array", st("[]", 0), []string{`found "["`, "expected '{'"}},
	{"no closing brace", st(`{"t":{"dtype":"U8","shape":[],"data_offsets":[0,1]}`, 1), []string{"found the end", "expected ',' or '}'"}},
	{"text after the object", st("{}{", 0), []string{"byte 2", `found "{"`, "nothing after"}},
	{"NUL after the object", st("{}\x00", 0), []string{"byte 2", `"\x00"`}},
	{"byte order mark", st("\ufeff{}", 0), []string{"byte 0", "expected '{'"}},
	{"comma before the end", st("{"+entry("t", 0, 1)+",}", 1), []string{`found "}"`, `expected '"'`}},
	{"no comma", st("{"+entry("a", 0, 1)+entry("b", 1, 1)+"}", 2), []string{`found "\""`, "expected ',' or '}'"}},
	{"no colon", st(`{"t" {}}`, 0), []string{"expected ':'"}},
	{"single quotes", st(`{'t':{}}`, 0), []string{`found "'"`, `expected '"'`}},
	{"comment", st(`{/**/}`, 0), []string{`found "/"`}},
	{"entry is null", tensorOf(`null`, 0), []string{`tensor "t"`, `found "n"`, "expected '{'"}},
	{"entry is an array", tensorOf(`[]`, 0), []string{`tensor "t"`, `found "["`}},
	{"entry is empty", tensorOf(`{}`, 0), []string{`tensor "t"`, "found no dtype"}},
	{"no shape", tensorOf(`{"dtype":"U8","data_offsets":[0,1]}`, 1), []string{`tensor "t"`, "found no shape"}},
	{"no offsets", tensorOf(`{"dtype":"U8","shape":[]}`, 1), []string{`tensor "t"`, "found no data_offsets"}},
	{"unknown field", tensorOf(`{"dtype":"U8","shape":[],"data_offsets":[0,1],"strides":[1]}`, 1), []string{`tensor "t"`, `found key "strides"`, "expected one of"}},
	{"field in capitals", tensorOf(`{"Dtype":"U8","shape":[],"data_offsets":[0,1]}`, 1), []string{`tensor "t"`, `found key "Dtype"`}},
	{"dtype twice", tensorOf(`{"dtype":"U8","dtype":"I8","shape":[],"data_offsets":[0,1]}`, 1), []string{`tensor "t"`, "dtype: found twice"}},
	{"shape twice", tensorOf(`{"dtype":"U8","shape":[],"\u0073hape":[],"data_offsets":[0,1]}`, 1), []string{`tensor "t"`, "shape: found twice"}},
	{"offsets twice", tensorOf(`{"data_offsets":[0,1],"dtype":"U8","shape":[],"data_offsets":[0,1]}`, 1), []string{`tensor "t"`, "data_offsets: found twice"}},
	{"tensor twice", st("{"+entry("t", 0, 1)+","+entry("u", 1, 1)+","+entry("t", 2, 1)+"}", 3), []string{`tensor "t"`, "name: found twice, expected once"}},
	{"tensor twice by an escape", st(`{"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\u0074":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`, 0), []string{`tensor "t"`, "found twice"}},
	{"name of 513 bytes", st("{"+entry(strings.Repeat("n", 513), 0, 1)+"}", 1), []string{"key", "513 bytes", "at most 512"}},
	{"name with a raw control character", st("{\"a\nb\":{}}", 0), []string{`found "\n"`, "control character"}},
	{"name in broken UTF-8", st("{\"\xc3\x28\":{}}", 0), []string{"broken UTF-8", `"\xc3("`}},
	{"name in overlong UTF-8", st("{\"\xc0\xaf\":{}}", 0), []string{"broken UTF-8"}},
	{"unknown escape", st(`{"\x41":{}}`, 0), []string{"key", "found escape", "expected one of JSON"}},
	{"short escape", st(`{"\u41":{}}`, 0), []string{"key", "found escape"}},
	{"half a surrogate pair", st(`{"\ud83d":{}}`, 0), []string{"key", "found escape"}},
	{"half a surrogate pair and text", st(`{"\ud83dabcdefgh":{}}`, 0), []string{"key", "found escape", `"\\ud83d"`}},
	{"half a surrogate pair and an escape", st(`{"\ud83d\u0041":{}}`, 0), []string{"key", "found escape"}},
	{"escape that is not hexadecimal", st(`{"\u00g0":{}}`, 0), []string{"key", "found escape", `"\\u00g0"`}},
	{"surrogate and a later character", st(`{"\ud83d\ue000":{}}`, 0), []string{"key", "found escape"}},
	{"second half twice", st(`{"\ude00\ude00":{}}`, 0), []string{"key", "found escape"}},
	{"surrogates in reverse", st(`{"\ude00\ud83d":{}}`, 0), []string{"key", "found escape"}},
	{"string without end", st(`{"abc`, 0), []string{"found the end", "after a string"}},
	{"backslash at the end", st(`{"abc\`, 0), []string{"found the end"}},
	{"unknown type", tensorOf(`{"dtype":"F4","shape":[],"data_offsets":[0,1]}`, 1), []string{`tensor "t"`, `dtype: `, `found "F4"`, "expected F64, F32"}},
	{"type in small letters", tensorOf(`{"dtype":"f32","shape":[],"data_offsets":[0,4]}`, 4), []string{`tensor "t"`, `found "f32"`}},
	{"type named invalid", tensorOf(`{"dtype":"invalid","shape":[],"data_offsets":[0,0]}`, 0), []string{`tensor "t"`, `found "invalid"`}},
	{"type is a number", tensorOf(`{"dtype":32,"shape":[],"data_offsets":[0,4]}`, 4), []string{`tensor "t"`, "dtype", `found "32"`, `expected '"'`}},
	{"shape is a number", tensorOf(`{"dtype":"U8","shape":4,"data_offsets":[0,4]}`, 4), []string{`tensor "t"`, "shape", `found "4"`, "expected '['"}},
	{"negative dimension", tensorOf(`{"dtype":"U8","shape":[-4],"data_offsets":[0,4]}`, 4), []string{`tensor "t"`, "shape", `found "-4"`, "non-negative integer"}},
	{"two negative dimensions", tensorOf(`{"dtype":"U8","shape":[-2,-2],"data_offsets":[0,4]}`, 4), []string{`tensor "t"`, "shape", `found "-2"`}},
	{"fraction", tensorOf(`{"dtype":"U8","shape":[4.0],"data_offsets":[0,4]}`, 4), []string{`tensor "t"`, "shape", `found "4.0"`, "plain decimal"}},
	{"exponent", tensorOf(`{"dtype":"U8","shape":[1e1],"data_offsets":[0,10]}`, 10), []string{`tensor "t"`, "shape", `found "1e1"`}},
	{"leading zero", tensorOf(`{"dtype":"U8","shape":[04],"data_offsets":[0,4]}`, 4), []string{`tensor "t"`, "shape", `found "04"`}},
	{"plus sign", tensorOf(`{"dtype":"U8","shape":[+4],"data_offsets":[0,4]}`, 4), []string{`tensor "t"`, "shape", `found "+4"`}},
	{"minus zero", tensorOf(`{"dtype":"U8","shape":[-0],"data_offsets":[0,0]}`, 0), []string{`tensor "t"`, "shape", `found "-0"`}},
	{"dimension as text", tensorOf(`{"dtype":"U8","shape":["4"],"data_offsets":[0,4]}`, 4), []string{`tensor "t"`, "shape", "non-negative integer"}},
	{"dimension 2^63", tensorOf(`{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,4]}`, 4), []string{`tensor "t"`, "shape", `found "9223372036854775808"`}},
	{"dimension 2^64+4", tensorOf(`{"dtype":"U8","shape":[18446744073709551620],"data_offsets":[0,4]}`, 4), []string{`tensor "t"`, "shape", `found "18446744073709551620"`}},
	{"product 2^64", tensorOf(`{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}`, 0), []string{`tensor "t"`, "shape", "overflows"}},
	{"product 2^64 in bytes", tensorOf(`{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}`, 0), []string{`tensor "t"`, "shape", "overflows"}},
	{"product overflows before a zero", tensorOf(`{"dtype":"U8","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}`, 0), []string{`tensor "t"`, "shape", "overflows"}},
	{"product above 2^63 before a zero", tensorOf(`{"dtype":"U8","shape":[4611686018427387904,3,0],"data_offsets":[0,0]}`, 0), []string{`tensor "t"`, "shape", "overflows"}},
	{"dimension 2^42+1", tensorOf(`{"dtype":"F32","shape":[4398046511105,1048576],"data_offsets":[0,4194304]}`, 4194304), []string{`tensor "t"`, "shape", "overflows"}},
	{"exabytes", tensorOf(`{"dtype":"U8","shape":[1152921504606846976],"data_offsets":[0,4]}`, 4), []string{`tensor "t"`, "found 4 bytes, [0,4]", "expected 1152921504606846976"}},
	{"rank 9", tensorOf(`{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}`, 1), []string{`tensor "t"`, "shape", "more than 8 dimensions"}},
	{"nested shape", tensorOf(`{"dtype":"U8","shape":[[1]],"data_offsets":[0,1]}`, 1), []string{`tensor "t"`, "shape", `found "["`}},
	{"comma after a dimension", tensorOf(`{"dtype":"U8","shape":[1,],"data_offsets":[0,1]}`, 1), []string{`tensor "t"`, "shape", `found "]"`}},
	{"size below the shape", tensorOf(`{"dtype":"F32","shape":[2,2],"data_offsets":[0,15]}`, 15), []string{`tensor "t"`, "data_offsets", "found 15 bytes, [0,15]", "expected 16 for F32 [2 2]"}},
	{"size above the shape", tensorOf(`{"dtype":"BF16","shape":[2],"data_offsets":[0,5]}`, 5), []string{`tensor "t"`, "found 5 bytes", "expected 4 for BF16 [2]"}},
	{"empty shape with bytes", tensorOf(`{"dtype":"U8","shape":[0],"data_offsets":[0,1]}`, 1), []string{`tensor "t"`, "found 1 bytes", "expected 0"}},
	{"scalar without bytes", tensorOf(`{"dtype":"F32","shape":[],"data_offsets":[0,0]}`, 0), []string{`tensor "t"`, "found 0 bytes", "expected 4 for F32 []"}},
	{"one offset", tensorOf(`{"dtype":"U8","shape":[],"data_offsets":[1]}`, 1), []string{`tensor "t"`, "data_offsets", "found 1 numbers", "expected 2"}},
	{"three offsets", tensorOf(`{"dtype":"U8","shape":[],"data_offsets":[0,1,2]}`, 1), []string{`tensor "t"`, "data_offsets", "found 3 numbers"}},
	{"offsets in reverse", tensorOf(`{"dtype":"U8","shape":[4],"data_offsets":[4,0]}`, 4), []string{`tensor "t"`, "data_offsets", "found [4 0]"}},
	{"end beyond the data", tensorOf(`{"dtype":"U8","shape":[5],"data_offsets":[0,5]}`, 4), []string{`tensor "t"`, "data_offsets", "found [0 5]", "at most 4"}},
	{"end at 2^63-1", tensorOf(`{"dtype":"U8","shape":[9223372036854775807],"data_offsets":[0,9223372036854775807]}`, 4), []string{`tensor "t"`, "data_offsets", "at most 4"}},
	{"begin beyond the data", tensorOf(`{"dtype":"U8","shape":[0],"data_offsets":[9,9]}`, 4), []string{`tensor "t"`, "data_offsets", "found [9 9]"}},
	{"offsets are an object", tensorOf(`{"dtype":"U8","shape":[],"data_offsets":{}}`, 1), []string{`tensor "t"`, "data_offsets", "expected '['"}},
	{"hole at the front", st("{"+entry("t", 1, 3)+"}", 4), []string{`tensor "t"`, "data_offsets", "found [1,4]", "a hole", "expected a begin of 0"}},
	{"hole between", st("{"+entry("a", 0, 1)+","+entry("b", 2, 2)+"}", 4), []string{`tensor "b"`, "found [2,4]", "a hole", "expected a begin of 1"}},
	{"overlap", st("{"+entry("b", 0, 3)+","+entry("a", 2, 2)+"}", 4), []string{`tensor "a"`, "found [2,4]", "an overlap", "expected a begin of 3"}},
	{"same extent twice", st("{"+entry("a", 0, 4)+","+entry("b", 0, 4)+"}", 4), []string{"an overlap", "expected a begin of 4"}},
	{"empty tensor inside another", st("{"+entry("a", 0, 4)+","+entry("b", 2, 0)+"}", 4), []string{`tensor "b"`, "found [2,2]", "an overlap"}},
	{"trailing byte", st("{"+entry("t", 0, 4)+"}", 5), []string{"data", "found 5 bytes", "expected the 4"}},
	{"data without tensors", st("{}", 5), []string{"data", "found 5 bytes", "expected the 0"}},
	{"metadata twice", st(`{"__metadata__":{},"__metadata__":{}}`, 0), []string{"__metadata__: found twice"}},
	{"metadata key twice", st(`{"__metadata__":{"a":"1","a":"2"}}`, 0), []string{`__metadata__: key "a": found twice`}},
	{"metadata null", st(`{"__metadata__":null}`, 0), []string{"__metadata__", `found "n"`}},
	{"metadata number", st(`{"__metadata__":{"a":1}}`, 0), []string{`__metadata__: key "a"`, `found "1"`}},
	{"metadata object", st(`{"__metadata__":{"a":{}}}`, 0), []string{`__metadata__: key "a"`, `found "{"`}},
	{"metadata of 200,000 levels", st(`{"__metadata__":`+strings.Repeat(`{"a":`, 200_000), 0), []string{"__metadata__", `found "{"`}},
	{"metadata of 4097 keys", st(`{"__metadata__":{`+numbered(4097, `"%":"",`)+`}}`, 0), []string{"__metadata__", "more than 4096 keys"}},
	{"pickle", "\x80\x02}q\x00.", []string{"found a pickle", "can run code", "convert it to safetensors"}},
	{"old torch file", "\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.", []string{"found a pickle", "convert"}},
	{"torch archive", "PK\x03\x04\x00\x00\x08\x08\x00\x00\x00\x00\x00\x00archive/data.pkl", []string{"PyTorch archive with a pickle", "convert"}},
	{"zip archive", "PK\x03\x04\x14\x00\x08\x08\x00\x00\x00\x00\x00\x00weights.npy", []string{"found a zip archive", "unpack"}},
	{"web page", "\n<!DOCTYPE html>\n<html><head>", []string{"found an HTML", "fetch the file itself"}},
	{"web page in capitals", "<HTML>" + strings.Repeat(" ", 600), []string{"found an HTML"}},
	{"store's error", `<?xml version="1.0"?><Error><Code>AccessDenied</Code>`, []string{"XML"}},
	{"hub's error", `{"error":"Invalid username or password."}`, []string{"found JSON text"}},
	{"LFS pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", []string{"found a Git LFS pointer", "git lfs pull"}},
	{"GGUF", "GGUF\x03\x00\x00\x00\x00\x00\x00\x00", []string{"found a GGUF file"}},
}

// numbered repeats a pattern with % as 0, 1, ..., without the last comma.
func numbered(n int, pattern string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(pattern, "%", strconv.Itoa(i)))
	}
	return strings.TrimSuffix(b.String(), ",")
}

// indexed is a directory with the given weight_map and three good shards.
func indexed(weightMap string) files {
	return files{
		"model.safetensors.index.json": `{"metadata":{"total_size":12},"weight_map":` + weightMap + `}`,
		"1.safetensors":                shard("a"), "2.safetensors": shard("b", "c"), "sub": shard("z"),
	}
}

// rawIndex is a directory with only an index.
func rawIndex(text string) files { return files{"model.safetensors.index.json": text} }

const indexName = "model.safetensors.index.json"

var directories = []struct {
	name  string
	files files
	want  []string
}{
	{"nothing", files{}, []string{"found no weights", "expected model.safetensors or model.safetensors.index.json"}},
	{"only a config", files{"config.json": "{}"}, []string{"found no weights"}},
	{"only a pickle", files{"pytorch_model.bin": "\x80\x02}q\x00."}, []string{"pytorch_model.bin", "found a pickle", "expected model.safetensors", "convert"}},
	{"only a torch archive", files{"a.txt": "x", "model.pt": "PK\x03\x04\x00\x00\x08\x08\x00\x00archive/data.pkl"}, []string{"model.pt", "PyTorch archive", "convert"}},
	{"only an old torch file under another name", files{"weights": "\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."}, []string{"weights", "found a pickle"}},
	{"a GGUF file beside a configuration", files{"config.json": "{}", "m.gguf": "GGUF\x03\x00\x00\x00"}, []string{"m.gguf", "found a GGUF file"}},
	{"only other safetensors", files{"weights.safetensors": shard("a")}, []string{`found only "weights.safetensors"`, "open that file by its name"}},
	{"large config", files{"config.json": strings.Repeat(" ", maxConfig+1), "model.safetensors": shard("a")}, []string{"config.json", "found 4194305 bytes", "at most 4194304"}},

	{"index is empty", rawIndex(""), []string{indexName, "found the end", "expected '{'"}},
	{"index is an array", rawIndex("[]"), []string{indexName, `found "["`}},
	{"index without a map", rawIndex(`{"metadata":{}}`), []string{indexName, "weight_map: found no tensors"}},
	{"map is empty", rawIndex(`{"weight_map":{}}`), []string{indexName, "weight_map: found no tensors"}},
	{"map is an array", rawIndex(`{"weight_map":[]}`), []string{indexName, "weight_map", `found "["`, "expected '{'"}},
	{"map twice", rawIndex(`{"weight_map":{"a":"1.safetensors"},"weight_map":{}}`), []string{indexName, "weight_map: found twice"}},
	{"index is cut", rawIndex(`{"weight_map":{"a":"1.safet`), []string{indexName, "weight_map", "found the end"}},
	{"text after the index", rawIndex(`{"weight_map":{"a":"1.safetensors"}} x`), []string{indexName, `found "x"`}},
	{"shard name is a number", rawIndex(`{"weight_map":{"a":1}}`), []string{indexName, `tensor "a"`, `found "1"`, `expected '"'`}},
	{"shard name is null", rawIndex(`{"weight_map":{"a":null}}`), []string{indexName, `tensor "a"`, `found "n"`}},
	{"tensor name of 513 bytes", rawIndex(`{"weight_map":{"` + strings.Repeat("n", 513) + `":"1.safetensors"}}`), []string{indexName, "513 bytes"}},
	{"tensor name in broken UTF-8", rawIndex("{\"weight_map\":{\"\xff\":\"1.safetensors\"}}"), []string{indexName, "broken UTF-8"}},
	{"deep metadata", rawIndex(`{"metadata":` + strings.Repeat("[", 100_000)), []string{indexName, "more than 64 levels"}},
	{"string in metadata is broken", rawIndex("{\"metadata\":\"\xff\"}"), []string{indexName, "broken UTF-8"}},
	{"metadata is broken", rawIndex(`{"metadata":{"total_size":nul},"weight_map":{}}`), []string{indexName, `found "n"`, "expected a JSON value"}},
	{"index above 32 MiB", rawIndex(strings.Repeat(" ", maxIndex+1)), []string{indexName, "found 33554433 bytes"}},
	{"1,001 shards", rawIndex(`{"weight_map":{` + numbered(1001, `"%":"%",`) + `}}`), []string{indexName, "weight_map", "more than 1000 shards"}},
	{"tensor twice", indexed(`{"a":"1.safetensors","b":"2.safetensors","a":"1.safetensors"}`), []string{indexName, `tensor "a": found twice`}},
	{"tensor in two shards", indexed(`{"a":"1.safetensors","b":"2.safetensors","a":"2.safetensors"}`), []string{indexName, `tensor "a": found twice`}},
	{"tensor in the wrong shard", indexed(`{"a":"1.safetensors","b":"2.safetensors","c":"1.safetensors"}`), []string{"2.safetensors", `tensor "c"`, "found it in this file", `expected it in "1.safetensors"`}},
	{"tensor in no shard", indexed(`{"a":"1.safetensors","a2":"1.safetensors","b":"2.safetensors","c":"2.safetensors"}`), []string{indexName, `tensor "a2"`, `found nothing in shard "1.safetensors"`, "one revision"}},
	{"tensor not in the map", indexed(`{"a":"1.safetensors","b":"2.safetensors"}`), []string{"2.safetensors", `tensor "c"`, "expected it where weight_map puts it"}},
	{"shard is missing", indexed(`{"a":"1.safetensors","b":"2.safetensors","c":"2.safetensors","d":"4.safetensors"}`), []string{indexName, `shard "4.safetensors"`, "found no such file"}},
	{"one file under two names", indexed(`{"a":"1.safetensors","b":"2.safetensors","c":"2.safetensors","a2":"./1.safetensors"}`), []string{indexName, `tensor "a2"`, `found file name "./1.safetensors"`}},
	{"shard is a directory's parent", indexed(`{"a":".."}`), []string{indexName, `found file name ".."`, "expected a base name"}},
	{"shard is the directory", indexed(`{"a":"."}`), []string{indexName, `found file name "."`}},
	{"shard name is empty", indexed(`{"a":""}`), []string{indexName, `found file name ""`}},
	{"shard above the directory", indexed(`{"a":"../1.safetensors"}`), []string{indexName, `"../1.safetensors"`, "expected a base name"}},
	{"shard is absolute", indexed(`{"a":"/etc/passwd"}`), []string{indexName, `"/etc/passwd"`}},
	{"shard below the directory", indexed(`{"a":"sub/1.safetensors"}`), []string{indexName, `"sub/1.safetensors"`}},
	{"shard with a backslash", indexed(`{"a":"..\\1.safetensors"}`), []string{indexName, "expected a base name"}},
	{"shard with a drive letter", indexed(`{"a":"C:1.safetensors"}`), []string{indexName, "expected a base name"}},
	{"shard with a stream", indexed(`{"a":"1.safetensors:x"}`), []string{indexName, "expected a base name"}},
	{"shard with NUL", indexed(`{"a":"1.safe\u0000tensors"}`), []string{indexName, `"1.safe\x00tensors"`, "expected a base name"}},
	{"shard name of 256 bytes", indexed(`{"a":"` + strings.Repeat("n", 256) + `"}`), []string{indexName, "expected a base name"}},
	{"shard is a pickle", files{indexName: `{"weight_map":{"a":"1.bin"}}`, "1.bin": "\x80\x04K\x01."}, []string{"1.bin", "found a pickle"}},
	{"shard is the index", files{indexName: `{"weight_map":{"a":"` + indexName + `"}}`}, []string{indexName, "found JSON text"}},
	{"shard is malformed", files{indexName: `{"weight_map":{"a":"1.safetensors"}}`, "1.safetensors": shard("a") + "x"}, []string{"1.safetensors", "found 5 bytes", "expected the 4"}},
}

// refuse opens a directory that must be refused at the cost this package promises: 50 ms, and
// in memory twice the files and 16 MiB.
func refuse(t *testing.T, f files, want []string) {
	t.Helper()
	dir, size := f.write(t), 0
	for _, data := range f {
		size += len(data)
	}
	refuseOpen(t, dir, size, append(want, "loader: dir"), func() (*Checkpoint, error) { return Open(dir) })
}

// refuseOpen is refuse for any way to open files of size bytes in dir.
func refuseOpen(t *testing.T, dir string, size int, want []string, open func() (*Checkpoint, error)) {
	t.Helper()
	var c *Checkpoint
	var err error
	measure(t, func() { c, err = open() }).checkRefusal(t, size, promisedTime)
	if err == nil {
		c.Close()
		t.Fatal("accepted")
	}
	text := strings.ReplaceAll(err.Error(), dir, "dir")
	if math.MaxInt == math.MaxInt32 && strings.Contains(text, "on this machine") {
		return // refused sooner than with 64 bits
	}
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("error %q does not say %q", text, w)
		}
	}
	if len(text) > 500 {
		t.Errorf("error of %d bytes: %s", len(text), text)
	}
}

func TestMalformedFiles(t *testing.T) {
	for _, test := range headers {
		t.Run(test.name, func(t *testing.T) {
			refuse(t, files{"model.safetensors": test.data}, append(test.want, "model.safetensors: "))
		})
	}
}

func TestMalformedDirectories(t *testing.T) {
	for _, test := range directories {
		t.Run(test.name, func(t *testing.T) { refuse(t, test.files, test.want) })
	}
}
