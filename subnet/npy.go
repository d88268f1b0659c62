package subnet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// npyMagic begins every file of numpy's.
const npyMagic = "\x93NUMPY"

// npyHeader matches the dictionary that describes the array, as numpy writes it.
var npyHeader = regexp.MustCompile(`^\{'descr': '([^']*)', 'fortran_order': (True|False), 'shape': \(([0-9, ]*)\),? *\}\s*$`)

// readNPY reads a .npy file.
//
// Source: the format's description, numpy/lib/format.py of numpy 2.2.
func readNPY(data []byte) (*array, error) {
	header, body, err := splitNPY(data)
	if err != nil {
		return nil, err
	}
	m := npyHeader.FindSubmatch(header)
	if m == nil {
		return nil, fmt.Errorf("npy header: found %.80q, expected descr, fortran_order and shape", header)
	}
	d, err := parseDtype(string(m[1]))
	if err != nil {
		return nil, err
	}
	shape := []int{}
	for word := range strings.SplitSeq(string(m[3]), ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		n, err := strconv.Atoi(word)
		if err != nil {
			return nil, fmt.Errorf("npy header: shape (%.40s): expected whole numbers", m[3])
		}
		shape = append(shape, n)
	}
	a := new(array)
	if d.kind != 'O' {
		return a, a.fill(shape, d, string(m[2]) == "True", body, nil)
	}
	value, err := readPickle(body)
	if err != nil {
		return nil, fmt.Errorf("pickle: %w", err)
	}
	a, ok := value.(*array)
	if !ok || !a.built || fmt.Sprint(a.shape) != fmt.Sprint(shape) {
		return nil, fmt.Errorf("pickle: found no array of the header's shape %v", shape)
	}
	return a, nil
}

// splitNPY returns the text of a file's header and what follows it.
func splitNPY(data []byte) (header, body []byte, err error) {
	if !bytes.HasPrefix(data, []byte(npyMagic)) || len(data) < 12 {
		return nil, nil, errors.New("found no .npy file")
	}
	var n, at int
	switch version := data[6]; version {
	case 1:
		n, at = int(binary.LittleEndian.Uint16(data[8:])), 10
	case 2, 3:
		n, at = int(min(binary.LittleEndian.Uint32(data[8:]), 1<<20)), 12
	default:
		return nil, nil, fmt.Errorf("npy header: found version %d, expected 1 to 3", version)
	}
	if n > len(data)-at {
		return nil, nil, fmt.Errorf("npy header: found %d bytes, expected %d", len(data)-at, n)
	}
	return data[at : at+n], data[at+n:], nil
}
