// Package constrain holds generated text to a JSON Schema, a regular expression or a GBNF grammar.
//
// [JSONSchema], [Regexp] and [GBNF] compile to a [Grammar]: rules over bytes, which may call one
// another. [Grammar.Matcher] binds a grammar to a vocabulary. A [State] is how far a text has
// come; [Matcher.Mask] says which tokens may follow it, whatever bytes they are made of: a token
// may end within a character, an escape or a keyword, or go past the end of several rules.
//
// A state is the set of all readings of the text so far, their stacks merged where they call the
// same rule, and is made deterministic as texts reach it. It is a value: keeping one is a fork,
// going back to one a rewind. Masks are kept with the states; both are dropped together when they
// take more than [MaxCacheBytes], which no state notices.
//
// What cannot be enforced is refused by the compiler, with the place, what is wrong and what to do
// instead. Nothing is ignored except annotations (title, description, default, examples and the
// like, and keywords that begin with "x-").
//
// # JSON
//
// The text is one JSON value without white space around it. Between its tokens there may be one
// line feed, then up to 20 blanks or tabs. Properties come in the schema's order, required ones
// that the schema does not describe after them, all others last. Integers have no fraction or
// exponent; numbers have at most 40 digits before the point, 20 after it and 2 in the exponent,
// and no exponent where minimum, maximum or multipleOf bind them. A string without pattern and
// format may use any escape; elsewhere only characters that need an escape have one. Lengths count
// code points. Patterns are ECMA-262 expressions found anywhere in the string;
// \s generates spaces of ASCII only and \S no space of Unicode, so that every dialect agrees.
//
// # What is refused
//
// In schemas: not, if, contains, dependentRequired and its kin, unevaluatedProperties and
// unevaluatedItems, uniqueItems unless there is at most one item, oneOf whose branches may overlap,
// minProperties that only unnamed properties could reach (their names might repeat), formats
// without a definition here, references that leave the schema, unknown keywords, and whatever no
// finite text satisfies. In expressions: back-references, look-around, word boundaries, anchors
// within. In grammars: left recursion, token references.
package constrain
