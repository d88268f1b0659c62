package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// A component is a part of a tokenizer.json.
type component map[string]any

// splitBy cuts before and after the matches of a regular expression.
func splitBy(re string) component {
	return component{"type": "Split", "pattern": component{"Regex": re}, "behavior": "Isolated", "invert": false}
}

// toBytes makes symbols of bytes, after a split as GPT-2 does or none.
func toBytes(split bool) component {
	return component{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": split}
}

// A ggufPre is what a name of a pre-tokenizer stands for.
type ggufPre struct {
	stages       []component // before the bytes become symbols
	nfc          bool
	ignoreMerges bool
	bos          bool // texts begin with the beginning of text unless the file says otherwise
}

// ggufPreOf returns what a name stands for, and whether it is known.
func ggufPreOf(name string) (p ggufPre, ok bool) {
	numbers := splitBy(`\p{N}+`)
	threeDigits := splitBy(`[0-9][0-9][0-9]`)
	gpt2 := splitBy(reContract + `| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|` + reEnd)
	switch name {
	case "", "default":
		p.stages = []component{splitBy(`[\p{P}\$\+<=>\^~\|]+`), gpt2, numbers, threeDigits}
	case "gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "exaone4", "modern-bert":
		p.stages = []component{gpt2}
	case "llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "lfm2":
		p = ggufPre{stages: []component{splitBy(llama3(`\p{L}`, `\p{N}{1,3}`, `\p{L}\p{N}`))}, ignoreMerges: true, bos: true}
	case "dbrx", "smaug-bpe", "glm4", "chatglm-bpe":
		p.stages = []component{splitBy(llama3(`\p{L}`, `\p{N}{1,3}`, `\p{L}\p{N}`))}
	case "qwen2":
		p = ggufPre{stages: []component{splitBy(llama3(`\p{L}`, `\p{N}`, `\p{L}\p{N}`))}, nfc: true}
	case "deepseek-r1-qwen", "stablelm2", "hunyuan", "megrez", "solar-open", "grok-2":
		p.stages = []component{splitBy(llama3(`\p{L}`, `\p{N}`, `\p{L}\p{N}`))}
	case "qwen35":
		p = ggufPre{stages: []component{splitBy(llama3(`[\p{L}\p{M}]`, `\p{N}`, `\p{L}\p{M}\p{N}`))}, nfc: true}
	case "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b":
		p.stages = []component{splitBy(`\p{N}`), gpt2}
	case "falcon":
		p.stages = []component{{"type": "Punctuation", "behavior": "Contiguous"}, toBytes(true), numbers, threeDigits}
	case "deepseek-v3", "hunyuan-dense":
		p.stages = []component{splitBy(`\p{N}{1,3}`), splitBy(`[一-龥぀-ゟ゠-ヿ]+`), splitBy(reDeepSeek3)}
	case "gpt-4o", "llama4", "minimax-m2":
		p.stages = []component{splitBy(o200k(`\p{N}{1,3}`, reContractFold+`?`))}
	case "tekken":
		p = ggufPre{stages: []component{splitBy(o200k(`\p{N}`, ""))}, ignoreMerges: true, bos: true}
	default:
		return p, false
	}
	return p, true
}

// parseBPE builds the tokenizer of the model gpt2.
func (v *GGUFVocab) parseBPE() (*Tokenizer, error) {
	file, pre, err := v.partsBPE()
	if err != nil {
		return nil, err
	}
	t, err := v.build(file, func(t *Tokenizer, _ object) error { return v.setBPE(t, pre.ignoreMerges) })
	if err == nil {
		v.setEnds(t, pre.bos, false)
	}
	return t, err
}

// JSON returns a vocabulary of byte-level symbols (the model gpt2) as a tokenizer.json that encodes and
// decodes as [ParseGGUF] does. Others cannot be written.
func (v GGUFVocab) JSON() ([]byte, error) {
	if v.Model != "gpt2" {
		return nil, fmt.Errorf("tokenizer: gguf vocabulary: model: found %s, expected gpt2: others cannot be written as tokenizer.json", clip(v.Model))
	}
	t, err := ParseGGUF(v)
	if err != nil {
		return nil, err
	}
	file, pre, err := v.partsBPE()
	if err != nil {
		return nil, err
	}
	merges := make([][2]string, len(v.Merges))
	for i := range merges {
		if merges[i][0], merges[i][1], err = v.merge(i); err != nil {
			return nil, err
		}
	}
	added := []component{}
	for _, tok := range v.added(t.vocab) {
		added = append(added, component{
			"id": tok.ID, "content": tok.Content, "special": tok.Special, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
		})
	}
	file["version"] = "1.0"
	file["model"] = component{"type": "BPE", "vocab": t.vocab, "merges": merges, "ignore_merges": pre.ignoreMerges}
	file["added_tokens"] = added
	if len(t.before)+len(t.after) > 0 {
		file["post_processor"] = v.around(t)
	}
	return json.Marshal(file)
}

// around is the post-processor that puts tokens around a text.
func (v *GGUFVocab) around(t *Tokenizer) component {
	special := component{}
	single, pair := []component{}, []component{}
	tokens := func(ids []int32) {
		for _, id := range ids {
			s := v.Tokens[id]
			special[s] = component{"id": s, "ids": []int32{id}, "tokens": []string{s}}
			single = append(single, component{"SpecialToken": component{"id": s, "type_id": 0}})
		}
	}
	tokens(t.before)
	single = append(single, component{"Sequence": component{"id": "A", "type_id": 0}})
	tokens(t.after)
	pair = append(pair, single...)
	pair = append(pair, component{"Sequence": component{"id": "B", "type_id": 0}})
	return component{"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": special}
}

// partsBPE is the model gpt2 as a tokenizer.json without its model and added tokens.
func (v *GGUFVocab) partsBPE() (component, ggufPre, error) {
	pre, ok := ggufPreOf(v.Pre)
	if !ok {
		return nil, pre, fmt.Errorf("pre: found %s, which is not supported", clip(v.Pre))
	}
	stages := pre.stages
	if v.Pre != "falcon" { // whose stages make symbols in their midst
		stages = append(stages, toBytes(false))
	}
	file := component{
		"pre_tokenizer": component{"type": "Sequence", "pretokenizers": stages},
		"decoder":       toBytes(true),
	}
	if pre.nfc || v.NFC {
		file["normalizer"] = component{"type": "NFC"}
	}
	return file, pre, nil
}

// setBPE sets the model gpt2. It is not read of a tokenizer.json, which would take five times as long.
func (v *GGUFVocab) setBPE(t *Tokenizer, ignoreMerges bool) error {
	t.vocab = v.vocab()
	t.tokens = make([]token, len(v.Tokens))
	for s, id := range t.vocab {
		t.tokens[id] = token{content: s, exists: true}
	}
	m := newBPE(t.vocab, "", "")
	m.ignoreMerges, m.merges = ignoreMerges, newTable(len(v.Merges))
	t.model = m
	for i := range v.Merges {
		left, right, err := v.merge(i)
		if err != nil {
			return err
		}
		if err := t.addMerge(m, left, right, i); err != nil {
			return fmt.Errorf("merges: %d: %w", i, err)
		}
	}
	return nil
}

// merge returns the tokens of a merge.
func (v *GGUFVocab) merge(i int) (left, right string, err error) {
	s := v.Merges[i]
	// A token may begin with a space.
	n := strings.Index(s[min(1, len(s)):], " ") + 1
	if n == 0 || n+1 == len(s) {
		return "", "", fmt.Errorf("merges: found %s at %d, expected two tokens with a space between them", clip(s), i)
	}
	return s[:n], s[n+1:], nil
}

// parseBert builds the tokenizer of the model bert, whose file has a mark before words in place of
// "##" before what continues them.
func (v *GGUFVocab) parseBert() (*Tokenizer, error) {
	w := *v
	w.Tokens = make([]string, len(v.Tokens))
	for id, s := range v.Tokens {
		word, ok := strings.CutPrefix(s, wordMark)
		switch {
		case v.kind(id) == pieceControl || v.kind(id) == pieceUnknown:
			word = s
		case !ok:
			word = "##" + s
		}
		w.Tokens[id] = word
	}
	unk := "[UNK]"
	if v.Unknown != nil {
		unk = w.Tokens[*v.Unknown]
	}
	t, err := w.build(component{
		"model":         component{"type": "WordPiece", "vocab": w.vocab(), "unk_token": unk, "continuing_subword_prefix": "##", "max_input_chars_per_word": 100},
		"normalizer":    component{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": nil, "lowercase": true},
		"pre_tokenizer": component{"type": "BertPreTokenizer"},
		"decoder":       component{"type": "WordPiece", "prefix": "##", "cleanup": true},
	}, modelOf)
	if err != nil {
		return nil, err
	}
	if w.EOS = v.Separator; w.BOS == nil {
		if id, ok := t.ID("[CLS]"); ok {
			cls := int64(id)
			w.BOS = &cls
		}
	}
	w.setEnds(t, true, true)
	return t, nil
}

// vocab returns the ids of the tokens. Of the same token twice the first counts.
func (v *GGUFVocab) vocab() map[string]int32 {
	ids := make(map[string]int32, len(v.Tokens))
	for id, s := range slices.Backward(v.Tokens) {
		if s != "" {
			ids[s] = int32(id)
		}
	}
	return ids
}

// build builds the tokenizer of a tokenizer.json, with the added tokens: see [parse].
func (v *GGUFVocab) build(file component, setModel func(t *Tokenizer, file object) error) (*Tokenizer, error) {
	data, err := json.Marshal(file)
	if err != nil {
		return nil, err
	}
	t, err := parse(data, setModel)
	if err != nil {
		return nil, err
	}
	if err := t.addTokens(v.added(t.vocab)); err != nil {
		return nil, err
	}
	for id, s := range v.Tokens { // the same token again decodes as the first
		if id >= len(t.tokens) {
			t.tokens = append(t.tokens, token{})
		}
		if !t.tokens[id].exists && s != "" {
			t.tokens[id] = t.tokens[t.vocab[s]]
		}
	}
	t.spell()
	return t, nil
}
