// Package attn holds the parts of softmax attention that are not products: the rotary embedding
// and the online softmax.
//
// Frequencies and angles are computed in float64 from additions, rounded products, divisions and
// square roots alone, none of which may be fused, so they have the same bits on every machine;
// package math promises that of none of its transcendental functions.
package attn
