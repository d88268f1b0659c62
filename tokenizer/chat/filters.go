package chat

// filters are the filters by name; the first argument is what a filter applies to.
var filters map[string]*builtin

func init() {
	filters = named(map[string]*builtin{
		"tojson": define(toJSON, "x", "ensure_ascii=", "indent=", "separators=", "sort_keys="),

		"trim":        define(filterTrim, "value", "chars="),
		"upper":       onText(func(m *machine, s *str) value { return m.upper(s) }),
		"lower":       onText(func(m *machine, s *str) value { return m.lower(s) }),
		"capitalize":  onText(func(m *machine, s *str) value { return m.capitalize(s) }),
		"title":       onText(filterTitle),
		"string":      onText(func(_ *machine, s *str) value { return s }),
		"replace":     define(filterReplace, "s", "old", "new", "count="),
		"indent":      define(filterIndent, "s", "width=", "first=", "blank="),
		"truncate":    define(filterTruncate, "s", "length=", "killwords=", "end=", "leeway="),
		"center":      define(filterCenter, "value", "width="),
		"wordcount":   onText(filterWordCount),
		"wordwrap":    define(filterWordWrap, "s", "width=", "break_long_words=", "wrapstring=", "break_on_hyphens="),
		"escape":      onText(func(m *machine, s *str) value { return m.escape(s) }),
		"e":           onText(func(m *machine, s *str) value { return m.escape(s) }),
		"forceescape": onText(func(m *machine, s *str) value { return m.escape(s.plain()) }),
		"safe":        onText(func(_ *machine, s *str) value { return &str{s.s, s.untrusted, true} }),
		"striptags":   onText(filterStripTags),
		"urlencode":   define(filterURLEncode, "value"),
		"xmlattr":     define(filterXMLAttr, "d", "autospace="),
		"format":      variadic(filterFormat),
		"pprint":      define(filterPrettyPrint, "value"),

		"int":            define(filterInt, "value", "default=", "base="),
		"float":          define(filterFloat, "value", "default="),
		"abs":            define(filterAbs, "x"),
		"round":          define(filterRound, "value", "precision=", "method="),
		"filesizeformat": define(filterFileSize, "value", "binary="),

		"default":  define(filterDefault, "value", "default_value=", "boolean="),
		"d":        define(filterDefault, "value", "default_value=", "boolean="),
		"length":   define(filterLength, "obj"),
		"count":    define(filterLength, "obj"),
		"first":    define(filterFirst, "seq"),
		"last":     define(filterLast, "seq"),
		"list":     define(func(m *machine, a []value) value { return m.newList(m.items(a[0])) }, "value"),
		"join":     define(filterJoin, "value", "d=", "attribute="),
		"reverse":  define(filterReverse, "value"),
		"sort":     define(filterSort, "value", "reverse=", "case_sensitive=", "attribute="),
		"unique":   define(filterUnique, "value", "case_sensitive=", "attribute="),
		"min":      define(extreme(false), "value", "case_sensitive=", "attribute="),
		"max":      define(extreme(true), "value", "case_sensitive=", "attribute="),
		"sum":      define(filterSum, "iterable", "attribute=", "start="),
		"map":      variadic(filterMap),
		"select":   variadic(selection(true, false)),
		"reject":   variadic(selection(false, false)),
		"groupby":  define(filterGroupBy, "value", "attribute", "default=", "case_sensitive="),
		"batch":    define(filterBatch, "value", "linecount", "fill_with="),
		"slice":    define(filterSlice, "value", "slices", "fill_with="),
		"items":    define(filterItems, "value"),
		"dictsort": define(filterDictSort, "value", "case_sensitive=", "by=", "reverse="),
		"attr":     define(filterAttr, "obj", "name"),
	})
	filters["selectattr"] = &builtin{name: "selectattr", raw: selection(true, true)}
	filters["rejectattr"] = &builtin{name: "rejectattr", raw: selection(false, true)}
}

// onText returns a filter of the text of a value.
func onText(f func(m *machine, s *str) value) *builtin {
	return define(func(m *machine, a []value) value { return f(m, m.string(a[0])) }, "s")
}

func filterDefault(_ *machine, a []value) value {
	_, missing := a[0].(*undefined)
	if missing || a[2] != nil && truth(a[2]) && !truth(a[0]) {
		return optional(a[1], text(""))
	}
	return a[0]
}

func filterLength(m *machine, a []value) value {
	n, ok := m.length(a[0])
	if !ok {
		fail(Runtime, "object of type '%s' has no len()", typeName(a[0]))
	}
	return int64(n)
}

func filterAttr(m *machine, a []value) value {
	name := textArg(a[1]).s
	if got, ok := m.ownAttr(a[0], name); ok {
		return got
	}
	return &undefined{"'" + typeName(a[0]) + " object' has no attribute '" + name + "'", Undefined}
}
