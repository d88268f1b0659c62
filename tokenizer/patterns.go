package tokenizer

// Parts of the regular expressions below.
const (
	reContract     = `'s|'t|'re|'ve|'m|'ll|'d`
	reContractFold = `(?i:` + reContract + `)`
	reEnd          = `\s+(?!\S)|\s+`
	reLinesEnd     = `\s*[\r\n]+|` + reEnd
	reU            = `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`
	reW            = `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`
	reLead         = `[^\r\n\p{L}\p{N}]?`
	reDeepSeek3    = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|" +
		`[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|` + reLinesEnd
)

// A pattern is a regular expression of a Split pre-tokenizer and the scanner that stands for it.
type pattern struct {
	name string
	re   string
	matcher
	cover   bool   // every character of every text is in a match
	literal string // the pattern, if it is a string
}

// patterns lists the regular expressions that Split accepts, compared as strings.
var patterns = []pattern{
	{"GPT-2", reContract + `| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|` + reEnd, matcher{find: findGPT2}, true, ""},
	{"GPT-2", `'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|` + reEnd, matcher{find: findGPT2}, true, ""},
	{"Llama-3", llama3(`\p{L}`, `\p{N}{1,3}`, `\p{L}\p{N}`), matcher{find: findLlama3(letter, 3)}, true, ""},
	{"Llama-3", `'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|` + reEnd, matcher{find: findLlama3(letter, 3)}, true, ""},
	{"Qwen2", llama3(`\p{L}`, `\p{N}`, `\p{L}\p{N}`), matcher{find: findLlama3(letter, 1)}, true, ""},
	{"Qwen3.5", llama3(`[\p{L}\p{M}]`, `\p{N}`, `\p{L}\p{M}\p{N}`), matcher{find: findLlama3(letter|mark, 1)}, true, ""},
	{"o200k", o200k(`\p{N}{1,3}`, reContractFold+`?`), matcher{find: findO200K(3, true)}, true, ""},
	{"Tekken", o200k(`\p{N}`, ""), matcher{find: findO200K(1, false)}, true, ""},
	{"DeepSeek-V3", reDeepSeek3, matcher{find: findDeepSeek3}, false, ""},
	{"numbers", `\p{N}`, matcher{find: findNumber(1)}, false, ""},
	{"numbers", `\p{N}{1,3}`, matcher{find: findNumber(3)}, false, ""},
	{"numbers", `\p{N}+`, matcher{find: findNumber(maxPiece)}, false, ""},
	{"white space", `\s+`, matcher{find: findSpaces}, false, ""},
	{"two spaces or more", ` {2,}`, matcher{find: findSpaceRun}, false, ""},
	{"CLIP", reContract + `|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`, matcher{find: findCLIP}, false, ""},
	{"three digits", `[0-9][0-9][0-9]`, matcher{find: findThreeDigits}, false, ""},
	{"Chinese and kana", `[一-龥぀-ゟ゠-ヿ]+`, matcher{find: findCJK}, false, ""},
}

// llama3 writes the expression of findLlama3.
func llama3(word, digits, notOther string) string {
	return reContractFold + `|` + reLead + word + `+|` + digits + `| ?[^\s` + notOther + `]+[\r\n]*|` + reLinesEnd
}

// o200k writes the expression of findO200K.
func o200k(digits, contract string) string {
	return reLead + reU + `*` + reW + `+` + contract + `|` + reLead + reU + `+` + reW + `*` + contract + `|` +
		digits + `| ?[^\s\p{L}\p{N}]+[\r\n/]*|` + reLinesEnd
}

// findPattern looks up a regular expression.
func findPattern(re string) (pattern, bool) {
	for _, p := range patterns {
		if p.re == re {
			return p, true
		}
	}
	return pattern{}, false
}
