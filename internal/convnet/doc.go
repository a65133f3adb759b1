// Package convnet runs small convolutional networks forward, in plain Go and without allocating.
//
// A network is one file: the eight bytes "CONVNET1", the header's length as a little-endian uint32,
// the header (JSON, see Header), and the numbers, little-endian. For each layer come out scales
// (float32), its weights [out][in][kernel][kernel] (int16, each times its output's scale), and out
// biases (float32); then the same for the head, whose outputs are the labels and whose inputs are, for
// each layer that it sees, the means and then the maxima of the channels. Batch normalization is
// folded into them.
//
// Tensors are planes of float32, one for each channel, with a border of one zero around them.
package convnet
