// Package convnet runs small convolutional networks forward, in plain Go and without allocating.
//
// A network is one file: the eight bytes "CONVNET1", the header's length as a little-endian uint32,
// the header (JSON, see Header), and the numbers as little-endian half floats. For each layer come
// its weights, [out][in][kernel][kernel], and its out biases; then the head's weights, for each label
// the means and then the maxima of the channels of each layer that it sees, and its biases. Batch
// normalization is folded into them.
//
// Tensors are planes of float32, one for each channel, with a border of one zero around them.
package convnet
