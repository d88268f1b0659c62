package subnet

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// npy returns a .npy file of objects with a pickle.
func npy(pickle string) []byte {
	header := fmt.Sprintf("%-118s\n", "{'descr': '|O', 'fortran_order': False, 'shape': (), }")
	return append([]byte("\x93NUMPY\x01\x00"+string(rune(len(header)))+"\x00"+header), pickle...)
}

// short is a text of up to 255 bytes as a pickle has it.
func short(s string) string { return "\x8c" + string([]byte{byte(len(s))}) + s }

// name is a name as protocol 4 has it.
func name(module, n string) string { return short(module) + short(n) + "\x93" }

// object wraps a value into the 0-d array that numpy makes of it.
func object(value string) string { return array0("O8", "]"+value+"a") }

// array0 is a 0-d array of a type with contents.
func array0(kind, contents string) string {
	return vector("", kind, contents)
}

// vector is an array of a type; shape pushes the sizes.
func vector(shape, kind, contents string) string {
	return name("numpy._core.multiarray", "_reconstruct") + name("numpy", "ndarray") + "K\x00\x85C\x01b\x87R" +
		"(K\x01" + "(" + shape + "t" + dtypeOf(kind) + "\x89" + contents + "tb"
}

func dtypeOf(kind string) string {
	return name("numpy", "dtype") + short(kind) + "\x89\x88\x87R(K\x03" + short("<") + "NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
}

// floats8 is a vector of float64 zeros and ones.
func floats8(bits string) string {
	var b []byte
	for _, c := range bits {
		b = append(b, "\x00\x00\x00\x00\x00\x00"...)
		b = append(b, map[rune]string{'0': "\x00\x00", '1': "\xf0\x3f"}[c]...)
	}
	return vector("K"+string([]byte{byte(len(bits))}), "f8", "C"+string([]byte{byte(len(b))})+string(b))
}

const proto = "\x80\x04"

// depths is a strategy that removes one layer.
func depths(bits string) string {
	return "}(" + short("strategy") + "}K\x01" + floats8(bits) + "su"
}

func TestPickleReads(t *testing.T) {
	for name, pickle := range map[string]string{
		"protocol 4":       proto + object(depths("1011")) + ".",
		"protocol 5":       "\x80\x05" + object(depths("1011")) + ".",
		"framed":           framed(object(depths("1011")) + "."),
		"float key":        proto + object("}("+short("strategy")+"}G\x3f\xf0\x00\x00\x00\x00\x00\x00"+floats8("1011")+"su") + ".",
		"numpy key":        proto + object("}("+short("strategy")+"}"+name("numpy.core.multiarray", "scalar")+dtypeOf("i8")+"C\x08\x01\x00\x00\x00\x00\x00\x00\x00\x86R"+floats8("1011")+"su") + ".",
		"old strings":      strings.ReplaceAll(proto+object(depths("1011"))+".", short("f8"), "U\x02f8"),
		"_frombuffer":      proto + object("}("+short("strategy")+"}K\x01"+name("numpy._core.numeric", "_frombuffer")+"(\x96\x04\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01\x01"+dtypeOf("b1")+"K\x04\x85"+short("C")+"tRsu") + ".",
		"bytes of latin 1": proto + object("}("+short("strategy")+"}K\x01"+vector("K\x04", "b1", name("_codecs", "encode")+short("\x01\x00\x01\x01")+short("latin1")+"\x86R")+"su") + ".",
	} {
		s, err := ReadStrategy(npy(pickle))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if d := s.Depths[1]; fmt.Sprint(d.Kept) != "[true false true true]" {
			t.Errorf("%s: kept %v", name, d.Kept)
		}
	}
}

func framed(body string) string {
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], uint64(len(body)))
	return proto + "\x95" + string(n[:]) + body
}

// What could run code, and what is damaged, is refused with a reason.
func TestPickleRefuses(t *testing.T) {
	good := object(depths("1011"))
	nested := strings.Repeat("]", 70) + strings.Repeat("a", 69)
	for pickle, want := range map[string]string{
		"cos\nsystem\n(S'id'\ntR.":                      "protocol 2 to 5",
		proto + "cos\nsystem\n(" + short("id") + "tR.":  `"os.system"`,
		proto + name("posix", "system") + ".":           `"posix.system"`,
		proto + name("os", "system") + short("x") + ".": `"os.system"`,
		proto + name("builtins", "eval") + ".":          `"builtins.eval"`,
		proto + name("numpy", "load") + ".":             `"numpy.load"`,
		proto + name("numpy.ndarray", "tofile") + ".":   `"numpy.ndarray.tofile"`,
		proto + "(ios\nsystem\n.":                       "INST",
		proto + "(" + short("x") + "o.":                 "OBJ",
		proto + name("numpy", "ndarray") + ")\x81.":     "NEWOBJ",
		proto + "\x82\x01.":                             "EXT1",
		proto + "Pid\n.":                                "PERSID",
		proto + short("id") + "Q.":                      "BINPERSID",
		"\x80\x05\x97.":                                 "NEXT_BUFFER",
		proto + "\xff.":                                 "unknown",
		proto + "S'x'\n.":                               "unknown",
		proto + name("_codecs", "encode") + short("x") + short("rot13") + "\x86R.": "latin1",
		proto + short("x") + ")R.":                                       "REDUCE",
		proto + name("numpy", "ndarray") + ")R.":                         "not a function",
		proto + name("numpy", "dtype") + short("V8") + "\x85R.":          "element type",
		proto + name("numpy", "dtype") + ")R.":                           "no argument",
		proto + "]}b.":                                                   "BUILD",
		proto + "\x95\xff\xff\xff\xff\xff\xff\xff\xff.":                  "frame",
		proto + "\x95\x02\x00\x00\x00\x00\x00\x00\x00J\x01\x00\x00\x00.": "found 1 bytes to the end",
		proto + "X\xff\xff\xff\x7fabc.":                                  "expected",
		proto + "\x8e\xff\xff\xff\xff\xff\xff\xff\xff.":                  "expected",
		proto + "h\x05.":                                                 "no remembered value",
		proto + "a.":                                                     "stack",
		proto + "t.":                                                     "no mark",
		proto + "(a.":                                                    "mark",
		proto + "N(\x85.":                                                "mark",
		proto + "K\x01K\x02a.":                                           "expected a list",
		proto + "](K\x01u.":                                              "expected a dictionary",
		proto + "}(K\x01u.":                                              "pairs",
		proto + "\x8a\x09123456789.":                                     "at most 8",
		proto + "]\x94h\x00a.":                                           "contains itself",
		proto + "}\x94K\x01h\x00s.":                                      "contains itself",
		proto + nested + ".":                                             "nesting",
		proto + good:                                                     "to the end",
		proto + good + ".x":                                              "after the end",
		proto + good + good + ".":                                        "values",
		proto + "N.":                                                     "no array",
		proto + vector("", "f8", "C\x08\x00\x00\x00\x00\x00\x00\x00\x00")[:60] + ".":                       "",
		proto + object("}("+short("strategy")+"}K\x02"+floats8("1011")+"su") + ".":                         "1 layers removed",
		proto + object("}("+short("strategy")+"}K\x01"+floats8("1011")+"K\x01"+floats8("1011")+"uu") + ".": "",
		proto + object("}("+short("other")+"Nu") + ".":                                                     "name of a projection",
		proto + object("]") + ".": "expected a dictionary",
		proto + object("}("+short("strategy")+"}K\x01"+vector("K\x05", "f8", "C\x08\x00\x00\x00\x00\x00\x00\x00\x00")+"su") + ".":                                               "room",
		proto + object("}("+short("strategy")+"}K\x01"+vector("J\xff\xff\xff\x7fJ\xff\xff\xff\x7fJ\xff\xff\xff\x7f", "f8", "C\x08\x00\x00\x00\x00\x00\x00\x00\x00")+"su") + ".": "room",
		proto + object("}("+short("strategy")+"}K\x01"+vector("J\xff\xff\xff\xff", "f8", "C\x00")+"su") + ".":                                                                   "shape",
		proto + object("}("+short("strategy")+"}K\x01"+vector("K\x01", "f8", "C\x07\x00\x00\x00\x00\x00\x00\x00")+"su") + ".":                                                   "elements",
	} {
		s, err := ReadStrategy(npy(pickle))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: found %v and %v, expected an error about %q", pickle, s, err, want)
		}
	}
}

// Values of which each holds the one before twice cost what they take in the file.
func TestPickleSharing(t *testing.T) {
	pickle := proto + "(]\x94"
	for i := range byte(60) {
		pickle += "h" + string([]byte{i}) + "h" + string([]byte{i}) + "\x86\x94"
	}
	start := time.Now()
	if _, err := readPickle([]byte(pickle + "t.")); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func FuzzStrategy(f *testing.F) {
	for _, file := range []string{"golden/amoeba_tiny/final_strategy.npy", "golden/amoeba_tiny/dp_selection_strategy.npy", "amoeballm/final_strategy.npy", "amoeballm/metric.npy"} {
		if b, err := os.ReadFile("testdata/" + file); err == nil {
			f.Add(b)
			if s, err := ReadStrategy(b); err == nil {
				j, err := s.JSON()
				if err != nil {
					f.Fatal(err)
				}
				f.Add(j)
			}
		}
	}
	f.Add(npy(proto + object(depths("1011")) + "."))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ReadStrategy(data)
		if err != nil {
			return
		}
		j, err := s.JSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ReadStrategy(j)
		if err != nil {
			t.Fatalf("%v of %s", err, j)
		}
		if k, err := again.JSON(); err != nil || !bytes.Equal(j, k) {
			t.Fatalf("%v: %s became %s", err, j, k)
		}
	})
}
