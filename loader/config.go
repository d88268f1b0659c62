package loader

import "bytes"

// StandardJSON returns data with the bare words that Python's json writes replaced by what
// JSON allows: Infinity by the largest float64, 1.7976931348623157e308 (which becomes
// infinite again as a float32), -Infinity by its negative, and NaN by null. Strings stay as
// they are, and so does everything that is not JSON in another way. Without such words it
// returns data itself.
func StandardJSON(data []byte) []byte {
	var out []byte
	from := 0 // data[:from] is in out
	inString := false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case !inString && (c == 'I' || c == 'N'):
			word, standard := "Infinity", "1.7976931348623157e308"
			if c == 'N' {
				word, standard = "NaN", "null"
			}
			if !isWord(data, i, word) {
				continue
			}
			out = append(append(out, data[from:i]...), standard...)
			from = i + len(word)
			i = from - 1
		}
	}
	if out == nil {
		return data
	}
	return append(out, data[from:]...)
}

// isWord reports whether word stands at data[i:] as a value of its own.
func isWord(data []byte, i int, word string) bool {
	end := i + len(word)
	if !bytes.HasPrefix(data[i:], []byte(word)) {
		return false
	}
	return (i == 0 || bytes.IndexByte([]byte(" \t\r\n,:[-"), data[i-1]) >= 0) &&
		(end == len(data) || bytes.IndexByte([]byte(" \t\r\n,]}"), data[end]) >= 0)
}
