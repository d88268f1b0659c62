package tokenizer

import "fmt"

// parsePostProcessor reads the post-processor.
func (t *Tokenizer) parsePostProcessor(v value) error {
	o, kind, err := v.component(map[string][]string{
		"ByteLevel":          byteLevelFields,
		"TemplateProcessing": {"single", "pair", "special_tokens"},
		"BertProcessing":     {"sep", "cls"},
		"RobertaProcessing":  {"sep", "cls", "trim_offsets", "add_prefix_space"},
		"Sequence":           {"processors"},
	})
	switch {
	case err != nil:
		return err
	case kind == "Sequence":
		return o.each("processors", t.parsePostProcessor)
	case kind == "TemplateProcessing":
		return t.parseTemplate(o)
	case kind == "BertProcessing":
		return t.parseEnds(o)
	}
	var prefix, trim bool
	if kind == "RobertaProcessing" {
		if err = o.flags([]string{"trim_offsets", "add_prefix_space"}, &trim, &prefix); err == nil {
			err = t.parseEnds(o)
		}
	} else {
		prefix, trim, _, err = o.byteLevel()
	}
	if trim && t.trim {
		return v.errorf("a second ByteLevel that trims offsets is not supported")
	}
	if trim {
		t.trim, t.trimPrefixed = true, prefix
	}
	return err
}

// parseEnds reads the tokens that go before and after a text.
func (t *Tokenizer) parseEnds(o object) error {
	if t.before != nil || t.after != nil {
		return o.errorf("a second post-processor that adds tokens is not supported")
	}
	for key, dst := range map[string]*[]int32{"cls": &t.before, "sep": &t.after} {
		list, err := o.get(key)
		if err != nil {
			return err
		}
		n := 0
		err = list.items(func(i int, v value) error {
			n++
			if i != 1 {
				return v.want("a string")
			}
			id, err := v.integer(maxVocab)
			if err != nil {
				return err
			}
			if _, err := t.token(id); err != nil {
				return v.errorf("%v", err)
			}
			*dst = []int32{id}
			return nil
		})
		if err != nil {
			return err
		}
		if n != 2 {
			return list.errorf("%d elements, expected a token and its id", n)
		}
	}
	return nil
}

// parseTemplate reads the template for one sequence; that for a pair is only checked to be there.
func (t *Tokenizer) parseTemplate(o object) error {
	if t.before != nil || t.after != nil {
		return o.errorf("a second post-processor that adds tokens is not supported")
	}
	special, err := o.get("special_tokens")
	if err != nil {
		return err
	}
	ids, err := t.templateTokens(special)
	if err != nil {
		return err
	}
	if pair, err := o.get("pair"); err != nil {
		return err
	} else if err := pair.want("an array"); err != nil {
		return err
	}
	sequences := 0
	err = o.each("single", func(v value) error {
		n, err := t.parseTemplatePiece(v, ids, sequences > 0)
		sequences += n
		return err
	})
	if err == nil && sequences != 1 {
		err = o.errorf("single has sequence A %d times, expected once", sequences)
	}
	return err
}

// parseTemplatePiece reads one step of a template: a token, which goes before or after the text,
// or the text itself, for which it returns 1.
func (t *Tokenizer) parseTemplatePiece(v value, ids map[string][]int32, after bool) (int, error) {
	piece, err := v.object("SpecialToken", "Sequence")
	if err != nil {
		return 0, err
	}
	if len(piece.keys) != 1 {
		return 0, v.errorf("expected one of SpecialToken, Sequence")
	}
	kind := piece.keys[0]
	o, err := piece.fields[kind].object("id", "type_id")
	if err != nil {
		return 0, err
	}
	name, err := o.str("id")
	switch {
	case err != nil:
		return 0, err
	case kind == "Sequence" && name == "A":
		return 1, nil
	case kind == "Sequence":
		return 0, o.errorf("sequence %q is not supported; supported here: A", name)
	case ids[name] == nil:
		return 0, o.errorf("token %q is not in special_tokens", name)
	case after:
		t.after = append(t.after, ids[name]...)
	default:
		t.before = append(t.before, ids[name]...)
	}
	if len(t.before)+len(t.after) > maxTemplate {
		return 0, v.errorf("the template adds more than %d tokens", maxTemplate)
	}
	return 0, nil
}

// templateTokens reads the ids behind the names in a template.
func (t *Tokenizer) templateTokens(v value) (map[string][]int32, error) {
	ids := make(map[string][]int32)
	err := v.entries(func(name string, val value) error {
		val.path += fmt.Sprintf("[%q]", name)
		o, err := val.object("id", "ids", "tokens")
		if err != nil {
			return err
		}
		if ids[name] != nil {
			return val.errorf("duplicate field")
		}
		ids[name] = []int32{}
		return o.each("ids", func(v value) error {
			id, err := v.integer(maxVocab)
			if err != nil {
				return err
			}
			if _, err := t.token(id); err != nil {
				return v.errorf("%v", err)
			}
			if ids[name] = append(ids[name], id); len(ids[name]) > maxTemplate {
				return v.errorf("more than %d ids", maxTemplate)
			}
			return nil
		})
	})
	return ids, err
}
