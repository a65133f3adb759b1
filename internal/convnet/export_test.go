package convnet

// Half shows the tests how numbers are read.
func Half(bits uint16) float32 { return half(bits) }
