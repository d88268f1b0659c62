package tokenizer

// A finder returns the first match of a pattern in s at or after i: s[start:end], never empty,
// or start = end = len(s) if there is none. Each finder is one regular expression written out by
// hand; where alternatives overlap, the order of the tests is the order of the alternatives.
type finder func(c *classes, s []byte, i int) (start, end int)

// contraction returns the end of 's 't 're 've 'm 'll 'd at s[i], or 0. With fold, the letters
// match in either case, and U+017F, the long s, as s.
func contraction(s []byte, i int, fold bool) int {
	if len(s)-i < 2 || s[i] != '\'' {
		return 0
	}
	var bit byte // sets the lower-case bit of an ASCII letter
	if fold {
		bit = 0x20
	}
	var second byte
	switch s[i+1] | bit {
	case 's', 't', 'm', 'd':
		return i + 2
	case 'r', 'v':
		second = 'e'
	case 'l':
		second = 'l'
	default:
		if fold && len(s)-i > 2 && s[i+1] == 0xC5 && s[i+2] == 0xBF {
			return i + 3
		}
		return 0
	}
	if len(s)-i > 2 && s[i+2]|bit == second {
		return i + 3
	}
	return 0
}

// spaces matches \s+(?!\S)|\s+ at s[i], which is white space: the run without its last character
// if something else follows and that leaves anything.
func (c *classes) spaces(s []byte, i int) int {
	last := i
	for j := i; ; {
		if j == len(s) {
			return j
		}
		class, size := c.at(s, j)
		if class&space == 0 {
			if last == i {
				return j
			}
			return last
		}
		last = j
		j += size
	}
}

// linesOrSpaces matches \s*[\r\n]+|\s+(?!\S)|\s+ at s[i], which is white space: up to the last
// newline of the run if it has one.
func (c *classes) linesOrSpaces(s []byte, i int) int {
	last, line := i, 0
	for j := i; ; {
		var class uint8
		var size int
		if j < len(s) {
			class, size = c.at(s, j)
		}
		switch {
		case class&space != 0:
			last = j
			j += size
			if b := s[last]; b == '\n' || b == '\r' {
				line = j
			}
		case line > 0:
			return line
		case j == len(s) || last == i:
			return j
		default:
			return last
		}
	}
}

// newlines returns the end of the run of \r, \n and also at s[i].
func newlines(s []byte, i int, also byte) int {
	for i < len(s) && (s[i] == '\r' || s[i] == '\n' || s[i] == also) {
		i++
	}
	return i
}

// digits returns the end of the run of at most limit numbers from s[i].
func (c *classes) digits(s []byte, i, limit int) int {
	for ; limit > 0 && i < len(s); limit-- {
		class, size := c.at(s, i)
		if class&number == 0 {
			break
		}
		i += size
	}
	return i
}

// findGPT2 is
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//
// Every character is in a match.
func findGPT2(c *classes, s []byte, i int) (start, end int) {
	if end := contraction(s, i, false); end > 0 {
		return i, end
	}
	j := i
	if s[i] == ' ' && i+1 < len(s) {
		j++
	}
	switch class, size := c.at(s, j); {
	case class&letter != 0:
		return i, c.while(s, j+size, letter)
	case class&number != 0:
		return i, c.while(s, j+size, number)
	case class&space == 0:
		return i, c.until(s, j+size, space|letter|number)
	}
	return i, c.spaces(s, i)
}

// findLlama3 returns the finder of
//
//	(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[W]+|\p{N}{1,digits}| ?[^\s\p{N}W]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
//
// where W, the word characters, is \p{L} or \p{L}\p{M}. Every character is in a match.
func findLlama3(word uint8, digits int) finder {
	return func(c *classes, s []byte, i int) (start, end int) {
		if end := contraction(s, i, true); end > 0 {
			return i, end
		}
		class, size := c.at(s, i)
		switch {
		case class&word != 0:
			return i, c.while(s, i+size, word)
		case class&number != 0:
			return i, c.digits(s, i, digits)
		}
		var next uint8
		if i+size < len(s) {
			next, _ = c.at(s, i+size)
		}
		if next&word != 0 && s[i] != '\n' && s[i] != '\r' {
			return i, c.while(s, i+size, word)
		}
		other := space | number | word
		if class&space == 0 || s[i] == ' ' && i+1 < len(s) && next&other == 0 {
			return i, newlines(s, c.until(s, i+size, other), '\n')
		}
		return i, c.linesOrSpaces(s, i)
	}
}

// findO200K returns the finder of
//
//	[^\r\n\p{L}\p{N}]?[U]*[W]+C?|[^\r\n\p{L}\p{N}]?[U]+[W]*C?|\p{N}{1,digits}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
//
// where U is \p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}, W is \p{Ll}\p{Lm}\p{Lo}\p{M} and C, unless contract
// is false, (?i:'s|'t|'re|'ve|'m|'ll|'d). Every character is in a match.
func findO200K(digits int, contract bool) finder {
	return func(c *classes, s []byte, i int) (start, end int) {
		class, size := c.at(s, i)
		if class&number != 0 {
			return i, c.digits(s, i, digits)
		}
		if end := c.casedWord(s, i, class, size); end > 0 {
			if contract {
				if e := contraction(s, end, true); e > 0 {
					return i, e
				}
			}
			return i, end
		}
		const other = space | letter | number
		if class&space == 0 {
			return i, newlines(s, c.until(s, i+size, other), '/')
		}
		if s[i] == ' ' && i+1 < len(s) {
			if next, _ := c.at(s, i+1); next&other == 0 {
				return i, newlines(s, c.until(s, i+1, other), '/')
			}
		}
		return i, c.linesOrSpaces(s, i)
	}
}

// casedWord matches [^\r\n\p{L}\p{N}]?[U]*[W]+|[^\r\n\p{L}\p{N}]?[U]+[W]* at s[i], a character
// of the given class and size that is no number; 0 means no match.
func (c *classes) casedWord(s []byte, i int, class uint8, size int) int {
	var after, here int // end of a match with and without the leading character
	var afterHasW, hereHasW bool
	if class&letter == 0 && s[i] != '\n' && s[i] != '\r' {
		after, afterHasW = c.cased(s, i+size)
	}
	if after > 0 && afterHasW {
		return after
	}
	if class&(letter|mark) != 0 {
		here, hereHasW = c.cased(s, i)
	}
	if hereHasW || after == 0 {
		return here
	}
	return after
}

// cased matches [U]*[W]+ at s[i] (hasW), or else [U]+[W]*; 0 means neither. A letter is in both
// sets unless it is an upper or a lower, a mark always.
func (c *classes) cased(s []byte, i int) (end int, hasW bool) {
	j, both := i, 0 // both: end of the last character of U that is in W
	for j < len(s) {
		class, size := c.at(s, j)
		if class&(letter|mark) == 0 || class&lower != 0 {
			if class&lower != 0 {
				return c.whileW(s, j+size), true
			}
			break
		}
		j += size
		if class&upper == 0 {
			both = j
		}
	}
	if both > 0 {
		return both, true
	}
	if j > i {
		return j, false
	}
	return 0, false
}

// whileW returns the end of the run of \p{Ll}\p{Lm}\p{Lo}\p{M} from s[i].
func (c *classes) whileW(s []byte, i int) int {
	for i < len(s) {
		class, size := c.at(s, i)
		if class&(letter|mark) == 0 || class&upper != 0 {
			break
		}
		i += size
	}
	return i
}
