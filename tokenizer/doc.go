// Package tokenizer turns text into token ids and back, exactly as the libraries do with which
// the models were trained.
//
// [Parse] reads a tokenizer.json. The pipeline is
//
//	text → valid UTF-8 → added tokens (raw) → normalizers → added tokens (normalized)
//	     → pre-tokenizers → model → post-processor
//
// The behaviour is that of the Hugging Face tokenizers library, version 0.23. Supported:
//
//   - normalizers NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Prepend, Replace,
//     Precompiled, BertNormalizer, Nmt, Sequence;
//   - pre-tokenizers ByteLevel, Split, Digits, Punctuation, Metaspace, Whitespace,
//     WhitespaceSplit, BertPreTokenizer, CharDelimiterSplit, Sequence;
//   - models BPE (over bytes or characters, with prefix, suffix, unknown token, byte fallback,
//     ignore_merges), Unigram, WordPiece;
//   - post-processors ByteLevel, TemplateProcessing (one sequence), BertProcessing,
//     RobertaProcessing, Sequence;
//   - decoders ByteLevel, Metaspace, WordPiece, BPEDecoder, ByteFallback, Fuse, Strip, Replace,
//     Sequence.
//
// Every other part of a tokenizer.json, and every unknown field, is refused with an error that
// names it; nothing that could change an id is skipped. Truncation and padding are the
// exception: they belong to batching, not to the text, and are left to the caller.
//
// # Other files
//
// [Open] finds the tokenizer of a model directory. [ParseSentencePiece] reads tokenizer.model with the
// ids of the sentencepiece library, [ParseRWKV] the vocabularies of RWKV, and [ParseGGUF] the metadata
// of GGUF files. What they read goes through the same pipeline.
//
// # Departures from the library
//
//   - Precompiled takes the longest entry at each place, as sentencepiece does, not the shortest in
//     each grapheme cluster.
//   - Bytes of byte tokens that are no valid UTF-8 decode as in sentencepiece: one U+FFFD for each,
//     while the characters around them stay. Only that can be streamed.
//   - Marks and punctuation that are newer than the library's tables are what Unicode says.
//
// # Regular expressions
//
// The expressions of the table in patterns.go, compared as strings, are matched by scanners written
// for them. All others go to a backtracking engine, with a budget of time: see
// [Tokenizer.TryEncode].
//
// # Unicode
//
// Character classes are those of Unicode 16, which is what the library's regular expressions
// know; the normalization forms follow golang.org/x/text (Unicode 15), without its limit of 30
// combining marks a character. The library's own tables for normalization and Punctuation are
// older: there, marks and punctuation added after Unicode 9 are treated as unassigned.
//
// # Cost
//
// Encoding a piece of n bytes takes O(n log n) time, whatever the text; finding added tokens is
// linear. A [Tokenizer] is immutable and safe for concurrent use; the scratch memory of an
// encoding is pooled, so that encoding into a large enough slice allocates nothing, unless a regular
// expression goes to the engine.
package tokenizer
