// Package nn holds the layers of sequence models: the [Mixer] contract, the binding of weights
// ([Params]) and one file for each layer.
//
// # Glossary
//
//	T  tokens in this call              M  memories
//	D  model width                      k  memories chosen for a token
//	I  inner width of an MLP            W  taps of a short convolution
//	H  heads, G of them with keys       S  recurrent state of a head, [K, V]
//	K  width of a key, V of a value     β  writing strength of a delta rule
//	E  channels of a state space        Δ  time step, R the rank of its projection
//	N  numbers of a state a channel     P  channels of a head, G groups of heads
//
// # One result
//
// A sequence gives the same bits fed whole, in pieces or beside other sequences, on any number
// of threads: layers compute rows independently of each other, recurrences and convolutions
// advance token by token per sequence, and attention walks fixed blocks of keys from position 0.
package nn
