// Package tokenizer turns text into token ids and back, exactly as the libraries do with which
// the models were trained.
//
// [Parse] reads a tokenizer.json whose model is a byte-level BPE. The pipeline is
//
//	text → valid UTF-8 → added tokens (raw) → normalizer → added tokens (normalized)
//	     → pre-tokenizer → BPE → post-processor
//
// The behaviour is that of the Hugging Face tokenizers library, version 0.23. Supported:
//
//   - normalizers NFC, NFD, NFKC, NFKD, Lowercase, Sequence;
//   - pre-tokenizers ByteLevel, Digits, Punctuation, Sequence, and Split with a literal string or
//     with a regular expression of the table in patterns.go, each matched by a scanner written
//     for it (no regular expression engine, no backtracking over the text);
//   - model BPE over byte symbols, with ignore_merges, byte_fallback, unk_token and fuse_unk;
//   - post-processors ByteLevel, TemplateProcessing (one sequence), Sequence;
//   - decoder ByteLevel.
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
// encoding is pooled, so that encoding into a large enough slice allocates nothing.
package tokenizer
