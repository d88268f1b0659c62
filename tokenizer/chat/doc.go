// Package chat renders chat templates: the part of the Jinja language that model files use, as an
// interpreter of its own.
//
// A template gives the same text as jinja2 3.1 in the environment of the transformers library:
// trim_blocks and lstrip_blocks on, no autoescape, the tags break, continue and generation, the
// functions raise_exception and strftime_now, and a tojson that writes what Python's json.dumps
// does. Values are Python's: integers of any size, strings indexed by code point, dictionaries that
// keep their order. Not supported are include, import and extends (an error when rendered), the
// filters random and urlize, the text of lipsum, and \N{...} in strings. An unknown filter or test
// is an error when the template is parsed, wherever it stands.
//
// # Untrusted templates
//
// A template sees its variables and nothing else: no files, no environment, no Go values, and no
// clock but the one it is given. The work is bounded: see [Limits].
//
// # Untrusted text
//
// [Output] tells which bytes of the rendered text come from the variables, that is, from messages,
// tools and other arguments, so that control tokens written there can be refused: the text of a
// template and the special tokens of [Input] are trusted, and every string operation keeps track.
// What cannot be told apart counts as untrusted. A message's role is trusted if it is a plain word,
// since templates build control tokens of it. Numbers, True, False and None are trusted.
package chat
