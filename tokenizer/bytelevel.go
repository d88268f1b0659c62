package tokenizer

// byteSymbols maps bytes to the code points that stand for them in a byte-level vocabulary, and
// back. Bytes 33-126, 161-172 and 174-255 stand for themselves; the other 68 are U+0100 and up,
// in order. Source: bytes_to_unicode in openai/gpt-2@9b63575, src/encoder.py.
var byteSymbols = func() (t struct {
	utf8   [256]string // symbol of a byte
	rune   [256]rune   // the same
	bytes  [324]byte   // byte of a symbol
	symbol [324]bool   // whether a code point is a symbol
}) {
	other := rune(256)
	for b := range rune(256) {
		r := b
		if b < 33 || 126 < b && b < 161 || b == 173 {
			r = other
			other++
		}
		t.utf8[b], t.rune[b], t.bytes[r], t.symbol[r] = string(r), r, byte(b), true
	}
	return t
}()

// ByteSymbol returns the character that stands for a byte in a byte-level vocabulary, as GPT-2's and CLIP's are.
func ByteSymbol(b byte) string { return byteSymbols.utf8[b] }

// symbolByte returns the byte that r stands for.
func symbolByte(r rune) (b byte, ok bool) {
	if r < 0 || int(r) >= len(byteSymbols.bytes) {
		return 0, false
	}
	return byteSymbols.bytes[r], byteSymbols.symbol[r]
}

// decodeSymbols returns the bytes that a token's content stands for: those of its symbols, or its
// own if any character is no symbol.
func decodeSymbols(content string) string {
	same := 0 // bytes that stand for themselves
	for same < len(content) && '!' <= content[same] && content[same] <= '~' {
		same++
	}
	if same == len(content) {
		return content
	}
	raw := append(make([]byte, 0, len(content)), content[:same]...)
	for _, r := range content[same:] {
		b, ok := symbolByte(r)
		if !ok {
			return content
		}
		raw = append(raw, b)
	}
	return string(raw)
}
